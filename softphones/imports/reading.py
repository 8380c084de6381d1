"""A file, as somebody saved it -> rows of text with the lines they start on. Whatever is wrong with it ends in a sentence."""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from softphones import spreadsheets
from softphones.imports import slips
from softphones.imports.columns import NAMES, PASSWORD, STATUSES, SURPLUS, Problem, known, match, shortened

if TYPE_CHECKING:
    from softphones.imports.workbook import SheetRow

MOST_BYTES = 2 * 1024 * 1024
MOST_ROWS = 5000

_PEOPLE = ("owner_email", "owner_id")
_BLANK = " \t\r\n\f\v\u00a0\u202f\u2007\u200b\ufeff"
_FOREIGN = (
    (b"%PDF", "PDF"),
    (b"{\\rtf", "RTF"),
    (b"\x89PNG", "PNG"),
    (b"\x1f\x8b", "gzip"),
    (b"<!DOCTYPE", "HTML"),
    (b"<html", "HTML"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `line` is where it starts, `cells` what it says (column -> text), as far as `problems` let it be read.

    `is_slipped`: its cells stand under other columns, so that nothing can be said of them; what may be a password is hidden.
    """

    line: int
    cells: dict[str, str] = field(repr=False)
    problems: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)
    is_slipped: bool = False


@dataclass(slots=True)
class Table:
    """What a file says. `problems` are of the whole file: with one of them there may be no rows, or not all."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)
    count: int = 0  # rows that hold something, also where the header could not be understood


class Unreadable(Exception):
    """The file is nothing that can be read; `str()` is a sentence. `line` is where, 1 for the whole file."""

    def __init__(self, sentence: str, line: int = 1) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    cells: list[str]
    faults: dict[int, tuple[str, str]] = field(default_factory=dict)  # position -> what is wrong with that cell, its value
    is_padded: bool = False  # empty cells at its end were never written


def nobody(texts: Set[str]) -> Set[str]:
    """Knows none of these addresses and ids."""
    return frozenset()


def read(file: bytes, *, most_bytes: int | None = MOST_BYTES, people: Callable[[Set[str]], Set[str]] = nobody) -> Table:
    """The rows of a CSV file or an Excel workbook. Never raises for what is wrong with the file.

    `people`: what the columns for addresses and ids hold -> which of it is told in a file with passwords, since somebody at
    Audian has it, or could (folded).
    """
    table = Table()
    lines: list[_Line] = []
    try:
        if most_bytes is not None and len(file) > most_bytes:
            raise Unreadable(too_large(len(file)))
        for line in _lines(file, table):
            lines.append(line)
            if len(lines) > MOST_ROWS + 1:
                raise Unreadable(_("The file has more than %(most)d rows. Split it.") % {"most": MOST_ROWS})
    except Unreadable as error:
        table.problems.append(Problem(error.line, None, str(error)))
    table.count = max(len(lines) - 1, 0)
    if not lines:
        table.problems = table.problems or [Problem(1, None, _("The file is empty. Start with the template."))]
        return table
    _understand(lines[0], lines[1:], table, people)
    return table


def too_large(size: int) -> str:
    """What is said of a file with so many bytes."""
    megabytes = {"size": f"{size / 1024 / 1024:.1f}", "most": MOST_BYTES // 1024 // 1024}
    return _("The file has %(size)s MB; at most %(most)d MB are read. Split it.") % megabytes


def trimmed(text: str) -> str:
    """Without blanks around it, and without the apostrophe that makes a formula safe in a file of ours."""
    text = text.strip(_BLANK)
    return text[1:] if text[:1] == "'" and text[1:2] in spreadsheets.DANGEROUS else text


def _understand(header: _Line, lines: list[_Line], table: Table, people: Callable[[Set[str]], Set[str]]) -> None:
    titles = [title.strip(_BLANK) for title in header.cells]
    used = {place for line in lines for place, cell in enumerate(line.cells) if cell.strip(_BLANK)}
    places, problems = match(titles, used, header.number)
    table.problems += problems
    if not lines and not table.problems:
        text = _("The file has no rows: there is nothing below the header. Write one for each softphone.")
        table.problems.append(Problem(header.number, None, text))
    if problems:
        return
    named = {trimmed(text) for line in lines for place, text in enumerate(line.cells) if places.get(place) in _PEOPLE}
    told = people(named) if PASSWORD in places.values() else nobody(named)
    table.rows = [_row(line, places, len(titles), told) for line in lines]
    hides = any(slips.HIDDEN in row.cells.values() for row in table.rows)
    if hides and not any(row.cells[PASSWORD] for row in table.rows if PASSWORD in row.cells):
        text = _("The column sip_password is empty. If the file has no passwords, remove it: then no cell is shown as “…”.")
        table.notices.append(Problem(header.number, PASSWORD, text))


def _row(line: _Line, places: dict[int, str], width: int, told: Set[str]) -> Row:
    texts = [trimmed(cell) for cell in line.cells]
    slip = slips.find(texts, places, width, is_padded=line.is_padded, known=told)
    cells = {name: _kept(name, texts[place] if place < len(texts) else "") for place, name in places.items()}
    cells |= dict.fromkeys(slip.hidden, slips.HIDDEN)
    has_surplus = any(texts[width:])
    if has_surplus:
        cells[SURPLUS] = _surplus(texts[width:], hides=PASSWORD in cells)
    if slip.is_miscounted:
        text = _too_many_or_few(line, width, tuple(slip.hidden), has_surplus=has_surplus)
        return Row(line.number, cells, [Problem(line.number, None, text)], is_slipped=True)
    problems = [_fault(line, place, places) for place in line.faults if place in places]
    problems += [Problem(line.number, column, why) for column, why in slip.hidden.items()]
    notices = []
    if has_surplus:
        problems.append(Problem(line.number, None, _miscounted(line, width)))
    elif len(texts) < width and not line.is_padded:
        missing = [name for place, name in places.items() if place >= len(texts)]
        if missing:
            text = _("This row ends early: %(columns)s counts as empty.")
            notices.append(Problem(line.number, None, text % {"columns": ", ".join(missing)}))
    return Row(line.number, cells, problems, notices)


def _kept(name: str, text: str) -> str:
    """Of what a result file has besides only what is read again: a password may have slipped there too."""
    if name in NAMES:
        return text
    kept = {"status": STATUSES, "message": (PASSWORD,)}.get(name, ())
    return next((word for word in kept if word in text), "")


def _fault(line: _Line, place: int, places: dict[int, str]) -> Problem:
    text, value = line.faults[place]
    hides = PASSWORD in places.values() and slips.may_be_password(value)
    return Problem(line.number, places[place], text % {"value": slips.HIDDEN if hides else shortened(value)})


def _miscounted(line: _Line, width: int) -> str:
    text = ngettext(
        "This row has %(cells)d cell, but the header names %(width)d columns. Check its quotes and separators.",
        "This row has %(cells)d cells, but the header names %(width)d columns. Check its quotes and separators.",
        len(line.cells),
    )
    return text % {"cells": len(line.cells), "width": width}


def _too_many_or_few(line: _Line, width: int, hidden: tuple[str, ...], *, has_surplus: bool) -> str:
    told = ", ".join([*hidden, *([_("what stands behind the last column")] if has_surplus else [])])
    text = _("Its sip_password may be among these, so they are shown as “…”; type them again: %(cells)s.")
    return f"{_miscounted(line, width)} {text % {'cells': told}}"


def _surplus(cells: list[str], *, hides: bool) -> str:
    """The cells behind the last column. One of them may be a password that slipped there, if the file has any: hidden."""
    kept = list(cells)
    while not kept[-1]:
        kept.pop()
    return "\t".join("…" if hides and cell else cell for cell in kept)


def _lines(file: bytes, table: Table) -> Iterator[_Line]:
    """The lines that hold something."""
    if not file.strip():
        return
    if file.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        for row in _workbook(file, table):
            yield _Line(row.number, row.cells, row.faults, is_padded=True)
        return
    if file.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable(_("This is an old or a locked Excel file. Save it as .xlsx without a password, or as CSV."))
    for start, kind in _FOREIGN:
        if file[:20].lstrip().upper().startswith(start.upper()):
            raise Unreadable(_("This is a %(kind)s file, not a spreadsheet. Save it as .xlsx or CSV.") % {"kind": kind})
    for line in _csv(_text(file, table)):
        if any(cell.strip(_BLANK) for cell in line.cells):
            yield line


def _workbook(file: bytes, table: Table) -> Iterator["SheetRow"]:
    # Every process of the portal would load what reads workbooks, and hardly any ever opens one.
    from softphones.imports import workbook

    try:
        yield from workbook.rows(file, lambda sentence: table.notices.append(Problem(1, None, sentence)))
    except workbook.NoWorkbook as error:
        raise Unreadable(str(error)) from error


def _text(file: bytes, table: Table) -> str:
    text = _decoded(file, table)
    if text[:1000].count("\0") > 2:
        raise Unreadable(_("This is not a text file. Save the spreadsheet as “CSV UTF-8” or as .xlsx."))
    return text


def _decoded(file: bytes, table: Table) -> str:
    encoding = "utf-8"
    if file.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    elif file.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        return file.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            sentence = _("The file says that it is %(encoding)s, but it is damaged. Save it anew as “CSV UTF-8”.")
            raise Unreadable(sentence % {"encoding": encoding.removesuffix("-sig").upper()}) from error
    try:
        text = file.decode("cp1252")
    except UnicodeDecodeError as error:
        raise Unreadable(_("This is neither UTF-8 nor Windows text. Save the file as “CSV UTF-8” or as .xlsx.")) from error
    notice = _("The file is not UTF-8; it was read as Windows-1252. Check that names with accents are right.")
    table.notices.append(Problem(1, None, notice))
    return text


def _csv(text: str) -> Iterator[_Line]:
    text, skipped, delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        number = skipped + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Unreadable(_broken(str(error)), number) from error
        yield _Line(number, cells)


def _broken(error: str) -> str:
    if "field larger" in error:
        return _('A cell that starts here is far too long. Perhaps a quotation mark (") is not closed.')
    return _('The quotation marks (") in this row don’t match. Close them, and write "" for one inside of a cell.')


def _delimiter(text: str) -> tuple[str, int, str]:
    """The text behind a line of Excel's that names the delimiter, how many lines that skips, and the delimiter."""
    first, _newline, rest = text.partition("\n")
    said = first.strip().lower()
    if said in ("sep=,", "sep=;"):
        return rest, 1, said[4]
    if said == "sep=" and "\t" in first:
        return rest, 1, "\t"
    header = next((line for line in io.StringIO(text[:100_000]) if line.strip(_BLANK + slips.DELIMITERS)), "")
    best = max(slips.DELIMITERS, key=lambda delimiter: (known(_split(header, delimiter)), header.count(delimiter)))
    return text, 0, best


def _split(header: str, delimiter: str) -> list[str]:
    return [title.strip(_BLANK + '"') for title in header.split(delimiter)]
