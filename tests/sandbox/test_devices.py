"""Creating, reading, changing and deleting devices (audian-api.md sections 3 and 5)."""

import pytest

UNKNOWN = "0" * 32


def test_create_is_201_with_a_location_and_the_whole_document(api):
    answer = api.put("/devices", api.softphone(caller_id={"internal": {"name": "Alice", "number": "1001"}}))
    data = answer.json()["data"]
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v2/accounts/{api.sandbox.account_id}/devices/{data['id']}"
    assert len(data["id"]) == 32
    assert data["sip"]["password"] == "secret-12", "Kazoo redacts nothing"
    assert data["caller_id"] == {"internal": {"name": "Alice", "number": "1001"}}
    assert answer.json()["metadata"]["id"] == data["id"]
    assert answer.headers["ETag"] == f'"{answer.json()["revision"]}"'


def test_a_name_is_enough_and_the_defaults_are_filled_in(api):
    data = api.put("/devices", {"name": "Only a name"}).json()["data"]
    assert data.pop("id")
    assert data == {
        "name": "Only a name",
        "enabled": True,
        "call_restriction": {},
        "contact_list": {},
        "exclude_from_queues": False,
        "media": {
            "audio": {},
            "video": {"codecs": []},
            "encryption": {"enforce_security": False, "methods": []},
        },
        "music_on_hold": {},
        "mwi_unsolicited_updates": True,
        "register_overwrite_notify": False,
        "ringtones": {},
        "sip": {"method": "password", "invite_format": "contact", "expire_seconds": 300},
        "suppress_unregister_notifications": False,
    }


def test_a_document_without_a_name_is_refused(api):
    answer = api.put("/devices", {"device_type": "softphone"})
    assert answer.status_code == 400
    assert answer.json()["data"] == {"name": {"required": {"message": "Field is required but missing", "value": "name"}}}


def test_creating_the_same_twice_makes_two_unless_the_username_is_taken(api):
    first, second = api.put("/devices", {"name": "Twin"}), api.put("/devices", {"name": "Twin"})
    assert first.json()["data"]["id"] != second.json()["data"]["id"]


def test_unknown_keys_are_kept_and_private_ones_are_not(api):
    id_ = api.created(custom="value", _rev="9-x", pvt_type="user", flags=["portal:1"])
    data = api.get(f"/devices/{id_}").json()["data"]
    assert (data["custom"], data["flags"]) == ("value", ["portal:1"])
    assert "_rev" not in data
    assert "pvt_type" not in data


def test_the_realm_of_the_account_is_taken_out_and_another_one_stays(api):
    sip = {"username": "alice", "password": "secret-12", "realm": api.sandbox.realm}
    own = api.put("/devices", {"name": "Own realm", "sip": sip})
    other = api.put("/devices", {"name": "Other", "sip": {"username": "bob_1", "realm": "other.example"}})
    assert "realm" not in own.json()["data"]["sip"]
    assert other.json()["data"]["sip"]["realm"] == "other.example"


def test_a_mac_address_is_cleansed_to_bare_hex(api):
    data = api.put("/devices", {"name": "Desk", "mac_address": "00:1A-2b.3c4D5E"}).json()["data"]
    assert data["mac_address"] == "001a2b3c4d5e"


def test_get_of_an_unknown_device_is_404_bad_identifier(api):
    answer = api.get(f"/devices/{UNKNOWN}")
    assert answer.status_code == 404
    assert answer.json()["data"] == {"message": "bad identifier", "cause": UNKNOWN}


