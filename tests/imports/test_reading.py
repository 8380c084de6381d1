"""Files as people save them: whatever they hold ends in rows, or in a sentence."""

import csv
import datetime
import io
import random
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softphones import spreadsheets
from softphones.imports.reading import MOST_ROWS, read, trimmed

PLAIN = "name,extension\nJosé,0042\n"


def cells(file: bytes) -> list[tuple[int, dict]]:
    table = read(file)
    assert table.problems == []
    return [(row.line, row.cells) for row in table.rows]


def problem(file: bytes) -> str:
    [found] = read(file).problems
    return found.message


def book(*rows, **formats) -> bytes:
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    for cell, number_format in formats.items():
        workbook.active[cell].number_format = number_format
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings(encoding):
    file = PLAIN.encode(encoding)
    if encoding == "utf-16-le":
        file = b"\xff\xfe" + file
    assert cells(file) == [(2, {"name": "José", "extension": "0042"})]
    assert len(read(file).notices) == (encoding == "cp1252")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(delimiter):
    assert cells(PLAIN.replace(",", delimiter).encode()) == [(2, {"name": "José", "extension": "0042"})]


def test_a_line_that_names_the_delimiter_is_no_header():
    assert cells(b"sep=;\r\nname;extension\r\nLobby;1,5\r\n") == [(3, {"name": "Lobby", "extension": "1,5"})]


def test_a_row_is_where_it_starts():
    file = b'\nname,extension\n"Two\nlines",1\n\n,,\nLobby,2\n'
    assert [line for line, _cells in cells(file)] == [3, 7]


def test_a_header_is_matched_without_case_and_spaces():
    [(_line, row)] = cells("\u00a0NAME ;Owner E-Mail;Caller ID  name\nLobby;a@b.c;x\n".encode())
    assert list(row) == ["name", "owner_email", "caller_id_name"]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("name,emial", "owner_email"),
        ("name,sip user name,extention", "Did you mean extension"),
        ("name,Name", "twice"),
        ("extension", "name is missing"),
    ],
)
def test_a_header_that_is_not_understood_says_what_is_meant(header, says):
    assert says in " ".join(found.message for found in read(f"{header}\nx\n".encode()).problems)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"", "empty"),
        (b" \r\n\r\n", "empty"),
        (b"name,extension\n\n", "no rows: there is nothing below the header. Write one for each softphone."),
        (b"x" * 3_000_000, "MB"),
        (b"name\n" + b"a\n" * (MOST_ROWS + 1), "5000 rows"),
        (b'name\n"Lobby\n', "quotation"),
        (b"name\n" + b'"' + b"a" * 200_000 + b'"\n', "too long"),
        (b"name," * 100_000 + b"\nx\n", "100001 columns"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 100, "old or a locked"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"PK\x03\x04 cut off", "damaged"),
        (b"\xef\xbb\xbfname\n\xff\xff", "damaged"),
        ("name\nJosé".encode("utf-16-le"), "not a text file"),
        (b"\x81\x8d\x8f" * 100, "neither"),
    ],
)
def test_what_is_no_list_of_softphones_is_a_sentence(file, says):
    assert says in problem(file)


def test_rows_with_too_many_cells_are_wrong_and_with_too_few_are_noticed():
    long, short = read(b"name,extension\nLobby,1,2\nDoor\n").rows
    assert "3 cells" in long.problems[0].message
    assert short.problems == []
    assert "extension" in short.notices[0].message


def test_a_workbook_gives_digits_as_they_are_shown():
    file = book(["Name", "Extension", "Enabled"], ["a", 1001, True], ["b", "0042"], ["c", 1003.0], B4="00000")
    found = [(row["name"], row["extension"], row["enabled"]) for _line, row in cells(file)]
    assert found == [("a", "1001", "true"), ("b", "0042", ""), ("c", "01003", "")]


def test_a_formula_without_a_result_is_wrong_in_its_cell():
    [row] = read(book(["name", "extension"], ["Lobby", "=1+1"])).rows
    [found] = row.problems
    assert (found.line, found.column) == (2, "extension")
    assert "formula" in found.message


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.datetime.fromisoformat("2026-01-02 10:11"), "2026-01-02 10:11:00"),
        (datetime.time(10, 11), "10:11:00"),
    ],
)
def test_a_date_or_time_is_wrong_in_its_cell_and_quoted(value, shown):
    [row] = read(book(["name", "extension"], ["Lobby", value])).rows
    [found] = row.problems
    assert (found.line, found.column) == (2, "extension")
    assert found.message == f"Excel made a date or time of this: {shown}. Format the cell as text, and write it anew."


def test_a_workbook_bomb_is_refused_before_it_is_unpacked():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"<row/>" * 10_000_000)
    assert len(out.getvalue()) < 500_000
    assert "unpacks to far more" in problem(out.getvalue())


