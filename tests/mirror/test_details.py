"""Where the server ignores `fields` (Kazoo 4.3), what a row does not tell is read one by one."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones.mirror import table
from softphones.models import Owner, Softphone
from tests.mirror.conftest import account_on, look, owner, phone, plant_person, plant_phone, plant_phones


@pytest.fixture
def sandbox(served):
    return served(honours_fields=False)


def asked_one_by_one(sandbox) -> list[str]:
    """What was read by its own address since the last time this was called."""
    found = [call.below for call in sandbox.calls if call.below.count("/") == 2 and call.method == "GET"]
    sandbox.calls.clear()
    return found


def test_a_new_phone_and_a_new_person_are_read_whole(account, sandbox):
    person = plant_person(sandbox, enabled=False)
    device = plant_phone(sandbox, owner=person)
    run = look(account)
    assert (run.state, run.created, run.updated) == ("complete", 1, 0)
    assert (phone(device).password, phone(device).caller_id_number) == ("wP7kq3hTz9mB", "1001")
    assert phone(device).revision
    assert owner(person).enabled is False


def test_only_the_changed_and_the_longest_unchecked_are_read_again(account, sandbox, monkeypatch):
    monkeypatch.setattr(table, "LONGEST_UNCHECKED", 2)
    first, second, third, changed = plant_phones(sandbox, 4)
    look(account)
    for days, audian_id in ((1, third), (3, first), (2, second)):
        Softphone.objects.filter(audian_id=audian_id).update(checked_at=timezone.now() - timedelta(days=days))
    sandbox.change_device(changed, name="Renamed")
    asked_one_by_one(sandbox)
    run = look(account)
    assert asked_one_by_one(sandbox) == [f"/devices/{changed}", f"/devices/{first}", f"/devices/{second}"]
    assert (run.updated, run.unchanged) == (1, 3)


def test_a_new_password_that_no_row_shows_is_found_in_time(account, sandbox):
    device = plant_phone(sandbox)
    look(account)
    sandbox.change_device(device, **{"sip.password": "another9Secret"})
    run = look(account)
    assert phone(device).password == "another9Secret"
    assert (run.updated, run.unchanged) == (1, 0)


def test_a_person_counts_as_disabled_until_their_document_was_read(account, sandbox):
    person = plant_person(sandbox)
    sandbox.faults.add("500", times=None, match=f"GET /users/{person}")
    run = look(account)
    assert run.state == "complete"
    assert "Not read whole" in run.message
    assert owner(person).enabled is False
    sandbox.faults.clear()
    look(account)
    assert owner(person).enabled is True


def test_a_phone_whose_document_can_not_be_read_does_not_stop_the_others(account, sandbox):
    broken, whole = plant_phone(sandbox, "user_broken"), plant_phone(sandbox, "user_whole")
    sandbox.faults.add("500", times=None, match=f"GET /devices/{broken}")
    run = look(account)
    assert run.state == "complete"
    assert broken in run.message
    assert (phone(broken).password, phone(whole).password) == (None, "wP7kq3hTz9mB")


def test_what_a_run_left_unread_when_it_failed_is_read_by_the_next(account, sandbox):
    devices = plant_phones(sandbox, 3)
    sandbox.faults.add("503", times=None, match="GET /devices/")
    assert look(account).state == "failed"
    assert {phone(device).password for device in devices} == {None}
    sandbox.faults.clear()
    assert look(account).state == "complete"
    assert {phone(device).password for device in devices} == {"wP7kq3hTz9mB"}


def test_a_phone_that_is_deleted_between_list_and_document_is_gone(account, sandbox):
    stays, leaves = plant_phone(sandbox, "user_stays"), plant_phone(sandbox, "user_leaves")
    look(account)
    sandbox.change_device(leaves, name="About to leave")

    def delete_when_asked_for(method, path):
        if path.endswith(leaves) and sandbox.device(leaves):
            sandbox.remove_device(leaves)

    sandbox.on_request(delete_when_asked_for)
    run = look(account)
    assert (run.state, run.gone) == ("complete", 1)
    assert phone(leaves).gone_at
    assert phone(stays).gone_at is None


def test_a_page_without_a_single_password_is_read_whole_although_fields_are_obeyed(db, served):
    sandbox = served(honours_fields=True)
    account = account_on(sandbox)
    device = plant_phone(sandbox, sip={"username": "user_bare"})
    look(account)
    assert (phone(device).password, phone(device).sip_username) == ("", "user_bare")


def test_people_are_read_before_the_phones_that_name_them(account, sandbox):
    plant_phone(sandbox, owner=plant_person(sandbox))
    look(account)
    assert Softphone.objects.get().owner == Owner.objects.get()
