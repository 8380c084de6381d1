"""A softphone that is asked for is made at Audian once."""

import pytest
from django.utils import timezone

from softphones import changes, mirror
from softphones.models import Change, Softphone
from tests.changes.conftest import again, softphones_of, writes
from tests.factories import make_owner

State = Change.State


def test_a_new_softphone_is_made_with_all_its_values(sandbox, account, create, drain):
    owner = make_owner(account, "alice@acme.example")
    change = create(owner=owner, caller_id_number="1001", caller_id_name="Alice")
    drained = drain()
    assert (drained.done, drained.left) == (1, 0)
    [device] = softphones_of(sandbox)
    assert device["name"] == "Alice Smith - softphone"
    assert device["owner_id"] == owner.audian_id
    assert device["caller_id"]["internal"] == {"number": "1001", "name": "Alice"}
    assert device["flags"] == [change.mark]
    phone = again(change.softphone)
    assert (phone.audian_id, phone.sip_username, phone.owner) == (device["id"], device["sip"]["username"], owner)
    assert phone.password == device["sip"]["password"]
    assert again(change).password is None


def test_nothing_is_called_made_before_audian_said_so(create):
    change = create()
    assert change.softphone.audian_id is None
    assert change.softphone.password is None
    assert changes.progress(change=change, now=timezone.now()).state == "waiting"


def test_the_same_key_of_the_same_person_asks_once(sandbox, create, drain):
    assert create(key="form-1") == create(key="form-1")
    create(key="form-2")
    drain()
    assert len(softphones_of(sandbox)) == 2


def test_the_same_key_of_another_person_is_another_wish(create, admin):
    assert create(key="form-1") != create(key="form-1", by=None)


@pytest.mark.parametrize("fault", ["cut_after", "truncated_body", "html_502", "500"])
def test_one_whose_answer_got_lost_is_found_again_and_not_made_twice(sandbox, create, drain, fault):
    sandbox.faults.add(fault, method="PUT", path="/devices", **({"after": True} if fault in ("html_502", "500") else {}))
    change = create()
    assert drain().done == 1
    [device] = softphones_of(sandbox)
    assert again(change.softphone).audian_id == device["id"]
    assert writes(sandbox) == ["PUT"]


def test_one_that_never_arrived_is_made_after_the_time_in_which_it_could_still_arrive(sandbox, create, drain, settings):
    settings.CREATE_AGAIN_AFTER = 0.4
    sandbox.faults.add("cut_before", method="PUT", path="/devices")
    create()
    assert drain().done == 1
    first, second = (call.at for call in sandbox.calls if call.method == "PUT" and call.below == "/devices")
    assert second - first >= 0.4


def test_while_it_is_in_doubt_the_portal_says_so(sandbox, create, drain_once):
    sandbox.faults.add("500", method="PUT", path="/devices", after=True)
    change = create()
    drain_once()
    sentence = changes.progress(change=change, now=timezone.now()).sentence
    assert sentence == "Audian's answer got lost. The portal looks whether it was done."


def test_it_is_known_by_its_username_where_flags_do_not_come_back(sandbox, create, drain):
    sandbox.faults.add("cut_after", method="PUT", path="/devices")

    def forget_flags(method, path):
        for device in sandbox.devices():
            sandbox.change_device(device["id"], flags=None)

    sandbox.on_request(forget_flags)
    create()
    assert drain().done == 1
    assert len(softphones_of(sandbox)) == 1


def test_a_username_that_another_device_has_fails_with_that_reason(sandbox, create, drain, plant):
    plant(username="frontdesk")
    change = create(username="FrontDesk")
    assert drain().failed == 1
    assert again(change).error == "The SIP username FrontDesk is taken by another device at Audian."
    assert len(softphones_of(sandbox)) == 1


def test_a_username_taken_while_our_try_was_in_doubt_is_not_adopted(sandbox, create, drain):
    sandbox.faults.add("cut_before", method="PUT", path="/devices")
    change = create(username="frontdesk", password="a-password-of-ours")

    def come_first(method, path):
        if method == "GET" and "/devices" in path and not sandbox.devices():
            sandbox.add_device(name="Lobby", device_type="sip_device", sip={"username": "frontdesk", "password": "other"})

    sandbox.on_request(come_first)
    assert drain().failed == 1
    assert again(change).error == "The SIP username frontdesk is taken by another device at Audian."
    assert [device["name"] for device in sandbox.devices()] == ["Lobby"]


def test_what_audian_refuses_fails_with_its_reason_and_can_be_tried_again(sandbox, create, drain, ask):
    change = create(caller_id_name="x" * 36)
    assert drain().failed == 1
    assert "caller ID name" in again(change).error
    ask.try_again(change)
    assert changes.progress(change=change, now=timezone.now()).sentence == "Waiting: next in the queue."
    assert drain().failed == 1
    assert writes(sandbox) == ["PUT", "PUT"]


def test_the_mirror_may_recognise_it_first(sandbox, account, create, drain_once, drain):
    sandbox.faults.add("cut_after", method="PUT", path="/devices")
    change = create()
    drain_once()
    assert again(change.softphone).audian_id is None
    mirror.run(account, timezone.now())
    assert again(change.softphone).audian_id
    drain()
    assert again(change).state == State.DONE
    assert Softphone.objects.count() == len(softphones_of(sandbox)) == 1


def test_a_renaming_before_it_is_sent_is_part_of_it(sandbox, create, drain, ask):
    change = create()
    renaming = ask.rename(change.softphone, "Alice's laptop")
    assert drain().done == 2
    assert [device["name"] for device in softphones_of(sandbox)] == ["Alice's laptop"]
    assert writes(sandbox) == ["PUT"]
    assert again(renaming).state == State.DONE


def test_one_that_is_deleted_before_it_was_sent_is_never_sent(sandbox, create, drain, ask):
    change = create()
    deletion = ask.delete(change.softphone)
    assert again(change).state == State.REPLACED
    assert again(deletion).state == State.DONE
    assert again(change.softphone).gone_at
    drain()
    assert sandbox.calls == []


def test_one_whose_create_is_in_doubt_is_made_sure_of_and_then_deleted(sandbox, create, drain_once, drain, ask):
    sandbox.faults.add("cut_after", method="PUT", path="/devices")
    change = create()
    drain_once()
    assert len(softphones_of(sandbox)) == 1
    ask.delete(change.softphone)
    assert drain().left == 0
    assert softphones_of(sandbox) == []
    assert again(change.softphone).gone_at
