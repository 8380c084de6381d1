"""The other dialect: exactly what the vendor's softphones page shows, and Kazoo where it is silent."""

import pytest

from .conftest import calling

THE_PAGES_EXAMPLE = {
    "name": "Alice Softphone",
    "device_type": "softphone",
    "owner_id": "user_123456",
    "sip": {"username": "alice_softphone", "password": "secure_password"},
    "caller_id": {"internal": {"number": "1001", "name": "Alice Smith"}},
}


@pytest.fixture
def example(page):
    """The id of the softphone that the page creates."""
    return page.put("/devices", THE_PAGES_EXAMPLE).json()["data"]["id"]


def test_create_answers_what_the_page_shows_and_no_password(page):
    answer = page.put("/devices", THE_PAGES_EXAMPLE)
    body = answer.json()
    assert answer.status_code == 201
    assert set(body) == {"auth_token", "data", "status"}
    assert body["data"].pop("id").startswith("device_softphone_")
    assert body["data"] == {
        "name": "Alice Softphone",
        "device_type": "softphone",
        "owner_id": "user_123456",
        "enabled": True,
        "sip": {"username": "alice_softphone", "realm": "sip.audian.com"},
    }
    assert "ETag" not in answer.headers


def test_list_rows_hold_sip_with_username_and_realm(page, example):
    body = page.get("/devices", filter_device_type="softphone").json()
    assert body["data"] == [
        {
            "id": example,
            "name": "Alice Softphone",
            "device_type": "softphone",
            "owner_id": "user_123456",
            "enabled": True,
            "sip": {"username": "alice_softphone", "realm": "sip.audian.com"},
        }
    ]
    assert not {"revision", "tokens", "version", "metadata"} & set(body)


def test_a_device_has_a_status_of_its_own(page, example):
    assert page.get(f"/devices/{example}/status").json()["data"] == {"registered": False}
    page.sandbox.register(example, at=1770215400, expires=10**9)
    body = page.get(f"/devices/{example}/status").json()
    assert set(body) == {"auth_token", "data", "status"}
    assert body["data"] == {
        "registered": True,
        "ip": "203.0.113.50",
        "port": 52415,
        "last_registration": "2026-02-04T14:30:00Z",
    }
    assert page.get(f"/devices/{'0' * 32}/status").json()["message"] == "bad_identifier"


def test_the_pages_update_merges(page, example):
    answer = page.post(f"/devices/{example}", {"name": "Alice Softphone - Home", "enabled": True})
    assert answer.status_code == 200
    stored = page.sandbox.device(example)
    assert stored["name"] == "Alice Softphone - Home"
    assert stored["sip"]["password"] == "secure_password"
    assert stored["owner_id"] == "user_123456"


def test_delete_is_204_without_a_body(page, example):
    answer = page.delete(f"/devices/{example}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert page.get(f"/devices/{example}").status_code == 404


def test_reading_one_is_kazoos_with_the_pages_realm(page, example):
    body = page.get(f"/devices/{example}").json()
    assert set(body) == {"auth_token", "data", "status"}
    assert body["data"]["sip"]["realm"] == "sip.audian.com"
    assert body["data"]["sip"]["password"] == "secure_password"
    assert body["data"]["caller_id"] == THE_PAGES_EXAMPLE["caller_id"]
    row = page.get("/devices", fields='["sip.realm","sip.password"]').json()["data"][0]
    assert row["sip"] == {"realm": "sip.audian.com", "password": "secure_password"}


def test_a_document_sent_back_as_it_came_does_not_gain_a_realm(page, example):
    document = page.get(f"/devices/{example}").json()["data"]
    assert page.post(f"/devices/{example}", document).status_code == 200
    assert "realm" not in page.sandbox.device(example)["sip"]


def test_if_match_means_nothing_without_revisions(page, example):
    answer = page.call("POST", f"/devices/{example}", {"name": "New"}, headers={"If-Match": '"1-old"'})
    assert answer.status_code == 200


def test_pages_hold_25_rows_and_never_more_than_100():
    with calling(rate_limit=False, dialect="page", devices=150) as page:
        body = page.get("/devices").json()
        assert (len(body["data"]), body["page_size"]) == (25, 25)
        assert len(page.get("/devices", page_size=500).json()["data"]) == 100
        rest = page.get("/devices", start_key=body["next_start_key"]).json()
        assert not {row["id"] for row in rest["data"]} & {row["id"] for row in body["data"]}


def test_errors_use_the_vendors_slugs_around_kazoos_data(page, example):
    refused = page.put("/devices", THE_PAGES_EXAMPLE)
    assert (refused.status_code, refused.json()["message"]) == (400, "bad_request")
    assert "unique" in refused.json()["data"]["sip.username"]
    page.session.headers["X-Auth-Token"] = "garbage"
    unknown = page.get("/devices")
    assert (unknown.status_code, unknown.json()["message"]) == (401, "unauthorized")
    assert set(unknown.json()) == {"auth_token", "data", "error", "message", "status"}


def test_logging_in_is_the_same(page):
    answer = page.log_in()
    assert answer.status_code == 201
    assert set(answer.json()) == {"auth_token", "data", "status"}


def test_where_the_page_is_silent_it_is_kazoo(page, example):
    page.sandbox.register(example)
    assert page.patch(f"/devices/{example}", {"flags": ["x"]}).status_code == 200
    assert page.get("/devices", with_status="true").json()["data"][0]["registered"] is True
    assert page.get("/devices/status").json()["data"][0]["registered"] is True
    assert page.get("/registrations").json()["data"][0]["authorizing_id"] == example
    assert page.get("").json()["data"]["realm"] == "acme.sip.audian.com"
    assert page.put(f"/devices/{example}", THE_PAGES_EXAMPLE).status_code == 400
