"""Which rows can be made, and what is said of those that can't."""

import datetime
import io

import openpyxl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from softphones import changes, imports
from softphones.models import Import, ImportRow, Softphone
from tests.factories import make_account, make_owner, make_softphone
from tests.imports.conftest import noticed, said, table, verdicts

pytestmark = pytest.mark.django_db(transaction=True)


def messages(batch) -> str:
    return " ".join(message for _line, _column, message in said(batch))


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("name", "", "needs one"),
        ("name", "n" * 129, "129 characters"),
        ("name", "a\0b", "can’t be seen"),
        ("name", "\u200b\u2066", "Only characters that can’t be seen"),
        ("name", '"two\nlines"', "more than one line"),
        ("extension", "1" * 36, "36 characters"),
        ("caller_id_name", "c" * 36, "36 characters"),
        ("sip_username", "x", "2 to 32"),
        ("sip_username", "has space", "has space"),
        ("sip_password", "four", "4 characters"),
        ("sip_password", "p" * 33, "33 characters"),
        ("sip_password", "pass word", "space"),
        ("sip_password", "pässword", "can’t type"),
        ("enabled", "perhaps", "perhaps"),
        ("owner_email", "nobody@acme.example", "nobody@acme.example"),
        ("owner_id", "f" * 32, "“" + "f" * 32 + "”. Correct it, or leave it empty and give their owner_email."),
    ],
)
def test_a_wrong_cell_is_named_with_what_to_do(check, column, value, says):
    header, row = ("name", value) if column == "name" else (f"name,{column}", f"Lobby,{value}")
    if column == "name":
        header, row = "name,extension", f"{value},1"
    [(line, where, message)] = said(check(f"{header}\n{row}\n"))
    assert (line, where) == (2, column)
    assert says in message


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "n" * 128),
        ("extension", "1" * 35),
        ("caller_id_name", "c" * 35),
        ("sip_username", "ab"),
        ("sip_username", "u" * 32),
        ("sip_password", "p" * 5),
        ("sip_password", "p" * 32),
    ],
)
def test_what_is_just_short_or_long_enough_is_taken(check, column, value):
    cells = {"name": "Lobby"} | {column: value}
    batch = check(f"{','.join(cells)}\n{','.join(cells.values())}\n")
    assert (said(batch), verdicts(batch)) == ([], ["will_create"])


@pytest.mark.parametrize(("length", "is_short"), [(5, True), (11, True), (12, False), (32, False)])
def test_a_password_of_less_than_12_characters_is_noticed(check, length, is_short):
    told = [message for _line, column, message in noticed(check(f"name,sip_password\nLobby,{'p' * length}\n")) if column]
    assert told == ["The password is short. Leave it empty, and the portal makes a strong one."] * is_short


def test_a_password_is_never_told(check):
    batch = check("name,sip_password\nLobby,Secret word1\nDoor,Secretword2Secretword2Secretword2\nGate,Secr3\n")
    told = str([batch.problems, list(batch.rows.values("problems", "notices", "cells"))])
    told += "".join(imports.result_csv(batch)) + everything_stored()
    assert "ecr" not in told
    assert "write it in again" in told


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


def everything_stored() -> str:
    """The tables of bulk work as they are, without anything deciphered."""
    with connection.cursor() as cursor:
        found = []
        for table_of in (Import, ImportRow):
            cursor.execute(f"SELECT * FROM {table_of._meta.db_table}")  # noqa: S608
            found += cursor.fetchall()
    assert found
    return repr(found)


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
        ("Lobby,,,,,,,nein", "enabled", "nein"),
    ],
)
def test_a_wrong_cell_that_can_be_no_password_is_quoted_beside_one(check, row, column, value):
    [(_line, where, message)] = said(check(f"{HEADER}\n{row}\n"))
    assert where == column
    assert f"“{value}”" in message


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
        (2, "sip_username"),
        (3, "enabled"),
        (4, "sip_password"),
    ]
    told = everything_stored() + "".join(imports.result_csv(batch)) + str(list(batch.rows.values("cells")))
    assert SLIPPED not in told
    assert "2026-11-23" not in str(said(batch))


@pytest.mark.parametrize("name", ["'t Hooft", "=cmd|' /C calc'!A0", "128" * 42, "名前", "O’Brien + Söhne"])
def test_any_name_is_kept_as_it_is(check, name):
    batch = check("name\n" + '"' + name + '"\n')
    assert (said(batch), batch.rows.get().values["name"]) == ([], name)


@pytest.mark.parametrize(
    ("text", "enabled"), [("", True), ("YES", True), ("true", True), ("1", True), ("No", False), ("0", False)]
)
def test_enabled(check, start, text, enabled):
    start(check(f"name,enabled\nLobby,{text}\n"))
    assert Softphone.objects.get().enabled is enabled


def test_a_person_is_found_by_address_without_case(check, start, alice):
    start(check("name,owner_email\nA,ALICE@Acme.example\n"))
    assert Softphone.objects.get().owner == alice


def test_an_address_of_two_people_wants_the_id(check, account, alice):
    other = make_owner(account, "alice@acme.example", name="Alice Jones")
    batch = check("name,owner_email\nA,alice@acme.example\n")
    assert other.audian_id in messages(batch)
    batch = check(f"name,owner_email,owner_id\nA,alice@acme.example,{other.audian_id}\n")
    assert (said(batch), batch.rows.get().owner) == ([], other)
    assert "admin says who is who" in str(noticed(batch))


