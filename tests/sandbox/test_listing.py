"""Lists: rows, filters, fields and pages (audian-api.md section 4)."""

import base64
import json

import pytest

from .conftest import calling


def pages_of(caller, path="/devices", **query):
    """Every page of a list, following next_start_key."""
    pages, key = [], {}
    while True:
        body = caller.get(path, **query, **key).json()
        pages.append(body)
        if "next_start_key" not in body:
            return pages
        key = {"start_key": body["next_start_key"]}


def ids_of(caller, path="/devices", **query):
    return [row["id"] for page in pages_of(caller, path, **query) for row in page["data"]]


def test_a_row_is_flat_and_holds_no_password(api):
    id_ = api.created(owner_id="a" * 32, flags=["portal"], caller_id={"internal": {"name": "A"}})
    (row,) = api.get("/devices").json()["data"]
    assert row == {
        "id": id_,
        "name": "Alice Smith - softphone",
        "username": "alice",
        "mac_address": "",
        "owner_id": "a" * 32,
        "enabled": True,
        "device_type": "softphone",
        "flags": ["portal"],
        "features": ["caller_id"],
        "call_recording": {},
        "mobile": {},
    }


def test_a_row_without_a_type_reads_sip_device_but_is_not_found_by_it(api):
    id_ = api.put("/devices", {"name": "No type"}).json()["data"]["id"]
    assert api.get("/devices").json()["data"][0]["device_type"] == "sip_device"
    assert ids_of(api, filter_device_type="sip_device") == []
    assert ids_of(api, filter_device_type="") == [id_], "a missing key is the empty text"


def test_pages_hold_fifty_rows_and_end_when_the_next_key_is_absent(town):
    pages = pages_of(town)
    sizes = [len(page["data"]) for page in pages]
    assert sizes[:-1] == [50] * (len(pages) - 1)
    assert len(pages) > 2
    assert [page["page_size"] for page in pages] == sizes
    assert "next_start_key" not in pages[-1]
    ids = [row["id"] for page in pages for row in page["data"]]
    assert ids == sorted(ids, reverse=True), "descending unless asked otherwise"
    assert sorted(ids) == [device["id"] for device in town.sandbox.devices()]


def test_a_last_page_that_is_full_also_ends_without_a_key(town):
    everything = len(town.sandbox.devices())
    body = town.get("/devices", page_size=everything).json()
    assert body["page_size"] == everything
    assert "next_start_key" not in body


def test_keys_are_opaque_base64_of_an_erlang_term(town):
    body = town.get("/devices", page_size=5).json()
    for name in ("start_key", "next_start_key"):
        assert body[name].startswith("g2w")
        assert base64.urlsafe_b64decode(body[name] + "==")[0] == 131
    assert body["start_key"] != body["next_start_key"]


def test_the_start_key_is_that_of_the_page_itself(town):
    first = town.get("/devices", page_size=5).json()
    again = town.get("/devices", page_size=5, start_key=first["start_key"]).json()
    assert again["data"] == first["data"]
    second = town.get("/devices", page_size=5, bookmark=first["next_start_key"]).json()
    assert not {row["id"] for row in second["data"]} & {row["id"] for row in first["data"]}


@pytest.mark.parametrize("key", ["nonsense", "g2w", "%%%", "é"])
def test_a_bad_key_starts_at_the_first_page_without_a_word(town, key):
    assert town.get("/devices", start_key=key).json()["data"] == town.get("/devices").json()["data"]


@pytest.mark.parametrize("query", [{"ascending": "true"}, {"descending": "false"}])
def test_the_order_can_be_turned(town, query):
    assert ids_of(town, page_size=30, **query) == list(reversed(ids_of(town)))


@pytest.mark.parametrize("size", ["0", "-1", "many", ""])
def test_a_bad_page_size_is_404_faulty_request(town, size):
    answer = town.get("/devices", page_size=size)
    assert answer.status_code == 404
    assert answer.json()["message"] == "faulty_request"


def test_without_paging_everything_comes_without_paging_keys(town):
    body = town.get("/devices", paginate="false").json()
    assert len(body["data"]) == len(town.sandbox.devices())
    assert not {"page_size", "start_key", "next_start_key"} & set(body)


def test_the_type_filter_finds_exactly_the_softphones(town):
    wanted = {d["id"] for d in town.sandbox.devices() if d.get("device_type") == "softphone"}
    assert len(wanted) == 120
    assert set(ids_of(town, filter_device_type="softphone")) == wanted
    assert set(ids_of(town)) > wanted


def test_filters_are_anded_and_look_into_the_document(town):
    bob = next(user for user in town.sandbox.users() if user["email"] == "bob@acme.example")
    phones = [device for device in town.sandbox.devices() if device.get("owner_id") == bob["id"]]
    assert len(phones) == 2
    username = phones[0]["sip"]["username"]
    assert set(ids_of(town, filter_owner_id=bob["id"])) == {phone["id"] for phone in phones}
    assert ids_of(town, **{"filter_owner_id": bob["id"], "filter_sip.username": username}) == [phones[0]["id"]]
    assert ids_of(town, **{"filter_owner_id": bob["id"], "filter_sip.username": "somebody"}) == []


