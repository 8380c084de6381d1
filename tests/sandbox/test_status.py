"""Who is connected: three ways to ask (audian-api.md section 6)."""

import time

OFFSET = 62167219200


def test_a_device_has_no_status_of_its_own_on_kazoo(api):
    id_ = api.created()
    api.sandbox.register(id_)
    answer = api.get(f"/devices/{id_}/status")
    assert answer.status_code == 404
    assert answer.json()["message"] == "not_found"
    assert answer.json()["data"] == {"message": "not found"}


def test_devices_status_lists_all_devices_in_pages(api):
    alice, bob = api.created("alice"), api.created("bob_1")
    cell = api.put("/devices", {"name": "Cell", "device_type": "cellphone"}).json()["data"]["id"]
    api.sandbox.register(alice)
    first = api.get("/devices/status", page_size=2).json()
    second = api.get("/devices/status", page_size=2, start_key=first["next_start_key"]).json()
    assert "next_start_key" not in second
    rows = {row["device_id"]: row for row in first["data"] + second["data"]}
    assert rows == {
        alice: {"device_id": alice, "registrable": True, "registered": True},
        bob: {"device_id": bob, "registrable": True, "registered": False},
        cell: {"device_id": cell, "registrable": False},
    }


def test_registrations_list_every_contact_without_pages(api):
    id_ = api.created(owner_id="a" * 32)
    api.sandbox.register(id_, user_agent="Zoiper v5", ip="203.0.113.50", port=52415, expires=300)
    api.sandbox.register(id_, user_agent="Linphone", ip="203.0.113.51", port=6000)
    body = api.get("/registrations").json()
    assert not {"page_size", "start_key", "next_start_key"} & set(body)
    first, second = sorted(body["data"], key=lambda row: row["contact_port"], reverse=True)
    assert first["authorizing_id"] == second["authorizing_id"] == id_
    assert (first["username"], first["realm"], first["owner_id"]) == ("alice", api.sandbox.realm, "a" * 32)
    assert (first["contact_ip"], first["contact_port"], first["expires"]) == ("203.0.113.50", 52415, 300)
    assert first["user_agent"] == "Zoiper v5"
    assert first["authorizing_type"] == "device"
    assert first["call_id"]
    assert abs(first["event_timestamp"] - OFFSET - time.time()) < 10
    assert api.get("/registrations/count").json()["data"] == {"count": 2}


def test_nobody_registered_is_an_empty_list(api):
    api.created()
    assert api.get("/registrations").json()["data"] == []
    assert api.get("/registrations/count").json()["data"] == {"count": 0}


def test_a_phone_that_stays_renews_itself(api):
    id_, since = api.created(), time.time() - 1000
    api.sandbox.register(id_, at=since, expires=300)
    (row,) = api.get("/registrations").json()["data"]
    assert row["initial_registration"] == int(since) + OFFSET
    assert row["event_timestamp"] == row["last_registration"] == int(since) + 900 + OFFSET


def test_registrations_can_be_flushed_by_username_or_all_at_once(api):
    alice, bob = api.created("alice"), api.created("bob_1")
    api.sandbox.register(alice)
    api.sandbox.register(bob)
    assert api.delete("/registrations/ALICE").json()["data"] == "ok"
    assert [row["authorizing_id"] for row in api.get("/registrations").json()["data"]] == [bob]
    assert api.delete("/registrations").json()["data"] == "ok"
    assert api.get("/registrations").json()["data"] == []


def test_a_change_of_credentials_takes_the_phone_off(api):
    for change in [
        {"sip": {"password": "another-1"}},
        {"sip": {"username": "alice_2"}},
        {"owner_id": "b" * 32},
        {"enabled": False},
    ]:
        id_ = api.created("alice", owner_id="a" * 32)
        api.sandbox.register(id_)
        assert api.patch(f"/devices/{id_}", change).status_code == 200
        assert api.get("/registrations").json()["data"] == [], change
        api.delete(f"/devices/{id_}")


def test_a_change_of_the_name_leaves_the_phone_on(api):
    id_ = api.created()
    api.sandbox.register(id_)
    api.patch(f"/devices/{id_}", {"name": "Only renamed"})
    assert api.get("/registrations/count").json()["data"] == {"count": 1}


def test_a_deleted_phone_is_taken_off(api):
    id_ = api.created()
    api.sandbox.register(id_)
    api.delete(f"/devices/{id_}")
    assert api.get("/registrations").json()["data"] == []


def test_a_device_with_a_realm_of_its_own_always_reads_unregistered(api):
    sip = {"username": "alice", "password": "secret-12", "realm": "other.example"}
    id_ = api.put("/devices", {"name": "n", "device_type": "softphone", "sip": sip}).json()["data"]["id"]
    api.sandbox.register(id_)
    assert api.get("/devices", with_status="true").json()["data"][0]["registered"] is False
    assert api.get("/registrations").json()["data"][0]["realm"] == "other.example"
