"""The columns of a bulk file: what they are called, what they mean, and which of them a header names."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from softphones import spreadsheets

PASSWORD = "sip_password"
MOST_COLUMNS = 100
#: What a result file has besides; read, and left aside.
RESULT = ("status", "device_id", "message")
#: What the first of these may say.
STATUSES = ("will_create", "made", "exists", "failed", "error")
#: Under this, a row keeps the cells behind its last column, with tabs between them: a result file gives them back.
SURPLUS = "surplus"
#: What spreadsheets show where there is no value; a result file has the first where a cell could not be read.
NO_VALUE = ("#VALUE!", "#REF!", "#NAME?", "#N/A", "#DIV/0!", "#NUM!", "#NULL!")
#: What a cell of the column `enabled` may say, without case.
ENABLED = {"": True, "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
POSSIBLE_USERNAME = re.compile(r"[A-Za-z0-9_.+-]{2,32}")
POSSIBLE_PASSWORD = re.compile(r"[!-~]{5,32}")
LONGEST_CALLER_ID = 35  # characters, of `extension` and `caller_id_name` each (audian-api.md section 3)

_BLANKS = re.compile(r"[\s_\-\u200b\ufeff]+")
_NO_TITLE = re.compile(r"[^\w\s\-]|\d")  # titles are words


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    explanation: str | Promise
    example: str = ""
    required: bool = False


COLUMNS = (
    Column("name", lazy("What the softphone is called, at most 128 characters."), "Alice Smith - softphone", required=True),
    Column("owner_email", lazy("The e-mail address of the person it belongs to, as Audian has it."), "alice@example.com"),
    Column("owner_id", lazy("The person’s id at Audian (32 characters), where an address belongs to more than one.")),
    Column("extension", lazy("The number that colleagues see when it calls; kept as text, so 0042 stays 0042."), "1001"),
    Column("caller_id_name", lazy("The name that colleagues see when it calls, at most 35 characters."), "Alice Smith"),
    Column("sip_username", lazy("2 to 32 letters, digits or _ . + - (empty: the portal makes one).")),
    Column(
        PASSWORD,
        lazy("Better left empty: the portal makes a strong one that nobody sees. Else 5 to 32 characters without a space."),
    ),
    Column("enabled", lazy("Switched on: yes or no, true or false, 1 or 0 (empty: yes)."), "yes"),
)
NAMES = tuple(column.name for column in COLUMNS)
EXPLAINED = {column.name: column.explanation for column in COLUMNS}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong (or worth knowing) where. `column` is None for the whole row or file. Never says a password."""

    line: int
    column: str | None
    message: str

    def as_dict(self) -> dict[str, int | str | None]:
        return {"line": self.line, "column": self.column, "message": self.message}


def columns() -> list[Column]:
    """All columns, in their order."""
    return list(COLUMNS)


def template_csv() -> Iterator[str]:
    """The lines of an empty bulk file with one example row, to fill in."""
    return spreadsheets.lines(NAMES, [[column.example for column in COLUMNS]])


def key_of(title: str) -> str:
    """A column's title as it is compared: without case, spaces and what stands for them."""
    return _BLANKS.sub("", title).casefold()


_BY_KEY = {key_of(name): name for name in (*NAMES, *RESULT)}


def known(titles: Sequence[str]) -> int:
    """How many of these titles are names of columns."""
    return sum(key_of(title) in _BY_KEY for title in titles)


def match(titles: Sequence[str], used: set[int], line: int) -> tuple[dict[int, str], list[Problem]]:
    """Position -> column, and what is wrong with the header. `used`: positions that hold something in some row.

    What stands in the first row may be no titles but a row of values, with a password: only what surely is a title is told.
    """
    places: dict[int, str] = {}
    problems = []
    if len(titles) > MOST_COLUMNS:
        text = _("The file has %(count)d columns; at most %(most)d are read. It can have these: %(names)s.")
        return {}, [Problem(line, None, text % {"count": len(titles), "most": MOST_COLUMNS, "names": ", ".join(NAMES)})]
    if not known(titles):
        text = _("The first row names none of our columns. Put a row above it that says which is which: %(names)s.")
        return {}, [Problem(line, None, text % {"names": ", ".join(NAMES)})]
    is_header = known(titles) * 2 >= sum(key_of(title) != "" for title in titles)
    for place, title in enumerate(titles):
        name = _BY_KEY.get(key_of(title))
        if name in places.values():
            text = _("The column %(name)s stands there twice. Keep one of them.")
            problems.append(Problem(line, shortened(title), text % {"name": name}))
        elif name:
            places[place] = name
        elif key_of(title):
            problems.append(_unknown(title, place, line, is_told=is_header))
        elif place in used:
            text = _("Column %(number)d holds something but has no name. Name it, or empty it.")
            problems.append(Problem(line, None, text % {"number": place + 1}))
    required = [column.name for column in COLUMNS if column.required]
    for name in required:
        if name not in places.values():
            text = _("The column %(name)s is missing. The first row has to name the columns.")
            problems.append(Problem(line, name, text % {"name": name}))
    return places, problems


def _unknown(title: str, place: int, line: int, *, is_told: bool) -> Problem:
    nearest = get_close_matches(key_of(title), [key_of(name) for name in NAMES], n=1, cutoff=0.5)
    told = {"number": place + 1, "title": shortened(title), "names": ", ".join(NAMES)}
    if not nearest:
        text = _("The title of column %(number)d is not known. Remove the column, or call it one of these: %(names)s.")
        return Problem(line, None, text % told)
    told["nearest"] = _BY_KEY[nearest[0]]
    if is_told and not _NO_TITLE.search(title):
        text = _("There is no column “%(title)s”. Did you mean %(nearest)s?")
        return Problem(line, told["title"], text % told)
    text = _("The title of column %(number)d is not known. Did you mean %(nearest)s?")
    return Problem(line, None, text % told)


def shortened(text: str, most: int = 60) -> str:
    """The text as a sentence can quote it: on one line, printable, and not too long."""
    plain = "".join(letter if letter.isprintable() else "�" for letter in text[: most + 1])
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
