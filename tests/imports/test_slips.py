"""A comma too many, a cell left out, a header forgotten: a password stands where nobody expects it, and is told nowhere."""

import datetime
import io

import openpyxl
import pytest

from softphones import imports
from tests.imports.conftest import everything_stored, noticed, said, table, verdicts

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "name,owner_email,owner_id,extension,caller_id_name,sip_username,sip_password,enabled"
RESULT = f"{HEADER},status,device_id,message"
SLIPPED = "s3cret-Word-77"
#: Header and rows by which a password came to stand under another column.
SLIPS = {
    "a comma in a name": (HEADER, f"Smith, John,,,1001,John,john.1,{SLIPPED},yes"),
    "two commas in a name": (HEADER, f"Smith, John, Dr.,,,1001,John,john.1,{SLIPPED},yes"),
    "a comma in a name, and nothing behind the password": (HEADER, f"Smith, John,,,1001,John,john.1,{SLIPPED}"),
    "and no username": (HEADER, f"Smith, John,,,1001,John,,{SLIPPED}"),
    "and an empty cell behind it": (HEADER, f"Smith, John,,,1001,John,john.1,{SLIPPED},"),
    "into a column of any text": ("name,enabled,sip_password,extension", f"Smith, John,yes,{SLIPPED},"),
    "into one of any text, with as many cells": ("name,sip_password,caller_id_name", f"Smith, Al,{SLIPPED}"),
    "into the address": ("name,sip_password,owner_email", f"Smith, John,{SLIPPED},john@acme.example"),
    "into the address, with as many cells": ("name,sip_password,owner_email", f"Smith, Johnny,{SLIPPED}"),
    "a cell left out": (HEADER, f"Lobby,,1001,Lobby,lobby.1,{SLIPPED},yes"),
    "two cells left out": (HEADER, f"Lobby,1001,Lobby,lobby.1,{SLIPPED},yes"),
    "all cells between left out": (HEADER, f"Lobby,{SLIPPED}"),
    "a cell left out, and one more at the end": (HEADER, f"Lobby,,1001,Lobby,lobby.1,{SLIPPED},yes,"),
    "two left out, and two at the end": (HEADER, f"Lobby,1001,Lobby,lobby.1,{SLIPPED},yes,,"),
    "the name left out": ("name,sip_password,extension", f"{SLIPPED},1001"),
    "the name left out before a text": ("name,sip_password,caller_id_name", f"{SLIPPED},Front desk"),
    "the name left out, with as many cells": ("name,sip_password,enabled", f"{SLIPPED},yes,"),
    "into the username": (HEADER, f"Lobby,,,1001,Lobby,{SLIPPED}!,,"),
    "into the extension": ("name,extension,sip_password", f"Lobby,{SLIPPED},"),
    "another delimiter": (HEADER, f"Lobby;;;1001;Lobby;lobby.1;{SLIPPED};yes"),
    "tabs under a header with commas": (HEADER, f"Smith, John\t\t\t1001\tJohn\tjohn.1\t{SLIPPED}\tyes"),
    "all of a row in one cell": (HEADER, f'"Lobby,,,1001,Lobby,lobby.1,{SLIPPED},yes"'),
    "all of a row in its first cell": (HEADER, f'"Lobby,,,1001,Lobby,lobby.1,{SLIPPED},yes",,,,,,,'),
    "a few of a row in one cell": ("name,owner_email,sip_password", f'"Lobby,,{SLIPPED},",,'),
    "typed as the address": (HEADER, f"Lobby,{SLIPPED},,1001,Lobby,lobby.1,,yes"),
    "typed as the id": (HEADER, f"Lobby,,{SLIPPED},1001,Lobby,lobby.1,,yes"),
    "swapped with the extension": (HEADER, f"Lobby,,,{SLIPPED},Lobby,lobby.1,1001,yes"),
    "swapped with a longer extension": (HEADER, f"Lobby,,,{SLIPPED},Lobby,lobby.1,10001,yes"),
    "swapped with yes": (HEADER, f"Lobby,,,1001,Lobby,lobby.1,yes,{SLIPPED}"),
    "a cell left out, and a remark at the end": (HEADER, f"Lobby,,1001,Lobby,lobby.1,{SLIPPED},yes,see Bob"),
    "a cell left out, and a remark behind the end": (HEADER, f"Lobby,,1001,Lobby,lobby.1,{SLIPPED},yes,see,Bob"),
    "a cell left out, and one too many before the last": (HEADER, f"Lobby,,1001,Lobby,lobby.1,{SLIPPED},,yes"),
    "a cell left out, and no password by a word for yes": (HEADER, f"Lobby,,,,Lobby,{SLIPPED},ja,"),
    "a cell left out, and a false for a password": (HEADER, f"Lobby,,,,Lobby,{SLIPPED},false,"),
    "a cell left out, and no real word for yes": (HEADER, f"Lobby,,1001,Lobby,lobby.1,{SLIPPED},jawohl,"),
    "two left out, and the rest plausible": (HEADER, f"Lobby,,Lobby,lobby.1,{SLIPPED},,,"),
    "two left out, and nothing but a yes tells": ("name,caller_id_name,sip_password,enabled", f"{SLIPPED},yes,,"),
    "a yes under the username": (HEADER, f"Lobby,,,,{SLIPPED},yes,,"),
    "a yes under the caller id": (HEADER, f"Lobby,,,{SLIPPED},yes,,long-enough,"),
    "the name and all between left out": (HEADER, f"{SLIPPED},yes,,,,,,"),
    "an odd extension under the id": (HEADER, f"Lobby,,x1001,,,{SLIPPED},,"),
    "the name left out before a text, with as many cells": ("name,sip_password,caller_id_name", f"{SLIPPED},Front desk,"),
    "a name in front": ("caller_id_name,name,sip_password", f"Lobby desk,{SLIPPED}"),
    "the name left out before a remark": ("name,sip_password,extension", f"{SLIPPED},see Bob"),
    "typed as the extension, with a yes for a password": (HEADER, f"Lobby,,,{SLIPPED},Lobby,lobby.1,yes,"),
    "a username under the extension": (HEADER, f"Lobby,,,lobby.1,{SLIPPED},,,"),
    "a short name, and two cells missing": (HEADER, f"Hall,,,1001,{SLIPPED}"),
    "a comma in a name, before a text": ("name,sip_password,caller_id_name", f"Smith, Johnny,{SLIPPED},Front desk"),
    "a comma in a text, before the name": ("caller_id_name,sip_password,name", f"Al, Johnny,{SLIPPED},Lobby"),
    "an id under the extension": ("name,caller_id_name,extension,sip_password,owner_id", f"Hall,{SLIPPED},{'f' * 32},,"),
    "two of a row in one cell": ("name,sip_password", f"Lobby;{SLIPPED}"),
    "all of a row in a cell of any text": ("caller_id_name,sip_password,enabled,name", f"Desk;{SLIPPED};yes;Hall,,,"),
    "a result file, a cell left out": (RESULT, f"Lobby,,1001,Lobby,lobby.1,{SLIPPED},yes,,error,,x"),
    "a result file, two left out": (RESULT, f"Lobby,1001,Lobby,lobby.1,{SLIPPED},yes,,,error,,x"),
    "a result file, too few cells": (RESULT, f"Lobby,,,1001,{SLIPPED}"),
    "a result file, into the status": (RESULT, f"Smith, John, Dr.,,,1001,John,john.1,{SLIPPED},yes,error,,x"),
    "a result file, into the id of the device": (RESULT, f"Smith, John, Dr., h.c.,,,1001,John,john.1,{SLIPPED},yes,error"),
    "a result file, into the message": (RESULT, f"a,b,c,d,,,1001,John,john.1,,{SLIPPED},yes,error"),
}
#: What nobody would take for a password at first sight.
ODD = {
    "signs": (HEADER, "Lobby,,,1001,Lobby,{},,yes", "s3cret!Word"),
    "signs, swapped with the username": (HEADER, "Lobby,,,1001,Lobby,{},lobby.1,yes", "s3cret!Word"),
    "an address": (HEADER, "Lobby,{}", "P@ssw0rd.77"),
    "an address, in a row of full length": (HEADER, "Lobby,{},,1001,,,,", "P@ssw0rd.net"),
    "an address behind a comma too many": ("name,sip_password,owner_email", "Smith, John,{},john@acme.example", "P@ssw0rd.77"),
    "an id": ("name,owner_id,sip_password", "Lobby,{}", "5f4dcc3b5aa765d61d8327deb882cf99"),
    "an id, in a row of full length": (HEADER, "Lobby,,{},1001,,,,", "5f4dcc3b5aa765d61d8327deb882cf99"),
    "spaces": (HEADER, "Lobby,,1001,Lobby,lobby.1,{},yes,", "correct horse 1"),
    "spaces, one column too early": (HEADER, "Lobby,,,1001,Lobby,{},,yes", "correct horse 1"),
    "spaces and a digit, in the extension": ("name,extension,sip_password", "Lobby,{},", "correct horse 1"),
    "an umlaut": (HEADER, "Lobby,,1001,Lobby,lobby.1,{},yes,", "pässwort!1"),
    "far too long": (HEADER, "Lobby,,1001,Lobby,lobby.1,{},yes,", SLIPPED * 3),
    "far too long, in the caller id": (HEADER, "Lobby,,,1001,{},lobby.1,,", SLIPPED * 3),
    "far too long, in the extension beside a password": (HEADER, "Lobby,,,{},Lobby,lobby.1,long-enough,", SLIPPED * 3),
    "a character that can't be seen, in the caller id": (HEADER, "Lobby,,,1001,{},lobby.1,,", "s3cret\x07Word"),
    "a word and a number, in the extension": ("name,extension,sip_password", "Lobby,{},", "horse 77"),
    "none, before an address that is known": (
        "name,caller_id_name,owner_id,sip_password,owner_email",
        "Hall,{},alice@acme.example,,",
        SLIPPED,
    ),
    "a word for on or off": (HEADER, "Lobby,,,1001,Lobby,lobby.1,,{}", "jawohl"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_password_is_told_nowhere_when_cells_slipped(check, slip):
    header, row = SLIPS[slip]
    batch = check(f"{header}\n{row}\n", name="")
    assert verdicts(batch) == ["error"]
    assert SLIPPED not in batch.name
    assert SLIPPED not in "".join(imports.result_csv(batch))
    assert SLIPPED not in str(list(batch.rows.values("problems", "notices", "cells")))
    assert SLIPPED not in everything_stored()


@pytest.mark.parametrize("odd", ODD)
def test_nor_is_one_told_that_looks_like_none(check, alice, odd):
    header, row, password = ODD[odd]
    batch = check(f"{header}\n{row.format(password)}\n", name="")
    assert verdicts(batch) == ["error"]
    told = "".join([*imports.result_csv(batch), str(list(batch.rows.values("problems", "notices", "cells"))), batch.name])
    assert password[:6] not in told + everything_stored()


@pytest.mark.parametrize(
    "row",
    [
        "Lobby",
        '"Smith, John",,,,,,,',
        "Lobby,alice@acme.example",
        "Lobby,,,1001",
        "Lobby,,,,,,a-long-enough-word",
        "Lobby,alice@acme.example,,1001,Alice,alice.1,a-long-enough-word,yes",
        "Lobby,,,10001,The lobby,lobby.1,,",
        "Lobby,,,,,,P@ss.w0rd,",
        "Lobby,,,ext 1001,Front desk,lobby.1,,",
        "Lobby,,,+49 30 1234-56,Front desk,lobby.1,,",
        "Lobby,,,1E+05,Front desk,lobby.1,,",
        "Lobby,,,x1001,Front desk,lobby.1,a-long-enough-word,yes",
        "Lobby,,,1001,Hall",
        '"Smith, J., Dr., h.c.",,,,,,,',
        "Lobby,ALICE@acme.example,,,,,,yes",
    ],
)
def test_a_row_of_which_nothing_slipped_is_as_it_is(check, alice, row):
    batch = check(f"{HEADER}\n{row}\n")
    assert said(batch) == []
    assert "…" not in batch.rows.get().cells


@pytest.mark.parametrize(
    ("header", "row"), [(RESULT, "Hall,,,1002,Front desk,hall.1,,"), ("name,sip_password", '"Smith, John",')]
)
def test_nor_is_anything_hidden_under_other_headers(check, header, row):
    batch = check(f"{header}\n{row}\n")
    assert said(batch) == []
    assert "…" not in batch.rows.get().cells


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        ("Lobby,nobody@acme.example,,,,,a-long-enough-word,", "owner_email", "nobody@acme.example"),
        ("Lobby,nobody@ACME.example,,1001,Front desk,lobby.1,,", "owner_email", "nobody@ACME.example"),
        ("Lobby,nobody@acme.example", "owner_email", "nobody@acme.example"),
        ("Lobby,Bob,,1001,Front desk,lobby.1,,", "owner_email", "Bob"),
        ("Lobby,Bob,,,Front desk,lobby.1,,", "owner_email", "Bob"),
        ("Lobby,,1001,,,,a-long-enough-word,yes", "owner_id", "1001"),
        ("Lobby,12,,1001,Front desk,lobby.1,,", "owner_email", "12"),
        ("Lobby,12,,10001,,,,", "owner_email", "12"),
        ("Lobby,,,1001,Front desk,l 1,,", "sip_username", "l 1"),
        ("Lobby,,,,,,,nein", "enabled", "nein"),
        ("Lobby,,,,,,,#REF!", "enabled", "#REF!"),
        ("Lobby,,,,#VALUE!,lobby.1,,", "caller_id_name", "#VALUE!"),
        ("Lobby,…,,1001,Front desk,lobby.1,,", "owner_email", "…"),
        ("Lobby,,…,,Front desk,,,", "owner_id", "…"),
        ("Lobby,,#REF!,,Front desk,,,", "owner_id", "#REF!"),
    ],
)
def test_a_wrong_cell_that_can_be_no_password_is_quoted_and_hides_nothing(check, alice, row, column, value):
    batch = check(f"{HEADER}\n{row}\n")
    found = [(where, message) for _line, where, message in said(batch) if "ends early" not in message]
    assert {where for where, _message in found} == {column}
    assert all(f"“{value}”" in message for _where, message in found)
    assert [*batch.rows.get().values.values()].count("…") == (value == "…")


