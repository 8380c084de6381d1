"""Cells that stand under other columns, by a comma too many, a cell left out or a slip of the hand: one may be a password.

Nobody may be told a password, and a row alone can't say where its own went. So, in a file with passwords, whatever could be
one is told only if it is right in its own column, and nothing in its row says that the cells have moved.
"""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from softphones.imports.columns import (
    ENABLED,
    EXPLAINED,
    LONGEST_CALLER_ID,
    NAMES,
    NO_VALUE,
    PASSWORD,
    POSSIBLE_PASSWORD,
    POSSIBLE_USERNAME,
)

#: What stands in place of a cell that may be a password, until somebody types it again.
HIDDEN = "…"
DELIMITERS = ",;\t"
SHORTEST = 5  # characters of a password

_YES_NO = re.compile("|".join(filter(str.isalpha, ENABLED)), re.IGNORECASE)
_SWITCH = re.compile("|".join([*filter(None, ENABLED), r"[^\W\d_]{1,4}"]), re.IGNORECASE)  # in other tongues too
#: 1001, +49 30 1234-56, ext. 1001, and what a spreadsheet makes of long ones
_NUMBER = re.compile(r"(?:[^\W\d_]{1,4}[.:]?\s)?[\s()+/.*#-]*\d[\d\s()+/.*#-]*|\d(?:[.,]\d+)?[eE]\+\d+")
#: By what a cell says one sees from which column it slipped, and so how far.
_SAYS_ITS_COLUMN = {
    "owner_email": re.compile(r"[^@]*@.*", re.DOTALL),
    "owner_id": re.compile(r"[0-9A-Fa-f]{32}"),
    "extension": _NUMBER,
    "enabled": re.compile("|".join(filter(None, ENABLED)), re.IGNORECASE),
}
#: Or at least from which it can have slipped, if as many cells are missing at the end.
_MAY_BE_OF_COLUMN = {
    "name": re.compile(r"[^@]*"),
    "extension": re.compile(r"(?=[^@]*\d)[^@]*"),
    "caller_id_name": re.compile(r"[^@]*"),
    "sip_username": POSSIBLE_USERNAME,
    "enabled": _SWITCH,
}
_WRONG = {
    "owner_email": lazy("Audian has nobody with the address that stands here."),
    "owner_id": lazy("Audian has no person with the id that stands here."),
    "extension": lazy("What stands here is no number, like 1001 or ext. 1001."),
    "caller_id_name": lazy("What stands here can’t be a caller id."),
    "sip_username": lazy("What stands here can’t be a username."),
    "enabled": lazy("What stands here is neither yes nor no."),
}


@dataclass(frozen=True, slots=True)
class Slip:
    """What is hidden of a row: column -> why, a sentence. `is_miscounted`: it has too many cells or too few, so that nothing
    else can be said of it."""

    hidden: dict[str, str] = field(default_factory=dict)
    is_miscounted: bool = False


def may_be_password(text: str) -> bool:
    """Whether somebody may have meant it as one: also what is none, by a space or its length."""
    return len(text) >= SHORTEST and text not in NO_VALUE


def find(cells: Sequence[str], places: Mapping[int, str], width: int, *, is_padded: bool, known: Set[str]) -> Slip:
    """What may have slipped in a row with these trimmed `cells`, under a header of `width` titles with columns at `places`.

    `is_padded`: empty cells at its end were never written, so that a short row is not one that lost a cell. `known`: the
    addresses and ids in it (all folded) that a person at Audian has, or could have.
    """
    at = {name: place for place, name in places.items()}
    if PASSWORD not in at:
        return Slip()
    ours = {place: name for place, name in places.items() if name in NAMES}
    row = _Row(cells, ours, at[PASSWORD], max(ours) + 1, known)
    is_short = len(cells) < row.width and not is_padded
    hidden = row.moved() | row.wrong()
    if is_short or len(cells) > width:
        reached = row.reached()
        if reached or any(cells[width:]):
            return Slip({ours[place]: "" for place in sorted({*hidden, *reached})}, is_miscounted=True)
    return Slip({ours[place]: hidden[place] for place in sorted(hidden)})