def test_the_username_filter_is_exact_and_minds_case(api):
    id_ = api.created("Alice")
    assert ids_of(api, **{"filter_sip.username": "Alice"}) == [id_]
    assert ids_of(api, **{"filter_sip.username": "alice"}) == []
    assert ids_of(api, filter_username="Alice") == [], "there is no such field in the document"


def test_a_misspelt_parameter_is_ignored_and_everything_comes(town):
    assert ids_of(town, filter_devicetype="softphone") == [], "a filter on a field that nobody has"
    assert ids_of(town, fliter_device_type="softphone") == ids_of(town)


def test_every_kind_of_filter(api):
    phone = api.created("alice", flags=["a", "b"], owner_id="f" * 32, enabled=False)
    desk = api.put("/devices", {"name": "Desk", "device_type": "sip_device", "flags": []}).json()["data"]["id"]
    both = sorted([phone, desk], reverse=True)
    for query, wanted in [
        ({"filter_enabled": "true"}, [desk]),
        ({"filter_enabled": "false"}, [phone]),
        ({"filter_sip.expire_seconds": "300"}, both),
        ({"filter_not_device_type": "softphone"}, [desk]),
        ({"filter_any_device_type": '["softphone","fax"]'}, [phone]),
        ({"filter_none_device_type": '["softphone","fax"]'}, [desk]),
        ({"filter_array_intersect_all_flags": '["a","b"]'}, [phone]),
        ({"filter_array_intersect_any_flags": '["b","c"]'}, [phone]),
        ({"filter_array_intersect_none_flags": '["b"]'}, [desk]),
        ({"filter_any_device_type": "not json"}, []),
        ({"filter_any_device_type": '"softphone"'}, []),
        ({"has_key": "owner_id"}, [phone]),
        ({"key_missing": "owner_id"}, [desk]),
        ({"has_value": "flags"}, [phone]),
        ({"value_missing": "flags"}, [desk]),
        ({"created_from": "62167219200"}, both),
        ({"created_from": "99999999999"}, []),
        ({"created_to": "62167219200"}, []),
        ({"modified_from": "62167219200", "modified_to": "99999999999"}, both),
        ({"modified_from": "2026-01-01T00:00:00Z"}, []),
    ]:
        assert ids_of(api, **query) == wanted, query


def test_fields_answers_only_what_was_asked_for_and_the_id(town):
    fields = json.dumps(["name", "sip.username", "sip.method", "owner_id", "pvt_type"])
    row = town.get("/devices", filter_device_type="softphone", fields=fields, has_key="owner_id").json()["data"][0]
    assert set(row) == {"id", "name", "sip", "owner_id"}
    assert set(row["sip"]) == {"username", "method"}, "defaults are part of the document"


def test_fields_gives_everybodys_password_when_asked(town):
    rows = town.get("/devices", filter_device_type="softphone", fields='["sip.password"]').json()["data"]
    assert all(5 <= len(row["sip"]["password"]) <= 32 for row in rows)


@pytest.mark.parametrize("fields", ["name", '{"name"', '"name"', "[1]"])
def test_bad_fields_are_404_faulty_request(town, fields):
    answer = town.get("/devices", fields=fields)
    assert (answer.status_code, answer.json()["message"]) == (404, "faulty_request")


def test_an_older_server_ignores_fields():
    with calling(rate_limit=False, honours_fields=False) as api:
        api.created()
        for fields in ('["sip.password"]', "not json"):
            row = api.get("/devices", fields=fields).json()["data"][0]
            assert row["username"] == "alice"
            assert "sip" not in row


def test_with_status_adds_who_is_registered(api):
    alice, bob = api.created("alice"), api.created("bob_1")
    api.put("/devices", {"name": "Cell", "device_type": "cellphone"})
    api.sandbox.register(alice)
    plain = api.get("/devices").json()["data"]
    assert not any("registered" in row or "registrable" in row for row in plain)
    rows = {row["name"] + row.get("username", ""): row for row in api.get("/devices", with_status="true").json()["data"]}
    assert rows["Alice Smith - softphonealice"]["registered"] is True
    assert rows["Alice Smith - softphonebob_1"]["registered"] is False
    assert rows["Alice Smith - softphonebob_1"]["registrable"] is True
    assert rows["Cell"]["registrable"] is False
    assert "registered" not in rows["Cell"]
    with_fields = api.get("/devices", with_status="true", fields='["name"]', **{"filter_sip.username": "bob_1"})
    assert with_fields.json()["data"] == [
        {"id": bob, "name": "Alice Smith - softphone", "registrable": True, "registered": False}
    ]


def test_a_device_that_appears_or_goes_between_pages_does_not_break_the_rest(api):
    before = sorted((api.created(f"user_{n}") for n in range(6)), reverse=True)
    first = api.get("/devices", page_size=2).json()
    api.sandbox.remove_device(before[2])
    rest = api.get("/devices", page_size=10, start_key=first["next_start_key"]).json()
    assert [row["id"] for row in rest["data"]] == before[3:]
