"""Kazoo's validation errors: every broken rule under its dotted path (audian-api.md sections 2 and 3)."""

import pytest


def errors_of(api, document):
    answer = api.put("/devices", document)
    assert answer.status_code == 400, answer.text
    assert (answer.json()["error"], answer.json()["message"]) == ("400", "validation error")
    return answer.json()["data"]


@pytest.mark.parametrize("password", ["abc", "x" * 33])
def test_a_password_is_5_to_32_characters_and_a_refused_one_is_echoed(api, password):
    errors = errors_of(api, {"name": "n", "sip": {"username": "alice", "password": password}})
    rule, target = ("minLength", 5) if len(password) < 5 else ("maxLength", 32)
    error = errors["sip.password"][rule]
    assert (error["target"], error["cause"], error["value"]) == (target, password, password)
    few = "String must be at least 5 characters"
    many = "String must not be more than 32 characters"
    assert error["message"] == (few if rule == "minLength" else many)


@pytest.mark.parametrize("password", ["12345", "x" * 32])
def test_passwords_at_both_ends_are_accepted(api, password):
    document = {"name": "n", "sip": {"username": "alice", "password": password}}
    assert api.put("/devices", document).status_code == 201


def test_an_owner_id_is_exactly_32_characters(api):
    errors = errors_of(api, {"name": "n", "owner_id": "user_123456"})
    assert errors == {
        "owner_id": {
            "minLength": {
                "message": "String must be at least 32 characters",
                "target": 32,
                "cause": "user_123456",
                "value": "user_123456",
            }
        }
    }
    assert "maxLength" in errors_of(api, {"name": "n", "owner_id": "x" * 33})["owner_id"]
    assert api.put("/devices", {"name": "n", "owner_id": "f" * 32}).status_code == 201, "it may dangle"


def test_a_sip_username_is_unique_without_regard_to_case(api):
    api.created("alice")
    errors = errors_of(api, api.softphone("ALICE"))
    assert errors == {"sip.username": {"unique": {"message": "SIP credentials already in use", "cause": "ALICE"}}}


def test_a_device_may_keep_its_own_username(api):
    id_ = api.created("alice")
    assert api.patch(f"/devices/{id_}", {"sip": {"username": "Alice"}}).status_code == 200


def test_a_doubled_username_refuses_every_edit_of_either(api):
    ids = [
        api.sandbox.add_device(name=f"Twin {n}", device_type="softphone", sip={"username": "twin", "password": "abcdef"})
        for n in (1, 2)
    ]
    for id_ in ids:
        answer = api.patch(f"/devices/{id_}", {"name": "Renamed"})
        assert answer.status_code == 400
        assert "unique" in answer.json()["data"]["sip.username"]


def test_a_mac_address_is_unique(api):
    api.put("/devices", {"name": "Desk", "mac_address": "001a2b3c4d5e"})
    errors = errors_of(api, {"name": "Other desk", "mac_address": "00:1A:2B:3C:4D:5E"})
    assert errors["mac_address"]["unique"]["message"] == "MAC address already in use"


@pytest.mark.parametrize(
    ("document", "path", "rule"),
    [
        ({"name": ""}, "name", "minLength"),
        ({"name": "x" * 129}, "name", "maxLength"),
        ({"name": 7}, "name", "type"),
        ({"name": "n", "enabled": "perhaps"}, "enabled", "type"),
        ({"name": "n", "sip": "alice"}, "sip", "type"),
        ({"name": "n", "sip": {"username": "a"}}, "sip.username", "minLength"),
        ({"name": "n", "sip": {"username": "x" * 33}}, "sip.username", "maxLength"),
        ({"name": "n", "sip": {"method": "magic"}}, "sip.method", "enum"),
        ({"name": "n", "sip": {"realm": "not a realm"}}, "sip.realm", "pattern"),
        ({"name": "n", "sip": {"realm": "abc"}}, "sip.realm", "minLength"),
        ({"name": "n", "sip": {"expire_seconds": "soon"}}, "sip.expire_seconds", "type"),
        ({"name": "n", "caller_id": {"internal": {"number": "1" * 36}}}, "caller_id.internal.number", "maxLength"),
        ({"name": "n", "caller_id": {"internal": {"name": "x" * 36}}}, "caller_id.internal.name", "maxLength"),
        ({"name": "n", "media": {"audio": {"codecs": ["PCMU", "PCMU"]}}}, "media.audio.codecs", "uniqueItems"),
        ({"name": "n", "media": {"audio": {"codecs": ["pcmu"]}}}, "media.audio.codecs.0", "enum"),
        ({"name": "n", "media": {"encryption": {"methods": ["dtls"]}}}, "media.encryption.methods.0", "enum"),
        ({"name": "n", "flags": "portal"}, "flags", "type"),
        ({"name": "n", "call_forward": {"number": "1"}}, "call_forward.enabled", "required"),
        ({"name": "n", "call_forward": {"enabled": True, "fun": 1}}, "call_forward.fun", "additionalProperties"),
        ({"name": "n", "music_on_hold": {"media_id": "x" * 2049}}, "music_on_hold.media_id", "maxLength"),
        ({"name": "n", "ringtones": {"internal": "x" * 257}}, "ringtones.internal", "maxLength"),
        ({"name": "n", "outbound_flags": 1}, "outbound_flags", "oneOf"),
        ({"name": "n", "device_type": "mobile"}, "mobile.mdn", "required"),
    ],
)
def test_each_rule_is_told_under_its_path(api, document, path, rule):
    errors = errors_of(api, document)
    assert set(errors) == {path}
    assert rule in errors[path]
    assert errors[path][rule]["message"]


def test_all_errors_come_in_one_answer(api):
    api.created("alice")
    document = {"name": "", "owner_id": "short", "sip": {"username": "alice", "password": "abc"}}
    assert set(errors_of(api, document)) == {"name", "owner_id", "sip.password", "sip.username"}


def test_an_enum_tells_what_is_allowed(api):
    error = errors_of(api, {"name": "n", "sip": {"method": "magic"}})["sip.method"]["enum"]
    assert error["message"] == "Value not found in enumerated list of values"
    assert error["target"] == ["password", "ip", "authorization"]


def test_a_dot_inside_a_key_is_escaped(api):
    errors = errors_of(api, {"name": "n", "call_restriction": {"a.b": {"action": "maybe"}}})
    assert set(errors) == {"call_restriction.a%2Eb.action"}


def test_text_that_reads_as_a_boolean_or_a_number_is_taken_as_one(api):
    data = api.put("/devices", {"name": "n", "enabled": "false", "sip": {"expire_seconds": "60"}}).json()["data"]
    assert data["enabled"] is False
    assert data["sip"]["expire_seconds"] == 60


def test_a_refused_change_changes_nothing(api):
    id_ = api.created()
    before = api.get(f"/devices/{id_}").json()
    assert api.patch(f"/devices/{id_}", {"name": "New", "sip": {"password": "abc"}}).status_code == 400
    after = api.get(f"/devices/{id_}").json()
    assert (after["data"], after["revision"]) == (before["data"], before["revision"])
