"""The seeded account: believable, odd where people are odd, and always the same."""

import re
from collections import Counter

import pytest

from softphones.audian.sandbox import Sandbox


@pytest.fixture(scope="module")
def seeded():
    return Sandbox(devices=300)


def softphones(sandbox):
    return [device for device in sandbox.devices() if device["device_type"] == "softphone"]


@pytest.mark.parametrize("count", [0, 1, 3, 20, 77])
def test_exactly_as_many_softphones_as_asked_for(count):
    assert len(softphones(Sandbox(devices=count))) == count


def test_nothing_at_all_is_seeded_for_none():
    sandbox = Sandbox()
    assert (sandbox.devices(), sandbox.users()) == ([], [])
    assert (len(sandbox.account_id), len(sandbox.api_key)) == (32, 64)


def test_the_same_seed_gives_the_same_people_and_another_one_others():
    first, again, other = Sandbox(devices=40), Sandbox(devices=40), Sandbox(devices=40, seed=2)
    assert first.devices() == again.devices()
    assert first.users() == again.users()
    assert (first.account_id, first.api_key, first.static_token) == (again.account_id, again.api_key, again.static_token)
    assert first.account_id != other.account_id
    assert first.devices() != other.devices()


def test_the_people_a_demo_relies_on():
    sandbox = Sandbox(devices=8)
    phones = Counter(device.get("owner_id") for device in softphones(sandbox))
    people = {(user["first_name"], user["last_name"]): user for user in sandbox.users()}
    for name, mailbox, extension, count in [
        (("Alice", "Smith"), "alice", "1001", 1),
        (("Bob", "Jones"), "bob", "1002", 2),
        (("Carla", "Nuñez"), "carla", "1003", 0),
        (("Helen", "Desk"), "helen", "1004", 1),
        (("Adam", "Admin"), "adam", "1005", 1),
        (("Front", "Desk A"), "frontdesk", "1006", 1),
        (("Front", "Desk B"), "frontdesk", "1007", 1),
    ]:
        user = people[name]
        assert (user["email"], user["presence_id"]) == (f"{mailbox}@acme.example", extension)
        assert phones[user["id"]] == count, name


def test_softphones_are_named_and_numbered_as_audian_does(seeded):
    for device in softphones(seeded):
        assert re.fullmatch(r".+ - softphone( 2)?", device["name"])
        assert re.fullmatch(r"user_[a-z0-9]{10}", device["sip"]["username"])
        assert re.fullmatch(r"[2-9a-zA-Z]{12}", device["sip"]["password"])
        assert "realm" not in device["sip"]
        assert len(device["caller_id"]["internal"]["name"]) <= 35
        assert re.fullmatch(r"[0-9a-f]{32}", device["id"])
    alice = next(device for device in softphones(seeded) if device["name"] == "Alice Smith - softphone")
    assert alice["caller_id"]["internal"] == {"name": "Alice Smith", "number": "1001"}


def test_there_is_one_of_every_oddity(seeded):
    users = {user["id"]: user for user in seeded.users()}
    phones = softphones(seeded)
    owners = [phone.get("owner_id") for phone in phones]
    assert None in owners, "no owner"
    assert [owner for owner in owners if owner and owner not in users], "a dangling owner"
    assert [phone for phone in phones if not phone["enabled"]], "a disabled phone"
    assert [user for user in users.values() if not user["enabled"]], "a disabled user"
    phones_each = Counter(Counter(owner for owner in owners if owner).values())
    assert set(phones_each) == {1, 2}
    assert 2 < phones_each[2] < 30, "a few owners with two phones"
    assert Counter(user["email"] for user in users.values())["frontdesk@acme.example"] == 2, "a shared address"
    names = " ".join(user["first_name"] + user["last_name"] for user in users.values())
    assert "'" in names
    assert "ü" in names
    assert re.search(r"[\u0600-\u06ff]", names), "a name that reads from right to left"
    assert max(len(user["last_name"]) for user in users.values()) > 40


def test_other_kinds_of_devices_are_there_too(seeded):
    kinds = {device["device_type"] for device in seeded.devices()}
    assert kinds == {"softphone", "sip_device", "cellphone", "fax", "landline"}


def test_every_seeded_document_would_pass_its_own_validation():
    from .conftest import calling

    with calling(rate_limit=False, devices=60) as api:
        for kind in ("devices", "users"):
            for row in api.get(f"/{kind}", paginate="false").json()["data"]:
                document = api.get(f"/{kind}/{row['id']}").json()["data"]
                saved = api.post(f"/{kind}/{row['id']}", document)
                assert saved.status_code == 200, saved.text
                assert saved.json()["data"] == document


def test_a_share_of_the_ordinary_phones_can_be_connected_from_the_start(seeded):
    assert len(seeded.state.registrations) == 0
    sandbox = Sandbox(devices=300, registered=0.5)
    assert 100 < len(sandbox.state.registrations) < 200
    alice = next(device for device in softphones(sandbox) if device["name"] == "Alice Smith - softphone")
    assert sandbox.state.registrations.of(alice["id"]) == [], "nobody with a name is connected"