@pytest.mark.parametrize(
    ("row", "hidden"),
    [
        ("Lobby,alice@acme,,1001,Front desk,lobby.1,,", ["owner_email"]),
        ("Alice,Alice Smith,,1001,Alice Smith,alice.1,,", ["owner_email"]),
        ("Alice,alice@elsewhere.example,,,Alice Smith,alice.1,,", ["owner_email"]),
        ("Lobby,,,1001,Front desk,lobby 1,,", ["sip_username"]),
        ("Lobby,,,1001,Front desk,lobby.1,correct horse 1,yes", []),
        ("Lobby,,,x1001,Front desk,lobby.1,,yes", ["extension"]),
        ("Lobby,,,x1001,Hall,lobby.1,,", ["extension", "sip_username"]),
        ("Lobby,1001,,,#VALUE!,lobby.1,,", []),
    ],
)
def test_of_a_row_with_a_slip_of_the_hand_only_what_may_be_the_password_is_hidden(check, alice, row, hidden):
    values = check(f"{HEADER}\n{row}\n").rows.get().values
    assert [column for column, text in values.items() if text == "…"] == hidden


def test_a_hidden_cell_names_what_is_wrong_and_a_cell_beside_it_the_one_that_tells(check):
    batch = check(f"{HEADER}\nLobby,1001,,,{SLIPPED},no user,,\n")
    assert said(batch) == [
        (
            2,
            "caller_id_name",
            "“…” may be a sip_password that slipped here: what stands in owner_email seems to belong to another column. "
            "Put that right, and type this cell again. The name that colleagues see when it calls, at most 35 characters.",
        ),
        (
            2,
            "sip_username",
            "What stands here can’t be a username. It may be a sip_password, so it is shown as “…”. Type the cell again. "
            "2 to 32 letters, digits or _ . + - (empty: the portal makes one).",
        ),
        (
            2,
            "owner_email",
            "Audian has nobody with the address “1001”. Correct it, or add the person at Audian and sync.",
        ),
    ]