def test_address_and_id_have_to_agree(check, account, alice):
    bob = make_owner(account, "bob@acme.example", name="Bob Jones")
    assert "Bob Jones" in messages(check(f"name,owner_email,owner_id\nA,alice@acme.example,{bob.audian_id}\n"))


def test_nobody_gives_a_phone_to_themselves(check, account):
    make_owner(account, "adam@acme.example", name="Adam")
    assert "themselves" in messages(check("name,owner_email\nA,adam@acme.example\n"))


def test_a_person_of_another_account_is_nobody(check):
    make_owner(make_account(), "eve@acme.example")
    assert "Audian has nobody" in messages(check("name,owner_email\nA,eve@acme.example\n"))


def test_a_username_twice_in_the_file_is_wrong_the_second_time(check):
    [(line, column, message)] = said(check("name,sip_username\nA,lobby\nB,LOBBY\n"))
    assert (line, column) == (3, "sip_username")
    assert "line 2" in message


def test_the_same_name_and_person_twice_is_wrong_the_second_time(check, alice):
    batch = check("name,owner_email\nA,alice@acme.example\nA,\na,alice@acme.example\n")
    [(line, column, message)] = said(batch)
    assert (line, column) == (4, "name")
    assert message == "Line 2 says the same name “a” and person. Give each a username, or another name."


def test_what_is_there_already_is_left_alone(check, account, alice):
    make_softphone(account, alice, name="A", sip_username="Alice_1")
    make_softphone(account, None, name="Lobby", sip_username="lobby")
    file = "name,owner_email,sip_username\na,alice@acme.example,ALICE_1\nLOBBY,,\nLobby,alice@acme.example,\n"
    assert verdicts(check(file)) == ["exists", "exists", "will_create"]


def test_what_is_there_already_with_other_values_says_which_are_not_changed(check, account):
    make_softphone(account, None, name="Lobby", sip_username="lobby", caller_id_number="1001", caller_id_name="Lobby")
    make_softphone(account, None, name="Hall", sip_username="hall", caller_id_number="1002", enabled=False)
    file = (
        "name,extension,caller_id_name,sip_username,sip_password,enabled\n"
        "Lobby,2001,Front,lobby,a-long-enough-word,no\nHall,1002,,hall,,\n"
    )
    batch = check(file)
    assert verdicts(batch) == ["exists", "exists"]
    [(line, column, message)] = noticed(batch)
    assert (line, column) == (2, None)
    assert message.endswith("This differs and is not changed: extension, caller_id_name, enabled, sip_password.")
    [lobby, hall] = table(imports.result_csv(batch))
    assert (lobby["message"], hall["message"]) == (f"Line 2: {message}", "Already there.")


def test_a_username_of_another_name_or_person_is_wrong(check, account, alice):
    make_softphone(account, alice, name="A", sip_username="alice_1")
    assert verdicts(check("name,sip_username\nA,alice_1\n")) == ["error"]
    assert verdicts(check("name,owner_email,sip_username\nB,alice@acme.example,alice_1\n")) == ["error"]


def test_what_waits_in_the_outbox_is_there_already(check, account, admin):
    changes.create(account=account, name="Lobby", by=admin, username="lobby", now=account.created_at)
    assert verdicts(check("name\nlobby\n")) == ["exists"]
    assert verdicts(check("name,sip_username\nlobby,lobby\n")) == ["exists"]


def test_notices_keep_nobody_from_starting(check, account, alice):
    make_softphone(account, alice, name="Old", caller_id_number="1001")
    file = (
        "name,owner_email,extension,sip_password\n"
        "A,alice@acme.example,1001,short1\n"
        "B,,1002,short1\n"
        "C,,1002,a-password-long-enough\n"
        "D,,42,a-password-long-enough\n"
    )
    batch = check(file)
    assert (batch.will, batch.errors, batch.owned) == (4, 0, 1)
    told = {(line, column): message for line, column, message in noticed(batch)}
    passwords = [(line, message.partition(".")[0]) for line, column, message in noticed(batch) if column == "sip_password"]
    short, same = "The password is short", "Other rows have the same password"
    assert passwords == [(2, short), (2, same), (3, short), (3, same), (4, same), (5, same)]
    assert "has a softphone already" in told[2, "owner_email"]
    assert "“Old” has the extension" in told[2, "extension"]
    assert "call flow" in told[3, None]
    assert "Line 3" in told[4, "extension"]
    assert "different lengths" in told[1, "extension"]


def test_what_many_rows_have_in_common_is_said_once_and_marked_at_each(check):
    told = noticed(check("name\n" + "".join(f"Door {number}\n" for number in range(4))))
    assert told[0][2].startswith("4 rows: nobody owns them. They can call")
    assert [(line, message) for line, _column, message in told[1:]] == [(line, "Nobody owns it.") for line in range(2, 6)]


def test_the_same_file_in_two_tabs_is_one_import(check, start):
    one, two = check("name\nLobby\n"), check("name\nLobby\n")
    assert one == two
    assert start(one).state == start(two).state == Import.State.STARTED
    assert Softphone.objects.count() == 1
    assert check("name\nLobby\n") == one


def test_five_thousand_rows_cost_few_queries(check, account):
    from softphones.imports.checking import check_rows
    from softphones.imports.reading import read

    few, many = ("name,owner_email\n" + "".join(f"P{n},p{n}@acme.example\n" for n in range(rows)) for rows in (1, 5000))
    counts = []
    for file in (few, many):
        with CaptureQueriesContext(connection) as queries:
            check_rows(account, read(file.encode()).rows, None)
        counts.append(len(queries))
    assert counts[1] - counts[0] <= 6
