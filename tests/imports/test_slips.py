"""A comma too many, a cell left out, a header forgotten: a password stands where nobody expects it, and is told nowhere."""

import datetime
import io

import openpyxl
import pytest

from softphones import imports
from tests.imports.conftest import everything_stored, noticed, said, table, verdicts

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "name,owner_email,owner_id,extension,caller_id_name,sip_username,sip_password,enabled"
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
    ],
)
def test_a_row_of_which_nothing_slipped_is_as_it_is(check, alice, row):
    batch = check(f"{HEADER}\n{row}\n")
    assert said(batch) == []
    assert "…" not in batch.rows.get().cells


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        ("Lobby,nobody@amce.example,,,,,a-long-enough-word,", "owner_email", "nobody@amce.example"),
        ("Lobby,perhaps,,,,,a-long-enough-word,", "owner_email", "perhaps"),
        ("Lobby,,,,,no username,a-long-enough-word,yes", "sip_username", "no username"),
        ("Lobby,,,1001,Lobby,lobby 1,,", "sip_username", "lobby 1"),
        ("Lobby,,,,,,,nein", "enabled", "nein"),
        ("Lobby,,,,,,,#REF!", "enabled", "#REF!"),
        ("Lobby,…,,1001,Frontdesk,lobby.1,,", "owner_email", "…"),
    ],
)
def test_a_wrong_cell_that_can_be_no_password_is_quoted_beside_one(check, row, column, value):
    found = said(check(f"{HEADER}\n{row}\n"))
    assert {where for _line, where, _message in found} == {column}
    assert all(f"“{value}”" in message for _line, _where, message in found)


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
    batch = check(f"{HEADER}\nSmith, John,,,1001,John,john.1,{SLIPPED},yes\n\nLobby,1001,Lobby,lobby.1,{SLIPPED},yes\n")
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
            "among these, so they are shown as “…”; type them again: caller_id_name, sip_username.",
        ),
    ]
    smith, lobby = table(imports.marked_up_csv(batch))
    assert (smith["name"], smith["owner_email"], smith["enabled"], smith[None]) == ("Smith", "John", "…", ["…"])
    assert (lobby["extension"], lobby["caller_id_name"], lobby["sip_username"]) == ("lobby.1", "…", "…")


def test_mending_from_the_marked_up_copy_asks_for_each_hidden_cell_until_it_is_typed_again(check):
    header, row = SLIPS["two cells left out"]
    marked = "".join(imports.marked_up_csv(check(f"{header}\n{row}\n")))
    found = [(line, column) for line, column, _message in said(check(marked))]
    assert found == [(2, "caller_id_name"), (2, "sip_username"), (2, "owner_id"), (2, "owner_email")]
    mended = marked.replace('"1001","Lobby","lobby.1","…","…"', '"","","1001","…","lobby.1"')
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
    book.save(out)
    batch = check(out.getvalue(), name="phones.xlsx")
    assert [(line, column) for line, column, _message in said(batch)] == [
        (2, "caller_id_name"),
        (3, "enabled"),
        (4, "sip_password"),
    ]
    told = everything_stored() + "".join(imports.result_csv(batch)) + str(list(batch.rows.values("cells")))
    assert SLIPPED not in told
    assert "2026-11-23" not in str(said(batch))
