"""Which rows can be made, and what is said of those that can't."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from softphones import changes, imports
from softphones.models import Import, Softphone
from tests.factories import make_account, make_owner, make_softphone
from tests.imports.conftest import everything_stored, noticed, said, table, verdicts

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
