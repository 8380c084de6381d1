"""Excel workbooks (.xlsx): the text that each cell of the first sheet shows. Bombs are refused before anything is parsed."""

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import openpyxl
from django.utils.translation import gettext as _
from openpyxl.cell.read_only import EMPTY_CELL

from softphones.imports.columns import MOST_COLUMNS

MOST_UNZIPPED = 20 * 1024 * 1024
MOST_RATIO = 200  # a sheet of text is packed to a tenth or so
RATIO_COUNTS_FROM = 1024 * 1024
MOST_PARTS = 500
MOST_LINES = 50_000
MOST_CELLS = 200_000
MOST_TEXT = 8 * 1024 * 1024  # characters; one long text may stand in the archive once and count in every cell

_ZEROS = re.compile(r"0{2,20}")


class NoWorkbook(Exception):
    """It can't be read; `str()` is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row that holds something: its number in the sheet, its cells, and which of them are wrong: a sentence that quotes
    %(value)s, and that value, which may be a password."""

    number: int
    cells: list[str] = field(repr=False)
    faults: dict[int, tuple[str, str]] = field(repr=False)


def rows(file: bytes, notice: Callable[[str], object]) -> Iterator[SheetRow]:
    """The rows of the first visible sheet. `notice` is told what somebody should know. Raises NoWorkbook."""
    _refuse_bombs(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and the like, which are not read
            found, computed = _read(file, data_only=False, notice=notice), None
            if any(cell.data_type == "f" for _number, cells in found for cell in cells):
                computed = dict(_read(file, data_only=True, notice=None))
    except NoWorkbook:
        raise
    except Exception as error:  # openpyxl lets through whatever a damaged file makes it stumble over
        raise NoWorkbook(_("This workbook is damaged or no .xlsx file. Save it anew as .xlsx, or as CSV.")) from error
    length = 0
    for number, cells in found:
        # A row of nothing but formulas without results is empty when it is read for results.
        results = cells if computed is None else computed.get(number, (EMPTY_CELL,) * len(cells))
        row = _row(number, cells, results)
        length += sum(map(len, row.cells))
        if length > MOST_TEXT:
            raise NoWorkbook(_far_more())
        yield row


def _refuse_bombs(file: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise NoWorkbook(_("This workbook is damaged or cut off. Save it anew as .xlsx, or as CSV.")) from error
    size = sum(part.file_size for part in parts)
    too_dense = size > RATIO_COUNTS_FROM and size > MOST_RATIO * len(file)
    if size > MOST_UNZIPPED or too_dense or len(parts) > MOST_PARTS:
        raise NoWorkbook(_far_more())
    names = {part.filename for part in parts}
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise NoWorkbook(_("This is a zip archive but no Excel workbook. Save the spreadsheet as .xlsx or CSV."))


def _far_more() -> str:
    return _("This workbook unpacks to far more than a list of softphones. Copy the cells into a new one.")


def _read(file: bytes, *, data_only: bool, notice: Callable[[str], object] | None) -> list[tuple[int, tuple]]:
    book = openpyxl.load_workbook(io.BytesIO(file), read_only=True, data_only=data_only, keep_links=False)
    try:
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        if not sheets:
            raise NoWorkbook(_("This workbook has no sheet that can be seen."))
        sheet = sheets[0]
        if notice and len(sheets) > 1:
            notice(_("Only the first sheet was read: %(name)s.") % {"name": sheet.title[:60]})
        sheet.reset_dimensions()  # what the file says of its size may be wrong
        return list(_filled(sheet))
    finally:
        book.close()


def _filled(sheet) -> Iterator[tuple[int, tuple]]:
    previous, size = None, 0
    for number, cells in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS + 1), 1):
        size += sum(cell is not EMPTY_CELL for cell in cells)
        if number > MOST_LINES or size > MOST_CELLS:
            raise NoWorkbook(_("The sheet has far too many rows or cells. Delete the empty ones, and what is not needed."))
        if cells is previous:
            continue  # the stand-in for a row that is not there
        previous = cells
        if any(cell.value not in (None, "") for cell in cells):
            yield number, cells


def _row(number: int, cells: tuple, computed: tuple) -> SheetRow:
    texts, faults = [], {}
    for place, (cell, result) in enumerate(zip(cells, computed, strict=True)):
        fault = _fault(cell, result)
        texts.append("" if fault else _written(result.value, getattr(result, "number_format", None)))
        if fault:
            faults[place] = fault
    while texts and not texts[-1] and len(texts) - 1 not in faults:
        texts.pop()
    return SheetRow(number, texts, faults)


def _fault(cell, result) -> tuple[str, str] | None:
    """What is wrong with a cell, and what it says."""
    value = result.value
    if cell.data_type == "f" and value is None:
        return _("A formula without a result stands here. Write the text itself, or save the file once in Excel."), ""
    if result.data_type == "e":
        return _("The formula here ends in an error (%(value)s). Write the text itself."), str(value)[:20]
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, (date, time, timedelta)):
        return _("Excel made a date or time of this: %(value)s. Format the cell as text, and write it anew."), str(value)
    return None


def _written(value: Any, number_format: str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        # The format that people give a column of extensions to keep its zeros.
        zeros = number_format if number_format and _ZEROS.fullmatch(number_format) else ""
        return str(value).zfill(len(zeros))
    return str(value)
