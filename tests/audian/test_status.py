"""Is it registered? Yes, no, or unknown, and never "no" for want of an answer."""

from datetime import UTC, datetime, timedelta

import pytest

from softphones.audian import errors


def statuses_asked(sandbox) -> list[str]:
    return [call.path.rsplit("/", 1)[-1] for call in sandbox.calls if call.path.endswith(("/status", "/devices"))]


def test_kazoo_has_no_status_route_which_is_found_out_once(sandbox, client, plant):
    device = plant(username="alice")
    sandbox.register(device)
    assert client.status(device, "alice").registered is True
    assert client.status_route is False
    assert client.status(device, "alice").source == "with_status"
    assert statuses_asked(sandbox) == ["status", "devices", "devices"]


def test_what_another_client_found_out_can_be_given(sandbox, make_client, plant):
    device = plant(username="alice")
    assert make_client(status_route=False).status(device, "alice").registered is False
    assert statuses_asked(sandbox) == ["devices"]


def test_the_status_route_of_the_vendors_page_tells_address_and_time(make_sandbox, make_client):
    at = sandbox, _ = make_sandbox(dialect="page")
    device = sandbox.add_device(name="Alice", device_type="softphone", sip={"username": "alice", "password": "hushhush"})
    client = make_client(at=at)
    assert client.status(device, "alice").registered is False
    sandbox.register(device, ip="203.0.113.50", port=52415)
    status = client.status(device, "alice")
    assert (status.registered, status.ip, status.port, status.source) == (True, "203.0.113.50", 52415, "status")
    assert abs(status.at - datetime.now(UTC)) < timedelta(minutes=1)
    assert client.status_route is True


def test_a_status_route_that_says_another_404_is_not_taken_for_missing(make_client, make_sandbox):
    client = make_client(at=make_sandbox(dialect="page"))
    with pytest.raises(errors.NotFound):
        client.status("b" * 32, "alice")
    assert client.status_route is None


def test_a_device_that_the_list_does_not_hold_is_unknown(make_client):
    assert make_client(status_route=False).status("b" * 32, "alice").registered is None


def test_an_empty_list_is_unknown(sandbox, make_client, plant):
    device = plant(username="alice")
    sandbox.register(device)
    sandbox.faults.add("empty_listing")
    assert make_client(status_route=False).status(device, "alice").registered is None


def test_a_device_that_cannot_register_is_unknown(sandbox, make_client):
    device = sandbox.add_device(name="Mobile", device_type="cellphone", sip={"username": "mobile"})
    assert make_client(status_route=False).status(device, "mobile").registered is None


def test_many_statuses_take_one_call(sandbox, client, plant):
    on, off = plant(username="alice"), plant(username="bob")
    sandbox.register(on)
    client.account()
    sandbox.calls.clear()
    assert client.statuses(["alice", "bob", "nobody"]) == {"alice": True, "bob": False, "nobody": None}
    assert len(sandbox.calls) == 1
    sandbox.unregister(on)
    assert client.statuses(["alice"]) == {"alice": False}
    assert off


def test_no_statuses_take_no_call(sandbox, client):
    assert client.statuses([]) == {}
    assert len(sandbox.calls) == 0


def test_very_many_statuses_fit_into_the_longest_address_a_server_takes(sandbox, client, plant):
    names = [f"user_with_quite_a_long_name_{number:03}" for number in range(400)]
    plant(username=names[-1])
    statuses = client.statuses(names)
    assert (len(statuses), statuses[names[-1]], statuses[names[0]]) == (400, False, None)
    asked = [call for call in sandbox.calls if call.path.endswith("/devices")]
    assert 1 < len(asked) < 6


def test_statuses_of_a_server_that_ignores_the_filter_are_picked_by_username(answered):
    rows = '[{"id":"1","username":"ALICE","registered":true},{"id":"2","username":"carla","registered":true},{"id":"3"}]'
    assert answered(data=rows).statuses(["alice", "bob"]) == {"alice": True, "bob": None}


def test_two_devices_with_one_username_that_disagree_are_unknown(answered):
    rows = '[{"id":"1","username":"alice","registered":true},{"id":"2","username":"Alice","registered":false}]'
    assert answered(data=rows).statuses(["alice"]) == {"alice": None}


def test_registrations_are_read_with_their_address_agent_and_time(sandbox, client, plant):
    device = plant(username="alice")
    at = datetime(2026, 2, 4, 14, 30, tzinfo=UTC)
    sandbox.register(device, user_agent="Linphone/5", ip="203.0.113.9", port=5099, expires=10**9, at=at.timestamp())
    (found,) = client.registrations()
    assert (found.device_id, found.username, found.user_agent) == (device, "alice", "Linphone/5")
    assert (found.ip, found.port, found.expires, found.at) == ("203.0.113.9", 5099, 10**9, at)
    assert found.contact.startswith("sip:alice@")


def test_no_registrations_are_an_empty_list(client):
    assert client.registrations() == []


def test_registrations_that_are_no_list_are_not_our_answer(answered):
    with pytest.raises(errors.NotOurAnswer):
        answered(data='"ok"').registrations()
