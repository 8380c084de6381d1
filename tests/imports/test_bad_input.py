"""Files that people, programs and enemies bring: each ends in rows or in sentences, and never in a softphone too many."""

import io
import random
import threading

import openpyxl
import pytest
from django.db import connection
from django.utils import timezone

from softphones import imports
from softphones.imports.columns import NAMES
from softphones.models import Import, Softphone
from tests.factories import make_owner
from tests.imports.conftest import noticed, said, softphones_of, table, verdicts, writes

pytestmark = pytest.mark.django_db(transaction=True)
FORMULA = "=cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\xef\xbb\xbf",
        b"name,extension\n",
        b"\0" * 5000,
        random.Random(1).randbytes(10 * 1024 * 1024),
        b"PK\x03\x04" + random.Random(2).randbytes(1024 * 1024),
        b"name\n" + b"Lobby," * 100_000,
        b",".join(b"column%d" % number for number in range(100_000)) + b"\nLobby\n",
    ],
    ids=["empty", "a mark", "header only", "NULs", "10 MB of noise", "a zip of noise", "100,000 cells", "100,000 columns"],
)
def test_what_is_no_list_can_not_be_started_and_says_why(check, start, file):
    batch = check(file)
    assert said(batch)
    assert all(message.endswith((".", "?")) for _line, _column, message in said(batch))
    with pytest.raises(imports.NotPossible):
        start(batch)
    assert not Softphone.objects.exists()


@pytest.mark.parametrize("column", NAMES)
def test_a_formula_in_any_cell_is_text_or_an_error_and_is_never_written_as_a_formula(check, column):
    cells = {"name": "Lobby"} | {column: FORMULA}
    batch = check(",".join(cells) + "\n" + ",".join(f'"{cell}"' for cell in cells.values()) + "\n")
    if column in ("name", "extension", "caller_id_name"):
        assert (said(batch), batch.rows.get().values[column]) == ([], FORMULA)
    else:
        assert [where for _line, where, _message in said(batch)] == [column]
    [line] = table(imports.marked_up_csv(batch))
    assert line[column] == ("" if column == "sip_password" else f"'{FORMULA}")
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in line.values())


def test_a_formula_in_any_cell_of_a_workbook_is_an_error(check):
    workbook, out = openpyxl.Workbook(), io.BytesIO()
    workbook.active.append(list(NAMES))
    workbook.active.append(['=HYPERLINK("http://evil.example")'] * len(NAMES))
    workbook.save(out)
    assert {where for _line, where, _message in said(check(out.getvalue(), name="phones.xlsx"))} == set(NAMES)


@pytest.mark.parametrize("column", NAMES)
def test_a_nul_in_any_cell_is_an_error_there(check, column):
    cells = {"name": "Lobby"} | {column: "a\0b1234"}
    found = said(check(",".join(cells) + "\n" + ",".join(cells.values()) + "\n"))
    assert {where for _line, where, _message in found} == {column}
    assert "\0" not in str(found)


def test_usernames_that_differ_by_case_only_are_one(check, start, send, sandbox):
    start(check("name,sip_username\nLobby,Lobby_1\nDoor,lOBBY_1\n"), skip_errors=True)
    send()
    assert [device["sip"]["username"] for device in softphones_of(sandbox)] == ["Lobby_1"]
    assert said(check("name,sip_username\nDoor,LOBBY_1\n"))[0][1] == "sip_username"


def test_extension_0042_is_kept_as_text_on_its_way_to_audian(check, start, send, sandbox):
    workbook, out = openpyxl.Workbook(), io.BytesIO()
    workbook.active.append(["name", "extension"])
    workbook.active.append(["A", "0042"])
    workbook.active.append(["B", 43])
    workbook.active["B3"].number_format = "0000"
    workbook.save(out)
    start(check(out.getvalue()))
    start(check("name,extension\nC,0044\n"))
    send()
    assert sorted(d["caller_id"]["internal"]["number"] for d in softphones_of(sandbox)) == ["0042", "0043", "0044"]


def test_an_address_of_two_people_is_an_error_that_names_both(check, account):
    both = [make_owner(account, "Sales@acme.example", name=name) for name in ("Ann", "Bob")]
    [(line, column, message)] = said(check("name,owner_email\nA,sales@ACME.example\n"))
    assert (line, column) == (2, "owner_email")
    assert all(owner.audian_id in message and owner.name in message for owner in both)


