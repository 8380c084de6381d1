"""The rules for a row: what it will come to, what is wrong with it, and what somebody should know. Writes nothing."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from unicodedata import category

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from softphones import names
from softphones.imports.columns import (
    ENABLED,
    EXPLAINED,
    LONGEST_CALLER_ID,
    NAMES,
    NO_VALUE,
    PASSWORD,
    POSSIBLE_PASSWORD,
    POSSIBLE_USERNAME,
    Problem,
    shortened,
)
from softphones.imports.known import Known, Phone, look
from softphones.imports.reading import Row
from softphones.imports.slips import HIDDEN
from softphones.models import Account, ImportRow, Owner, User

Verdict = ImportRow.Verdict

LONGEST_NAME = 128  # characters (audian-api.md section 3)
WEAK_BELOW = 12
LONGEST_EMAIL = 254
MOST_ALIKE = 3  # rows that say the same; of more it is said once, above

_SCIENTIFIC = re.compile(r"\d([.,]\d+)?[eE]\+\d+")
_UNUSABLE = ("Cc", "Cs", "Zl", "Zp")  # control characters, halves of characters, and what begins a line


@dataclass(slots=True)
class Checked:
    """A row with its verdict. `failed`: the softphone that could not be made before, and is tried again with this."""

    line: int
    cells: dict[str, str] = field(repr=False)
    verdict: Verdict = Verdict.WILL_CREATE
    problems: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)
    owner: Owner | None = None
    softphone: int | None = None  # the one that is there
    failed: int | None = None
    is_owned: bool = False
    is_slipped: bool = False  # its cells stand under other columns: more can't be said

    def value(self, name: str) -> str:
        return self.cells.get(name, "")

    def is_hidden(self, column: str) -> bool:
        """Whether it held what may be a password; nobody said anew what belongs there."""
        return PASSWORD in self.cells and self.value(column) == HIDDEN

    def wrong(self, column: str | None, message: str) -> None:
        self.problems.append(Problem(self.line, column, message))

    def notice(self, column: str | None, message: str) -> None:
        self.notices.append(Problem(self.line, column, message))


@dataclass(slots=True)
class _InFile:
    """What earlier rows of the same file said, and on which line."""

    usernames: dict[str, int] = field(default_factory=dict)
    named: dict[tuple[str, int | None], int] = field(default_factory=dict)  # (name, owner), of all rows
    unnamed: dict[tuple[str, int | None], int] = field(default_factory=dict)  # likewise, of those without a username
    numbers: dict[str, int] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)
    passwords: Counter = field(default_factory=Counter)


def check_rows(account: Account, rows: Iterable[Row], by: User | None) -> tuple[list[Checked], list[Problem]]:
    """Every row with its verdict, in their order, and what somebody should know of them all. A few queries, however many."""
    checked = [
        Checked(row.line, row.cells, problems=list(row.problems), notices=list(row.notices), is_slipped=row.is_slipped)
        for row in rows
    ]
    emails = {row.value("owner_email").casefold() for row in checked}
    known = look(account, by, emails=emails, owner_ids={row.value("owner_id") for row in checked})
    in_file = _InFile(passwords=Counter(row.value(PASSWORD) for row in checked))
    for row in checked:
        if not row.is_slipped:
            _check_values(row)
            _find_owner(row, known)
        if not row.problems:
            _compare(row, known, in_file)
        if row.problems:
            row.verdict = Verdict.ERROR
        elif row.verdict == Verdict.WILL_CREATE:
            _advise(row, known, in_file)
    return checked, _advise_of_all(checked, known)


def is_enabled(text: str) -> bool:
    """What a cell of the column `enabled` that was checked says."""
    return ENABLED[text.casefold()]


def _advise_of_all(checked: list[Checked], known: Known) -> list[Problem]:
    found = []
    if not known.is_mirrored:
        text = _("The portal has not looked at Audian yet, so it can’t tell what is there already. Sync first.")
        found.append(Problem(1, None, text))
    numbers = [row.value("extension") for row in checked if not row.is_slipped and row.value("extension").isdecimal()]
    lengths = Counter(map(len, numbers))
    if len(lengths) > 1:
        text = _("The extensions have different lengths (%(lengths)s digits). Spreadsheets drop zeros in front: check them.")
        found.append(Problem(1, "extension", text % {"lengths": ", ".join(map(str, sorted(lengths)))}))
    unowned = [row for row in checked if row.verdict == Verdict.WILL_CREATE and row.owner is None]
    if len(unowned) > MOST_ALIKE:
        text = _("%(count)d rows: nobody owns them. They can call, but nobody can call them until a call flow points to them.")
        found.append(Problem(1, None, text % {"count": len(unowned)}))
        for row in unowned:
            row.notices[:] = [
                each if each.message != _unowned() else replace(each, message=_("Nobody owns it.")) for each in row.notices
            ]
    return found


def _unowned() -> str:
    return _("Nobody owns it: it can call, but nobody can call it until a call flow points to it.")


def _check_values(row: Checked) -> None:
    for column in NAMES:
        value = row.value(column)
        if row.is_hidden(column) and not any(problem.column == column for problem in row.problems):
            text = _("“…” hides what may be a sip_password that slipped here. Type the cell again. %(meaning)s")
            row.wrong(column, text % {"meaning": EXPLAINED[column]})
        if value in NO_VALUE and column != PASSWORD:
            text = _("“%(value)s” stands where a spreadsheet has no value. Write the text itself, or empty the cell.")
            row.wrong(column, text % {"value": value})
        if not value.isprintable() and any(category(letter) in _UNUSABLE for letter in value):
            _wrong_characters(row, column, value)
    _check_name(row)
    for column in ("extension", "caller_id_name"):
        if len(row.value(column)) > LONGEST_CALLER_ID:
            text = _("“%(value)s” has %(count)d characters; at most %(most)d are possible. Shorten it.")
            row.wrong(column, text % _lengths(row.value(column), LONGEST_CALLER_ID))
    username = row.value("sip_username")
    if username and not row.is_hidden("sip_username") and not POSSIBLE_USERNAME.fullmatch(username):
        text = _("“%(value)s” can’t be a username: it has 2 to 32 letters, digits or _ . + - (empty: one is made).")
        row.wrong("sip_username", text % {"value": shortened(username)})
    _check_password(row)
    if row.value("enabled").casefold() not in ENABLED and not row.is_hidden("enabled"):
        text = _("“%(value)s” is neither yes nor no. Write yes, no, true, false, 1, 0, or nothing for yes.")
        row.wrong("enabled", text % {"value": shortened(row.value("enabled"))})


def _wrong_characters(row: Checked, column: str, value: str) -> None:
    if column == PASSWORD:
        return  # _check_password says it
    if "\n" in value or "\r" in value:
        row.wrong(column, _("“%(value)s” has more than one line. Write it on one.") % {"value": shortened(value)})
    else:
        text = _("“%(value)s” holds a character that can’t be seen (shown as �). Type it anew.")
        row.wrong(column, text % {"value": shortened(value)})


def _check_name(row: Checked) -> None:
    name = row.value("name")
    if not name and not any(problem.column == "name" for problem in row.problems):
        row.wrong("name", _("The name is empty. Every softphone needs one."))
    elif name and not names.is_visible(name):
        row.wrong("name", str(names.INVISIBLE))
    elif len(name) > LONGEST_NAME:
        text = _("“%(value)s” has %(count)d characters; at most %(most)d are possible. Shorten it.")
        row.wrong("name", text % _lengths(name, LONGEST_NAME))


def _lengths(value: str, most: int) -> dict[str, str | int]:
    return {"value": shortened(value), "count": len(value), "most": most}


def _check_password(row: Checked) -> None:
    """Says how long it is and which kind of character is wrong; never the password."""
    password = row.value(PASSWORD)
    if not password or POSSIBLE_PASSWORD.fullmatch(password):
        return
    if not 5 <= len(password) <= 32:
        text = ngettext(
            "The password has %(count)d character; 5 to 32 are possible (empty: a strong one is made).",
            "The password has %(count)d characters; 5 to 32 are possible (empty: a strong one is made).",
            len(password),
        )
        row.wrong(PASSWORD, text % {"count": len(password)})
    elif any(letter.isspace() for letter in password):
        row.wrong(PASSWORD, _("The password holds a space. Write one without (empty: a strong one is made)."))
    else:
        text = _("The password holds a character that phones can’t type. Letters, digits and ASCII signs are possible.")
        row.wrong(PASSWORD, text)


def _find_owner(row: Checked, known: Known) -> None:
    email, audian_id = ("" if row.is_hidden(column) else row.value(column) for column in ("owner_email", "owner_id"))
    by_id = known.owners_by_id.get(audian_id)
    if audian_id and by_id is None:
        text = _("Audian has no person with the id “%(value)s”. Correct it, or leave it empty and give their owner_email.")
        row.wrong("owner_id", text % {"value": shortened(audian_id)})
    found = known.owners_by_email.get(email.casefold(), []) if email else []
    if email and not found:
        text = _("Audian has nobody with the address “%(value)s”. Correct it, or add the person at Audian and sync.")
        row.wrong("owner_email", text % {"value": shortened(email)})
    elif email and by_id and by_id not in found:
        text = _("“%(value)s” is not the address of the person in owner_id (%(person)s). Keep the one that is right.")
        row.wrong("owner_email", text % {"value": shortened(email), "person": shortened(str(by_id))})
    elif len(found) > 1 and not audian_id:
        text = _("%(count)d people have the address “%(value)s”. Say who is meant in the column owner_id: %(ids)s.")
        people = ", ".join(f"{owner.audian_id} ({shortened(owner.name, 30)})" for owner in found[:4])
        row.wrong("owner_email", text % {"count": len(found), "value": shortened(email), "ids": people})
    else:
        row.owner = by_id or (found[0] if found else None)
    if row.owner and row.owner.pk in known.oneself:
        row.wrong("owner_email" if email else "owner_id", _("Nobody gives a phone to themselves. Another admin can."))


def _compare(row: Checked, known: Known, in_file: _InFile) -> None:
    """With the rows above, and with what is there."""
    username, name = row.value("sip_username").lower(), row.value("name").casefold()
    key = (name, row.owner.pk if row.owner else None)
    if username:
        if (line := in_file.usernames.setdefault(username, row.line)) != row.line:
            text = _("The username “%(value)s” stands in line %(line)d already. Choose another.")
            row.wrong("sip_username", text % {"value": shortened(row.value("sip_username")), "line": line})
        earlier = in_file.unnamed.get(key)
    else:
        earlier = in_file.named.get(key)
        in_file.unnamed.setdefault(key, row.line)
    in_file.named.setdefault(key, row.line)
    if earlier is not None and not row.problems:
        text = _("Line %(line)d says the same name “%(value)s” and person. Give each a username, or another name.")
        row.wrong("name", text % {"line": earlier, "value": shortened(row.value("name"))})
    if not row.problems:
        _find_existing(row, known, username, name)


def _find_existing(row: Checked, known: Known, username: str, name: str) -> None:
    if username:
        found = known.by_username.get(username, [])
    else:
        found = [phone for phone in known.by_name.get(name, []) if phone.belongs_to(row.owner) and not phone.is_ending]
    there = [phone for phone in found if not phone.is_failed]
    same = [phone for phone in there if phone.belongs_to(row.owner) and phone.name.casefold() == name]
    if any(phone.is_ending for phone in there):
        text = _("A softphone with the username “%(value)s” is just being deleted. Import again in a minute.")
        row.wrong("sip_username", text % {"value": shortened(row.value("sip_username"))})
    elif same:
        row.verdict, row.softphone = Verdict.EXISTS, same[0].pk
        _compare_values(row, same[0])
    elif there:
        row.wrong("sip_username", _taken(row, there[0]))
    elif found:
        row.failed = found[-1].pk


def _compare_values(row: Checked, phone: Phone) -> None:
    """What the row wants otherwise than it is. An empty cell wants nothing."""
    there = {"extension": phone.extension, "caller_id_name": phone.caller_id_name}
    differ = [column for column, value in there.items() if row.value(column) and row.value(column) != value]
    if row.value("enabled") and is_enabled(row.value("enabled")) != phone.enabled:
        differ.append("enabled")
    if row.value(PASSWORD):
        differ.append(PASSWORD)
    if differ:
        text = _("Already there, and stays as it is. This differs and is not changed: %(columns)s.")
        row.notice(None, text % {"columns": ", ".join(differ)})


def _taken(row: Checked, phone: Phone) -> str:
    text = _("The username “%(value)s” belongs to “%(name)s” with another name or person. Choose another, or leave it empty.")
    return text % {"value": shortened(row.value("sip_username")), "name": shortened(phone.name)}


def _advise(row: Checked, known: Known, in_file: _InFile) -> None:
    """What keeps nobody from starting."""
    owner, number = row.owner, row.value("extension")
    if owner is None:
        row.notice(None, _unowned())
    else:
        _advise_of_owner(row, owner, known, in_file)
    if number:
        _advise_of_number(row, number, known, in_file)
    password = row.value(PASSWORD)
    if not password and _had_password(row):
        row.notice(PASSWORD, _("It had a password, which no result file holds. Write it in again, or a strong one is made."))
    if password and len(password) < WEAK_BELOW:
        row.notice(PASSWORD, _("The password is short. Leave it empty, and the portal makes a strong one."))
    if password and in_file.passwords[password] > 1:
        row.notice(PASSWORD, _("Other rows have the same password. Leave them empty, and each gets its own."))


def _had_password(row: Checked) -> bool:
    """Whether it is a row of a result file that says that its password is left out, or was wrong."""
    return row.value("status") in ("error", "will_create", "failed") and PASSWORD in row.value("message")


def _advise_of_owner(row: Checked, owner: Owner, known: Known, in_file: _InFile) -> None:
    column = "owner_email" if row.value("owner_email") else "owner_id"
    if owner.pk in known.owned:
        row.is_owned = True
        row.notice(column, _("%(person)s has a softphone already.") % {"person": shortened(str(owner))})
    elif (line := in_file.owners.setdefault(owner.pk, row.line)) != row.line:
        text = _("Line %(line)d gives %(person)s a softphone too.")
        row.notice(column, text % {"line": line, "person": shortened(str(owner))})
    if not owner.enabled:
        text = _("%(person)s is switched off at Audian: the phone can’t connect until that changes.")
        row.notice(column, text % {"person": shortened(str(owner))})
    if known.sharing[owner.email_folded] > 1:
        text = _("Others have the address %(email)s too: nobody gets in by it until an admin says who is who.")
        row.notice(column, text % {"email": shortened(owner.email)})


def _advise_of_number(row: Checked, number: str, known: Known, in_file: _InFile) -> None:
    if number in known.numbers:
        text = _("“%(name)s” has the extension %(value)s already.")
        row.notice("extension", text % {"value": shortened(number), "name": shortened(known.numbers[number])})
    elif number in in_file.numbers:
        text = _("Line %(line)d has the extension %(value)s too.")
        row.notice("extension", text % {"value": shortened(number), "line": in_file.numbers[number]})
    if _SCIENTIFIC.fullmatch(number):
        text = _("“%(value)s” looks like a number that a spreadsheet has shortened. Format the column as text.")
        row.notice("extension", text % {"value": shortened(number)})
    in_file.numbers.setdefault(number, row.line)