def test_an_address_at_a_domain_of_the_account_is_quoted(check, account):
    account.mail_domains = ["acme.example"]
    account.save()
    assert "“nobody@acme.example”" in str(said(check(f"{HEADER}\nLobby,nobody@acme.example,,,,,,\n")))


@pytest.mark.parametrize(("word", "advises"), [("", True), ("a-long-enough-word", False)])
def test_a_file_that_may_have_no_passwords_is_advised_to_say_so(check, word, advises):
    rows = f"Lobby,nobody@amce.example,,,,,,\nHall,,,1002,Hall,hall.1,{word},\n"
    told = [message for _line, column, message in noticed(check(f"{HEADER}\n{rows}")) if column == "sip_password"]
    assert (
        told
        == ["The column sip_password is empty. If the file has no passwords, remove it: then no cell is shown as “…”."]
        * advises
    )
    without = check("name,owner_email\nLobby,nobody@amce.example\n")
    assert "“nobody@amce.example”" in str(said(without))


@pytest.mark.parametrize(
    "file",
    [
        f"Lobby,,,1001,Lobby,lobby.1,{SLIPPED},yes\n",
        f"Lobby,,,1001,Lobby,lobby.1,{SLIPPED},yes\nHall,,,1002,Hall,hall.1,{SLIPPED},yes\n",
        "Lobby,,,1001,Lobby,lobby.1,sip_password_77,yes\n",
    ],
)
def test_rows_without_a_header_are_told_in_one_sentence_that_quotes_nothing(check, file):
    batch = check(file, name="")
    assert said(batch) == [
        (
            1,
            None,
            "The first row names none of our columns. Put a row above it that says which is which: name, owner_email, "
            "owner_id, extension, caller_id_name, sip_username, sip_password, enabled.",
        )
    ]
    assert not any(word in everything_stored() for word in (SLIPPED, "lobby.1", "sip_password_77"))