def test_the_same_file_from_two_tabs_at_the_same_moment_is_imported_once(account, admin, send, sandbox):
    file = ("name\n" + "".join(f"Phone {number}\n" for number in range(20))).encode()
    ready, imported = threading.Barrier(2, timeout=20), []

    def tab():
        told = {"by": admin, "now": timezone.now()}
        ready.wait()
        batch = imports.check(file=file, name="phones.csv", account=account, **told)
        ready.wait()
        imported.append(imports.start(batch=batch, **told).pk)
        connection.close()

    tabs = [threading.Thread(target=tab) for _tab in range(2)]
    for each in tabs:
        each.start()
    for each in tabs:
        each.join()
    send()
    assert len(imported) == 2
    assert len(set(imported)) == 1
    assert writes(sandbox) == ["PUT"] * 20
    assert Softphone.objects.count() == len(softphones_of(sandbox)) == 20


def test_the_same_file_again_after_mending_three_rows_makes_only_these(check, start, send, sandbox, alice):
    rows = ["A,alice@acme.example,", "B,,", "C,nobody@acme.example,", "D,,four word", "E,,", "n" * 129 + ",,"]
    first = start(check("name,owner_email,sip_password\n" + "\n".join(rows)), skip_errors=True)
    send()
    assert len(softphones_of(sandbox)) == 3
    mended = "".join(imports.result_csv(first)).replace("nobody@acme.example", "").replace("n" * 129, "F")
    second = check(mended, name="result.csv")
    assert (second.will, second.exists, said(second)) == (3, 3, [])
    start(second)
    send()
    assert sorted(device["name"] for device in softphones_of(sandbox)) == ["A", "B", "C", "D", "E", "F"]
    assert verdicts(check(mended)) == ["exists"] * 6


def test_rows_with_too_many_or_too_few_cells(check):
    batch = check("name,extension,enabled\nA,1,yes,more\nB\nC,3,yes,,\n")
    assert [(line, column) for line, column, _message in said(batch)] == [(2, None)]
    assert "extension, enabled" in str(noticed(batch))
    assert verdicts(batch) == ["error", "will_create", "will_create"]


def test_only_the_unfinished_import_of_a_file_is_found_again(check, start, send):
    first = start(check("name\nLobby\n"))
    assert check("name\nLobby\n") == first
    send()
    assert check("name\nLobby\n") != first
    assert Import.objects.count() == 2


def test_a_marked_up_file_that_nobody_mended_has_the_same_errors_and_says_which_passwords_are_new(check):
    bad = "name,extension,sip_password\nLobby,1,,x,,z\nHall,2,abc\nDoor,3,a-long-enough-word\nRoof,#REF!,\n"
    batch = check(bad)
    assert verdicts(batch) == ["error", "error", "will_create", "error"]
    marked = "".join(imports.marked_up_csv(batch))
    lobby, hall, _door, roof = table([marked])
    assert lobby["message"].startswith("Line 2: This row has 6 cells")
    assert lobby[None] == ["…", "", "…"], "one of them may be a password"
    assert hall["message"].startswith("Line 3: sip_password: The password has 3 characters")
    assert (roof["extension"], roof["message"][:18]) == ("#REF!", "Line 5: extension:")
    assert "a-long-enough-word" not in marked
    again = check(marked, name="result.csv")
    assert verdicts(again) == ["error", "will_create", "will_create", "error"]
    for line in (3, 4):
        assert [message for at, column, message in noticed(again) if (at, column) == (line, "sip_password")] == [
            "It had a password, which no result file holds. Write it in again, or a strong one is made."
        ]
    mended = marked.replace(',"…","","…"', "").replace("#REF!", "4")
    assert verdicts(check(mended, name="result.csv")) == ["will_create"] * 4


def test_surplus_cells_of_a_file_without_passwords_come_back_as_they_are(check):
    [row] = table(imports.marked_up_csv(check("name,extension\nLobby,1,=2\n")))
    assert row[None] == ["'=2"]


def test_a_cell_of_a_workbook_that_could_not_be_read_is_wrong_in_the_marked_up_file_too(check):
    workbook, out = openpyxl.Workbook(), io.BytesIO()
    workbook.active.append(["name", "extension"])
    workbook.active.append(["Lobby", "=1+1"])
    workbook.save(out)
    marked = "".join(imports.marked_up_csv(check(out.getvalue(), name="phones.xlsx")))
    assert "#VALUE!" in marked
    assert [(line, column) for line, column, _message in said(check(marked, name="result.csv"))] == [(2, "extension")]
