"""Lists: every page once, only softphones, and honesty about what a row does not tell."""

from dataclasses import replace
from itertools import islice

import pytest

from softphones.audian import errors


@pytest.fixture
def others(sandbox):
    """Devices that the portal has no business with."""
    for number, kind in enumerate(("sip_device", "cellphone", "fax", "landline")):
        sandbox.add_device(name=f"Desk {number}", device_type=kind, enabled=True, sip={"username": f"desk{number}"})


def listed(pages):
    return [row for page in pages for row in page.rows]


def test_all_pages_are_read_and_hold_softphones_only(client, plant, others):
    ids = {plant(username=f"user{number}") for number in range(7)}
    rows = listed(client.device_pages(page_size=3))
    assert {row.id for row in rows} == ids
    assert len(rows) == len(ids)


def test_a_row_with_obeyed_fields_is_complete(client, plant):
    device = plant(
        username="alice",
        password="s3cret-of-alice",
        owner_id="c" * 32,
        caller_id={"internal": {"number": "1001", "name": "Alice"}},
        flags=["portal:17"],
    )
    page = client.device_page()
    (row,) = page.rows
    assert page.fields_honoured
    assert row.complete
    assert row.enabled is True
    assert (row.id, row.username, row.password, row.owner_id) == (device, "alice", "s3cret-of-alice", "c" * 32)
    assert (row.caller_id_number, row.caller_id_name, row.flags) == ("1001", "Alice", ("portal:17",))
    assert row == replace(client.device(device), revision=None)


def test_a_row_of_a_server_that_ignores_fields_is_not_complete(make_sandbox, make_client):
    at = sandbox, _ = make_sandbox(honours_fields=False)
    sandbox.add_device(name="Alice", device_type="softphone", enabled=True, sip={"username": "alice", "password": "hushhush"})
    page = make_client(at=at).device_page()
    (row,) = page.rows
    assert not page.fields_honoured
    assert not row.complete
    assert (row.username, row.password, row.enabled) == ("alice", None, True)


def test_a_row_of_the_vendors_page_is_not_complete_although_it_has_a_sip_block(make_sandbox, make_client):
    at = sandbox, _ = make_sandbox(dialect="page", honours_fields=False)
    sandbox.add_device(name="Alice", device_type="softphone", enabled=True, sip={"username": "alice", "password": "hushhush"})
    (row,) = make_client(at=at).device_page().rows
    assert row.username == "alice"
    assert not row.complete


def test_without_a_single_password_the_rows_do_not_claim_that_there_is_none(sandbox, client):
    sandbox.add_device(name="Bare", device_type="softphone", sip={"username": "bare"})
    (row,) = client.device_page().rows
    assert not row.complete
    assert client.device(row.id).complete


def test_a_listing_asks_only_what_it_was_told_to(sandbox, client, plant):
    plant()
    page = client.device_page(fields=False)
    assert not page.fields_honoured
    assert "fields" not in sandbox.calls[-1].query
    assert "filter_device_type" in sandbox.calls[-1].query


def test_a_page_says_how_many_rows_came_and_where_the_next_begins(client, plant):
    for number in range(3):
        plant(username=f"user{number}")
    first = client.device_page(page_size=2)
    assert (first.size, len(first.rows), first.next_key is None) == (2, 2, False)
    last = client.device_page(first.next_key, page_size=2)
    assert (last.size, last.next_key) == (1, None)


def test_an_empty_account_is_one_empty_page(client):
    (page,) = client.device_pages()
    assert (page.rows, page.next_key, page.size) == ((), None, 0)


def test_an_empty_page_amid_a_listing_is_not_its_end(sandbox, client, plant):
    ids = [plant(username=f"user{number}") for number in range(4)]
    sandbox.faults.add("empty_page")
    pages = list(client.device_pages(page_size=2))
    assert [page.size for page in pages] == [0, 2]
    assert len(listed(pages)) == len(ids) - 2