@pytest.mark.parametrize(
    ("header", "column", "says"),
    [
        (f"name,extension,{SLIPPED}", None, "The title of column 3 is not known. Remove the column, or call it one of these: "),
        ("name,extension,Password123", None, "The title of column 3 is not known. Did you mean sip_password?"),
        ("Name,Reception,,1001,Password,yes", None, "The title of column 5 is not known. Did you mean sip_password?"),
        ("name,extension,Pass-word", "Pass-word", "There is no column “Pass-word”. Did you mean sip_password?"),
    ],
)
def test_only_what_surely_is_a_title_is_quoted(check, header, column, says):
    batch = check(f"{header}\nLobby\n")
    [(line, where, message)] = [each for each in said(batch) if f"column {5 if ',,' in header else 3}" in each[2] or each[1]]
    assert (line, where) == (1, column)
    assert message.startswith(says)
    assert not any(word in everything_stored() for word in (SLIPPED, "Password123", "1001"))


def test_what_slipped_is_told_alone_and_names_the_cells_to_type_again(check):
    rows = (
        f"Smith, John,,,1001,Jonathan,john.1,{SLIPPED},yes\n\nLobby,1001,Lobby,lobby.1,{SLIPPED},yes\nHall,Bob,,,,,,,{SLIPPED}"
    )
    batch = check(f"{HEADER}\n{rows}\n")
    assert said(batch) == [
        (
            2,
            None,
            "This row has 9 cells, but the header names 8 columns. Check its quotes and separators. Its sip_password may be "
            "among these, so they are shown as “…”; type them again: enabled, what stands behind the last column.",
        ),
        (
            4,
            None,
            "This row has 6 cells, but the header names 8 columns. Check its quotes and separators. Its sip_password may be "
            "among these, so they are shown as “…”; type them again: owner_id, extension, caller_id_name.",
        ),
        (
            5,
            None,
            "This row has 9 cells, but the header names 8 columns. Check its quotes and separators. Its sip_password may be "
            "among these, so they are shown as “…”; type them again: what stands behind the last column.",
        ),
    ]
    smith, lobby, _hall = table(imports.marked_up_csv(batch))
    assert (smith["name"], smith["owner_email"], smith["enabled"], smith[None]) == ("Smith", "John", "…", ["…"])
    assert smith["sip_username"] == "Jonathan"
    assert (lobby["owner_email"], lobby["caller_id_name"], lobby["sip_username"]) == ("1001", "…", "yes")