def test_a_document_that_did_not_change_can_be_answered_304(api):
    id_ = api.created()
    tag = api.get(f"/devices/{id_}").headers["ETag"]
    answer = api.get(f"/devices/{id_}", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")


def test_post_replaces_the_whole_document(api):
    id_ = api.created(owner_id="a" * 32)
    answer = api.post(f"/devices/{id_}", {"name": "New name", "device_type": "softphone"})
    data = answer.json()["data"]
    assert answer.status_code == 200
    assert data["name"] == "New name"
    assert "owner_id" not in data
    assert "username" not in data["sip"]
    assert "password" not in data["sip"], "a partial POST wipes the credentials"
    assert answer.json()["revision"].startswith("2-")
    assert answer.headers["ETag"] == f'"{answer.json()["revision"]}"'


def test_the_vendors_update_example_is_refused_because_the_type_is_missing(api):
    id_ = api.created()
    answer = api.post(f"/devices/{id_}", {"name": "Alice Softphone - Home", "enabled": True})
    assert answer.status_code == 400
    error = {"invalid": {"message": "Not authorized to change type of device", "cause": ""}}
    assert answer.json()["data"] == {"device_type": error}
    assert api.sandbox.device(id_)["name"] == "Alice Smith - softphone"


def test_the_type_of_a_device_cannot_be_changed(api):
    id_ = api.created()
    answer = api.patch(f"/devices/{id_}", {"device_type": "fax"})
    assert answer.status_code == 400
    assert answer.json()["data"]["device_type"]["invalid"]["cause"] == "fax"


def test_patch_merges_deeply_and_null_deletes(api):
    id_ = api.created(owner_id="a" * 32, flags=["one", "two"], custom="value")
    answer = api.patch(f"/devices/{id_}", {"sip": {"password": "another-1"}, "flags": ["three"], "custom": None})
    data = answer.json()["data"]
    assert answer.status_code == 200
    assert data["sip"]["username"] == "alice"
    assert data["sip"]["password"] == "another-1"
    assert data["flags"] == ["three"], "arrays are replaced whole"
    assert "custom" not in data
    assert data["owner_id"] == "a" * 32
    assert api.sandbox.device(id_)["sip"]["password"] == "another-1"


def test_a_default_that_is_deleted_comes_back(api):
    id_ = api.created()
    assert api.patch(f"/devices/{id_}", {"enabled": None}).json()["data"]["enabled"] is True


def test_delete_answers_the_deleted_document_and_then_404(api):
    id_ = api.created()
    answer = api.delete(f"/devices/{id_}")
    assert answer.status_code == 200
    assert answer.json()["metadata"]["deleted"] is True
    assert answer.json()["data"]["sip"]["password"] == "secret-12"
    again = api.delete(f"/devices/{id_}")
    assert again.status_code == 404
    assert again.json()["message"] == "bad_identifier"
    assert api.get(f"/devices/{id_}").status_code == 404
    assert api.created(), "the username is free again"


def test_put_on_a_device_is_an_action_and_never_saves(api):
    id_ = api.created()
    answer = api.put(f"/devices/{id_}", api.softphone(name="Replaced?"))
    assert answer.status_code == 400
    assert (answer.json()["message"], answer.json()["data"]) == ("action required", {})
    assert api.put(f"/devices/{id_}", {}, action="dance").json()["message"] == "invalid action"
    assert api.put(f"/devices/{id_}", {"data": {"event": "check-sync"}}, action="notify").status_code == 202
    assert api.sandbox.device(id_)["name"] == "Alice Smith - softphone"


def test_sync_is_accepted(api):
    answer = api.post(f"/devices/{api.created()}/sync", {})
    assert (answer.status_code, answer.json()["data"]) == (202, "sync request sent")


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_write_with_an_old_revision_is_412_with_an_empty_body(api, method):
    id_ = api.created()
    old = api.get(f"/devices/{id_}").headers["ETag"]
    api.sandbox.change_device(id_, name="Changed by somebody else")
    data = None if method == "DELETE" else api.softphone()
    answer = api.call(method, f"/devices/{id_}", data, headers={"If-Match": old})
    assert (answer.status_code, answer.content) == (412, b"")
    assert api.sandbox.device(id_)["name"] == "Changed by somebody else"


def test_a_look_with_a_revision_that_never_was_is_412_too(api):
    id_ = api.created()
    answer = api.get(f"/devices/{id_}", headers={"If-Match": '"no revision"'})
    assert (answer.status_code, answer.content) == (412, b"")


@pytest.mark.parametrize("quoted", [True, False])
def test_a_write_with_the_right_revision_passes_and_makes_a_new_one(api, quoted):
    id_ = api.created()
    revision = api.get(f"/devices/{id_}").json()["revision"]
    tag = f'"{revision}"' if quoted else revision
    answer = api.call("POST", f"/devices/{id_}", api.softphone(name="New"), headers={"If-Match": tag})
    assert answer.status_code == 200
    assert answer.json()["revision"] != revision


def test_if_match_on_a_device_that_is_gone_is_404(api):
    assert api.call("DELETE", f"/devices/{UNKNOWN}", headers={"If-Match": '"1-x"'}).status_code == 404


def test_a_server_that_ignores_if_match_lets_the_last_write_win():
    from .conftest import calling

    with calling(rate_limit=False, honours_if_match=False) as api:
        id_ = api.created()
        answer = api.call("POST", f"/devices/{id_}", api.softphone(name="Last"), headers={"If-Match": '"1-old"'})
        assert answer.status_code == 200
        assert api.sandbox.device(id_)["name"] == "Last"


def test_a_whole_document_can_be_sent_back_as_it_came(api):
    id_ = api.created(owner_id="a" * 32)
    document = api.get(f"/devices/{id_}").json()["data"]
    answer = api.post(f"/devices/{id_}", {**document, "name": "Only the name changed"})
    assert answer.status_code == 200
    assert answer.json()["data"] == {**document, "name": "Only the name changed"}
