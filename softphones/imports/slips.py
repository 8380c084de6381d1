"""Cells that slipped under other columns, by a comma too many or a cell left out: one of them may be a password.

Nobody may be told a password, and a row alone can't say where its own went. So whatever may be one is hidden.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from softphones.imports.columns import ENABLED, NAMES, NO_VALUE, PASSWORD, POSSIBLE_PASSWORD, POSSIBLE_USERNAME

#: What stands in place of a cell that may be a password, until somebody types it again.
HIDDEN = "…"
DELIMITERS = ",;\t"

#: What can't be anything but its column's: passwords have 5 characters at least, and none of these looks like one.
_OWN = {
    "owner_email": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+"),
    "owner_id": re.compile(r"[0-9A-Fa-f]{32}"),
    "extension": re.compile(r"\d{1,4}"),
    "enabled": re.compile("|".join([*filter(None, ENABLED), r"[^\W\d_]{1,4}"]), re.IGNORECASE),
}
_NUMBER = re.compile(r"[\d\s+()/.*#-]+")
#: What the column `sip_password` never holds on purpose: a yes or no, or an extension.
_NO_PASSWORD = re.compile(rf"{'|'.join(filter(None, ENABLED))}|\d{{1,4}}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Slip:
    """What is hidden of a row. `is_miscounted`: it has too many cells or too few, so that nothing else can be said of it."""

    columns: tuple[str, ...] = ()
    is_miscounted: bool = False


def find(cells: Sequence[str], places: Mapping[int, str], width: int, *, is_padded: bool) -> Slip:
    """What may have slipped in a row with these trimmed `cells`, under a header of `width` titles with columns at `places`.

    `is_padded`: empty cells at its end were never written, so that a short row is not one that lost a cell.
    """
    at = {name: place for place, name in places.items()}
    if PASSWORD not in at:
        return Slip()
    row = _Row(cells, {place: name for place, name in places.items() if name in NAMES}, at[PASSWORD], max(places) + 1)
    is_short = len(cells) < row.width and not is_padded
    if is_short or len(cells) > width:
        hidden = row.suspects(is_short=is_short)
        return Slip(row.names(hidden), bool(hidden or any(cells[width:])))
    return Slip(row.names(row.misplaced()))


@dataclass(frozen=True, slots=True)
class _Row:
    cells: Sequence[str]
    places: Mapping[int, str]
    password: int  # where it belongs
    width: int

    def names(self, places: set[int]) -> tuple[str, ...]:
        return tuple(self.places[place] for place in sorted(places))

    def suspects(self, *, is_short: bool = False) -> set[int]:
        """Where the password may be. It went to the right past anything, but to the left no farther than cells are missing
        at the end; and into the name only if that went farther, or is missing itself."""
        left_out = self.width - 1 - max(self._filled(), default=self.width)
        return {
            place
            for place in self._doubtful()
            if self.password - place <= left_out
            and (self.places[place] != "name" or place > self.password or self._has_lost_its_name(place, is_short=is_short))
        }

    def misplaced(self) -> set[int]:
        """Likewise, where the number of cells is right: only if some cell holds what its column can't."""
        suspects, given = self.suspects(), self._cell(self.password)
        right = {place for place in suspects if place > self.password}
        if _NO_PASSWORD.fullmatch(given) or any(self._is_wrong(place) for place in self._doubtful()):
            return right | {place for place in suspects if self._is_possible(place)}
        return right if given and not POSSIBLE_PASSWORD.fullmatch(given) else set()

    def _filled(self) -> set[int]:
        return {place for place, cell in enumerate(self.cells) if cell}

    def _doubtful(self) -> set[int]:
        """Cells that need not be what their column is for."""
        return {place for place in self._filled() & set(self.places) - {self.password} if not self._is_own(place)}

    def _cell(self, place: int) -> str:
        return self.cells[place] if place < len(self.cells) else ""

    def _is_own(self, place: int) -> bool:
        own, cell = _OWN.get(self.places[place]), self.cells[place]
        return cell == HIDDEN or cell in NO_VALUE or (own is not None and own.fullmatch(cell) is not None)

    def _is_wrong(self, place: int) -> bool:
        """Whether a doubtful cell says something that its column has no use for."""
        name, cell = self.places[place], self.cells[place]
        if cell.casefold() in ENABLED:
            return True
        if name == "sip_username":
            return self._is_possible(place) and POSSIBLE_USERNAME.fullmatch(cell) is None
        if name == "extension":
            return _NUMBER.fullmatch(cell) is None
        return name in ("owner_email", "owner_id", "enabled") or self._is_merged(cell)

    def _is_possible(self, place: int) -> bool:
        """Whether it could be a password that works, or holds one."""
        return POSSIBLE_PASSWORD.fullmatch(self.cells[place]) is not None or self._is_merged(self.cells[place])

    def _has_lost_its_name(self, place: int, *, is_short: bool) -> bool:
        given = self._cell(self.password)
        if _NO_PASSWORD.fullmatch(given) or self._is_merged(self.cells[place], at_least=1 if is_short else 3):
            return True
        if any(earlier < place for earlier in self._doubtful()):
            return True
        return is_short and given != "" and not POSSIBLE_PASSWORD.fullmatch(given)

    def _is_merged(self, cell: str, at_least: int = 3) -> bool:
        """Whether it holds cells that something else separates, as far as the password."""
        return max(map(cell.count, DELIMITERS)) >= max(self.password, at_least)