@dataclass(frozen=True, slots=True)
class _Row:
    cells: Sequence[str]
    places: Mapping[int, str]
    password: int  # where it belongs
    width: int
    known: Set[str]

    def wrong(self) -> dict[int, str]:
        """What is not right in its own column, whatever the others say."""
        text = _("%(wrong)s It may be a sip_password, so it is shown as “…”. Type the cell again. %(meaning)s")
        found = (place for place in self._may_be_password() if self._is_wrong(place))
        return {place: text % {"wrong": self._said(place), "meaning": EXPLAINED[self.places[place]]} for place in found}

    def moved(self) -> dict[int, str]:
        """Where the password stands if the cells slipped as far as a wrong one says by what it holds."""
        text = _(
            "“…” may be a sip_password that slipped here: what stands in %(other)s seems to belong to another column. "
            "Put that right, and type this cell again. %(meaning)s"
        )
        found = {}
        wrong = [place for place in sorted(self.places) if self._is_wrong(place)]
        for place in self._may_be_password() if wrong else ():
            tells = next((other for other in wrong if self._is_moved(place, other)), None)
            if tells is not None:
                found[place] = text % {"other": self.places[tells], "meaning": EXPLAINED[self.places[place]]}
        return found

    def reached(self) -> set[int]:
        """Where the password may be in a row with too many cells or too few. It went to the right past anything, but to the
        left no farther than cells are missing at the end; and into the name only if that went farther, or is missing."""
        return {
            place
            for place in self._may_be_password()
            if self.password - place <= self._left_out()
            and (self.places[place] != "name" or place > self.password or self._has_lost_its_name(place))
        }

    def _cell(self, place: int) -> str:
        return self.cells[place] if place < len(self.cells) else ""

    def _left_out(self) -> int:
        """How many cells are missing at the end."""
        return self.width - 1 - max((place for place in self.places if self._cell(place)), default=self.width)

    def _may_be_password(self) -> list[int]:
        others = (place for place in sorted(self.places) if place != self.password)
        return [place for place in others if may_be_password(self._cell(place)) and not self._is_known(place)]

    def _is_known(self, place: int) -> bool:
        return self._cell(place).casefold() in self.known

    def _is_wrong(self, place: int) -> bool:
        """Whether a cell says something that its column has no use for."""
        name, cell = self.places[place], self._cell(place)
        if not cell or cell == HIDDEN or cell in NO_VALUE:
            return False
        if name == PASSWORD:
            return POSSIBLE_PASSWORD.fullmatch(cell) is None or _YES_NO.fullmatch(cell) is not None
        if name == "name" or self._is_merged(cell):
            return self._is_merged(cell)
        if name in ("owner_email", "owner_id"):
            return not self._is_own(place)
        if name == "enabled":
            return _SWITCH.fullmatch(cell) is None
        if name == "sip_username":
            return POSSIBLE_USERNAME.fullmatch(cell) is None or _YES_NO.fullmatch(cell) is not None
        if len(cell) > LONGEST_CALLER_ID or not cell.isprintable() or _YES_NO.fullmatch(cell):
            return True
        return name == "extension" and _NUMBER.fullmatch(cell) is None and not self._has_password()

    def _has_password(self) -> bool:
        """Whether what stands where the password belongs can hardly be anything else."""
        given = self._cell(self.password)
        return not self._is_wrong(self.password) and given != "" and not given.isdigit()

    def _is_own(self, place: int) -> bool:
        """Whether a cell plainly belongs to its column, so that it did not slip."""
        name, cell = self.places[place], self._cell(place)
        if name in ("owner_email", "owner_id"):
            return self._is_known(place) and ("@" in cell) == (name == "owner_email")
        return name == "extension" and _NUMBER.fullmatch(cell) is not None

    def _is_moved(self, place: int, other: int) -> bool:
        """Whether what is wrong in `other` came from a column as far away as `place` is from where the password belongs."""
        distance = self.password - place
        column, cell = self.places.get(other + distance, ""), self._cell(other)
        surely, perhaps = (kind.get(column) for kind in (_SAYS_ITS_COLUMN, _MAY_BE_OF_COLUMN))
        is_sure = surely is not None and surely.fullmatch(cell) is not None
        if not is_sure and (perhaps is None or perhaps.fullmatch(cell) is None or distance > self._left_out()):
            return False
        between = range(min(place, other), max(place, other) + 1)
        return not any(self._is_own(each) for each in between if each in self.places)

    def _has_lost_its_name(self, place: int) -> bool:
        earlier = any(each < place for each in self._may_be_password())
        return earlier or self._is_wrong(self.password) or self._is_merged(self._cell(place), at_least=1)

    def _is_merged(self, cell: str, at_least: int = 3) -> bool:
        """Whether it holds cells that something else separates, as far as the password."""
        return max(map(cell.count, DELIMITERS)) >= max(self.password, at_least)

    def _said(self, place: int) -> str:
        if self._is_merged(self._cell(place)):
            return _("What stands here holds other columns too.")
        return str(_WRONG[self.places[place]])