def test_mending_from_the_marked_up_copy_asks_for_each_hidden_cell_until_it_is_typed_again(check):
    header, row = SLIPS["two cells left out"]
    marked = "".join(imports.marked_up_csv(check(f"{header}\n{row}\n")))
    found = [(line, column) for line, column, _message in said(check(marked))]
    assert found == [(2, "owner_id"), (2, "extension"), (2, "caller_id_name"), (2, "owner_email")]
    mended = marked.replace('"1001","…","…","…","yes"', '"","","1001","…","lobby.1"')
    assert mended != marked
    again = check(mended)
    [(_line, column, message)] = said(again)
    assert (column, message) == (
        "caller_id_name",
        "“…” hides what may be a sip_password that slipped here. Type the cell again. "
        "The name that colleagues see when it calls, at most 35 characters.",
    )
    mended = check(mended.replace("…", "Lobby"))
    assert said(mended) == []
    assert "It had a password, which no result file holds" in str(noticed(mended))


def test_a_workbook_whose_cells_slipped_tells_no_password(check):
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (HEADER.split(","), ["Lobby", None, None, 1001, SLIPPED, "yes"], ["Hall", *[None] * 6, SLIPPED]):
        book.active.append(row)
    book.active.append(["Gate", None, None, None, None, None, datetime.date(2026, 11, 23)])
    book.active.append(["Gate 2", None, None, None, None, datetime.date(2026, 11, 23)])
    book.active.append(["Gate 3", None, None, 1001, "Front desk"])
    book.active.append(["Gate 4", None, None, None, "=1/0"])
    book.active["E7"].data_type, book.active["E7"].value = "e", "#DIV/0!"
    book.save(out)
    batch = check(out.getvalue(), name="phones.xlsx")
    assert [(line, column) for line, column, _message in said(batch)] == [
        (2, "caller_id_name"),
        (3, "enabled"),
        (4, "sip_password"),
        (5, "sip_username"),
        (7, "caller_id_name"),
    ]
    assert "(#DIV/0!)" in str(said(batch))
    told = everything_stored() + "".join(imports.result_csv(batch)) + str(list(batch.rows.values("cells")))
    assert SLIPPED not in told
    assert "2026-11-23" not in str(said(batch))