def test_entities_in_a_workbook_are_refused():
    source = zipfile.ZipFile(io.BytesIO(book(["name"], ["Lobby"])))
    out = io.BytesIO()
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><workbook>&b;</workbook>'
    with zipfile.ZipFile(out, "w") as archive:
        for part in source.infolist():
            archive.writestr(part.filename, bomb if part.filename == "xl/workbook.xml" else source.read(part))
    assert "damaged" in problem(out.getvalue())


def test_a_workbook_that_goes_on_for_ever_is_refused():
    workbook = openpyxl.Workbook()
    workbook.active.append(["name"])
    workbook.active["A1000000"] = "Lobby"
    out = io.BytesIO()
    workbook.save(out)
    assert "far too many rows" in problem(out.getvalue())


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRINGS = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"


def rewritten(rows: str, text: str) -> bytes:
    """A workbook of which the sheet has these rows; `text` is the one text that its cells share. Not dense at all."""
    source = zipfile.ZipFile(io.BytesIO(book(["name"], ["Lobby"])))
    parts = {part.filename: source.read(part) for part in source.infolist()}
    shared = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{STRINGS}"/></Types>'.encode()
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"</Types>", shared)
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}"><si><t>{text}</t></si></sst>'.encode()
    parts["xl/worksheets/sheet1.xml"] = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode()
    parts["xl/media/noise"] = random.Random(1).randbytes(1_000_000)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_one_long_text_in_every_cell_is_refused():
    rows = '<row><c t="inlineStr"><is><t>name</t></is></c></row>' + '<row><c t="s"><v>0</v></c></row>' * 1000
    assert len(cells(rewritten(rows, "Lobby"))) == 1000
    assert "unpacks to far more" in problem(rewritten(rows, "a" * 100_000))


def test_a_sheet_full_of_cells_is_refused():
    assert "far too many rows or cells" in problem(rewritten(f"<row>{'<c/>' * 100}</row>" * 2050, "name"))


def test_an_apostrophe_comes_off_only_where_it_makes_something_safe():
    assert [trimmed(text) for text in ("'=cmd|x", "'t Hooft", "'-1", "''=", " x\u00a0")] == [
        "=cmd|x",
        "'t Hooft",
        "-1",
        "''=",
        "x",
    ]


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_fail(file):
    table = read(file)
    assert table.rows or table.problems


@given(st.binary(max_size=300))
def test_no_damage_to_a_workbook_makes_the_reader_fail(noise):
    file = bytearray(book(["name"], ["Lobby"]))
    file[200 : 200 + len(noise)] = noise
    table = read(bytes(file))
    assert table.rows or table.problems


FULL = {
    "name": "Lobby",
    "owner_email": "alice@acme.example",
    "owner_id": "f" * 32,
    "extension": "1001",
    "caller_id_name": "Front desk",
    "sip_username": "lobby.1",
    "sip_password": "s3cret-Word-77",
    "enabled": "yes",
}


@given(st.permutations(list(FULL)), st.sampled_from([name for name in FULL if name not in ("name", "sip_password")]))
def test_a_cell_left_out_tells_no_password_whatever_the_order_of_the_columns(order, lost):
    assert_no_password_is_told(order, [FULL[name] for name in order if name != lost])


@given(st.permutations(list(FULL)), st.sampled_from(list(FULL)), st.integers(0, 8))
def test_a_comma_too_many_tells_no_password_whatever_the_order_of_the_columns(order, torn, empty):
    row = [FULL[name] for name in order]
    row[order.index(torn) : order.index(torn) + 1] = ["Smith", "Johnny"] if torn != "sip_password" else ["", FULL[torn]]
    assert_no_password_is_told(order, row)
    assert_no_password_is_told(order, [*row, *[""] * empty])


def assert_no_password_is_told(header: list[str], cells: list[str]) -> None:
    [row] = read(f"{','.join(header)}\n{','.join(cells)}\n".encode()).rows
    told = {name: text for name, text in row.cells.items() if name != "sip_password"}
    assert FULL["sip_password"] not in str([told, row.problems, row.notices])
    assert row.is_slipped or row.cells["sip_password"] == FULL["sip_password"]


_text = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)


@given(
    st.lists(st.tuples(_text.filter(lambda text: trimmed(text) and not text.startswith("'")), _text), min_size=1, max_size=5)
)
def test_what_the_portal_writes_it_reads_again(rows):
    clean = [(trimmed(name), trimmed(number)) for name, number in rows]
    clean = [(name, number) for name, number in clean if not name.startswith("'") and not number.startswith("'")]
    file = "".join(spreadsheets.lines(["name", "extension"], clean)).encode()
    found = [(row.cells["name"], row.cells["extension"]) for row in read(file).rows]
    assert found == [row for row in clean if any(row)]


@given(st.lists(st.lists(_text, min_size=2, max_size=2), min_size=1, max_size=4), st.sampled_from([",", ";", "\t"]))
def test_lines_are_counted_as_they_stand_in_the_file(rows, delimiter):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["name", "extension"])
    for name, number in rows:
        writer.writerow([f"x\n{name}", number])
    assert [row.line for row in read(out.getvalue().encode()).rows] == [2 + 2 * place for place in range(len(rows))]
