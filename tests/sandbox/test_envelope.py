"""The envelope around every answer, and the errors that come before anything is looked at (audian-api.md section 2)."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests

ALWAYS = {"data", "status", "revision", "auth_token", "version", "node", "request_id", "timestamp", "tokens"}


def test_a_single_document_has_every_key_of_the_envelope(api):
    answer = api.get(f"/devices/{api.created()}")
    body = answer.json()
    assert set(body) == ALWAYS | {"metadata"}
    assert body["status"] == "success"
    assert body["auth_token"] == api.sandbox.static_token
    assert body["version"] == "5.4.32.6"
    assert re.fullmatch(r"1-[0-9a-f]{32}", body["revision"])
    assert answer.headers["ETag"] == f'"{body["revision"]}"'
    stamp = datetime.strptime(body["timestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - stamp).total_seconds()) < 10


def test_the_metadata_counts_in_gregorian_seconds(api):
    id_ = api.created()
    metadata = api.get(f"/devices/{id_}").json()["metadata"]
    assert metadata["id"] == id_
    seconds = metadata["created"] - 62167219200
    assert abs(datetime.now(UTC).timestamp() - seconds) < 10
    assert metadata["modified"] >= metadata["created"]


def test_a_list_has_the_paging_keys_and_a_weak_etag(town):
    answer = town.get("/devices", page_size=3)
    body = answer.json()
    assert set(body) == ALWAYS | {"page_size", "start_key", "next_start_key"}
    assert body["revision"] == "automatic"
    assert re.fullmatch(r'W/"[0-9a-f]{32}"', answer.headers["ETag"])


def test_an_error_has_its_code_as_a_string_and_echoes_the_token(api):
    answer = api.get("/devices/nobody")
    body = answer.json()
    assert answer.status_code == 404
    assert set(body) == ALWAYS - {"revision"} | {"error", "message"}
    assert (body["status"], body["error"], body["message"]) == ("error", "404", "bad_identifier")
    assert body["data"] == {"message": "bad identifier", "cause": "nobody"}
    assert body["auth_token"] == api.sandbox.static_token


def test_a_request_id_that_was_sent_comes_back_in_header_and_body(api):
    answer = api.get("", headers={"X-Request-ID": "my-own-id"})
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "my-own-id"
    other = api.get("")
    assert re.fullmatch(r"[0-9a-f]{32}", other.json()["request_id"])
    assert other.headers["X-Request-ID"] == other.json()["request_id"]


@pytest.mark.parametrize("path", ["/nothing", "/devices/a/b/c", "/callflows"])
def test_an_address_that_no_module_knows_is_404_not_found(api, path):
    answer = api.get(path)
    assert answer.status_code == 404
    assert (answer.json()["message"], answer.json()["data"]) == ("not_found", {"message": "not found"})


def test_another_version_of_the_api_is_not_here(api):
    assert api.session.get(f"{api.root}/v1/accounts/{api.sandbox.account_id}", timeout=30).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/devices"), ("DELETE", "/devices"), ("POST", "/registrations"), ("PATCH", ""), ("DELETE", "/users")],
)
def test_the_wrong_verb_is_405(api, method, path):
    answer = api.call(method, path, {})
    assert answer.status_code == 405
    assert answer.json()["message"] == "invalid_method"
    assert api.session.get(f"{api.url}/api_auth", timeout=30).status_code == 405


def test_a_body_that_is_not_json_is_400(api):
    answer = api.session.put(f"{api.account_url}/devices", data=b'{"data": {', timeout=30)
    assert answer.status_code == 400
    assert answer.json()["data"]["json"]["invalid"]["target"] == "body"


@pytest.mark.parametrize("body", [{}, {"name": "not wrapped"}])
def test_a_body_without_data_is_400(api, body):
    answer = api.session.put(f"{api.account_url}/devices", json=body, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["message"] == "validation error"
    assert answer.json()["data"]["data"]["required"]["message"] == "Field is required but missing"


def test_data_that_is_no_object_is_400(api):
    answer = api.put("/devices", ["a", "list"])
    assert answer.status_code == 400
    assert answer.json()["data"]["data"]["type"]["target"] == "object"


def test_another_content_type_is_415_with_an_empty_body(api):
    answer = api.session.put(f"{api.account_url}/devices", data={"data": "form"}, timeout=30)
    assert (answer.status_code, answer.content) == (415, b"")


def test_the_content_type_may_be_left_out(api):
    body = b'{"data": {"name": "Just a name"}}'
    assert api.session.put(f"{api.account_url}/devices", data=body, timeout=30).status_code == 201


def test_a_body_over_eight_million_bytes_is_413(api):
    body = b'{"data": {"name": "' + b"x" * 8_000_000 + b'"}}'
    answer = api.session.put(f"{api.account_url}/devices", data=body, timeout=30)
    assert (answer.status_code, answer.content) == (413, b"")
    assert api.get("/devices").json()["data"] == []


def test_many_requests_use_one_connection(api):
    with requests.Session() as session:
        session.trust_env = False
        session.headers["X-Auth-Token"] = api.sandbox.static_token
        for _ in range(5):
            assert session.get(api.account_url, timeout=30).status_code == 200
            assert session.get(f"{api.account_url}/nothing", timeout=30).status_code == 404
        pools = session.get_adapter(api.url).poolmanager.pools
        assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118 - not a dict


def test_each_answer_tells_the_servers_time_which_can_be_wrong(api):
    api.sandbox.clock_ahead = 3600
    told = parsedate_to_datetime(api.get("").headers["Date"])
    assert 3500 < (told - datetime.now(UTC)).total_seconds() <= 3600