def test_a_listing_whose_key_repeats_is_stopped(sandbox, client, plant):
    for number in range(6):
        plant(username=f"user{number}")
    sandbox.faults.add("repeated_page_key", times=None)
    with pytest.raises(errors.RepeatedKey):
        listed(islice(client.device_pages(page_size=2), 10))
    assert len(sandbox.calls) < 6


def test_a_phone_made_amid_a_listing_does_not_disturb_it(sandbox, client, plant):
    ids = {plant(username=f"user{number}") for number in range(6)}
    pages = client.device_pages(page_size=2)
    seen = [row.id for row in next(pages).rows]
    plant(username="late")
    seen += [row.id for row in listed(pages)]
    assert ids <= set(seen)


def test_a_bad_page_size_is_a_faulty_request_and_not_a_missing_device(client):
    with pytest.raises(errors.FaultyRequest):
        client.device_page(page_size=-1)


def test_rows_of_another_kind_are_left_out_even_if_the_filter_is_ignored(answered):
    rows = '[{"id":"1","device_type":"sip_device"},{"id":"2","device_type":"softphone"},{"id":"3"}]'
    page = answered(data=rows).device_page()
    assert [row.id for row in page.rows] == ["2"]
    assert page.size == 3


@pytest.mark.parametrize("rows", ['{"id": "1"}', '["1"]', '[{"name": "no id"}]', '"text"', "null"])
def test_a_list_that_is_no_list_of_documents_is_not_our_answer(answered, rows):
    with pytest.raises(errors.NotOurAnswer):
        answered(data=rows).device_page()


def test_users_tell_whether_they_are_enabled_where_the_server_obeys_fields(sandbox, client):
    sandbox.add_user(first_name="Alice", last_name="Smith", email="Alice@acme.example", presence_id="1001", enabled=True)
    sandbox.add_user(first_name="Bob", last_name="", enabled=False)
    users = {user.name: user for user in listed(client.user_pages())}
    assert (users["Alice Smith"].email, users["Alice Smith"].presence_id) == ("Alice@acme.example", "1001")
    assert (users["Alice Smith"].enabled, users["Bob"].enabled) == (True, False)
    assert users["Bob"].complete


def test_users_of_a_server_that_ignores_fields_are_asked_one_by_one(make_sandbox, make_client):
    at = sandbox, _ = make_sandbox(honours_fields=False)
    id = sandbox.add_user(first_name="Bob", last_name="Jones", enabled=False)
    client = make_client(at=at)
    (bob,) = client.user_page().rows
    assert (bob.enabled, bob.complete) == (None, False)
    assert (client.user(id).enabled, client.user(id).complete) == (False, True)


def test_users_are_read_over_all_pages(sandbox, client):
    ids = {sandbox.add_user(first_name=f"User {number}", last_name="X") for number in range(5)}
    assert {user.id for user in listed(client.user_pages(page_size=2))} == ids


def test_the_account_tells_its_realm(sandbox, client):
    account = client.account()
    assert (account.id, account.realm, account.enabled) == (sandbox.account_id, sandbox.realm, True)


def test_find_by_username_compares_each_row_itself(sandbox, client, plant, others):
    device = plant(username="alice")
    plant(username="alice2")
    assert [found.id for found in client.find_by_username("alice")] == [device]
    assert client.find_by_username("nobody") == []
    assert [found.device_type for found in client.find_by_username("desk0")] == ["sip_device"], "taken by another device"


def test_find_by_username_finds_one_row_among_all_if_the_filter_is_ignored(answered):
    rows = '[{"id":"1","username":"bob"},{"id":"2","username":"ALICE"},{"id":"3"},{"id":"4","username":"alice2"}]'
    found = answered(data=rows).find_by_username("alice")
    assert [device.id for device in found] == ["2"]


def test_find_by_username_brings_the_mark_and_the_password(client, plant):
    plant(username="alice", password="s3cret-of-alice", flags=["portal:17"])
    (found,) = client.find_by_username("alice")
    assert (found.password, found.flags) == ("s3cret-of-alice", ("portal:17",))
