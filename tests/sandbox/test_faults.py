"""Every failure on demand, and what is left behind by it."""

import socket
import struct
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests

from .conftest import calling, wait_until

REFUSALS = [
    ("403", 403, "forbidden"),
    ("409", 409, "datastore_conflict"),
    ("423", 423, "locked"),
    ("429", 429, "too_many_requests"),
    ("500", 500, "unspecified_fault"),
    ("503", 503, "datastore_unreachable"),
    ("402_standing", 402, "no_credit"),
    ("expired_token", 401, "invalid credentials"),
]


def answered(api) -> bool:
    """Whether the last request came to its end at the server, whoever still waits for it."""
    return api.sandbox.calls[-1].status is not None


@pytest.mark.parametrize(("name", "status", "message"), REFUSALS)
def test_a_refusal_comes_once_and_does_nothing(api, name, status, message):
    id_ = api.created()
    api.sandbox.faults.add(name)
    answer = api.patch(f"/devices/{id_}", {"name": "New"})
    body = answer.json()
    assert answer.status_code == status
    assert (body["status"], body["error"], body["message"]) == ("error", str(status), message)
    assert body["auth_token"] == api.sandbox.static_token
    assert api.sandbox.device(id_)["name"] == "Alice Smith - softphone"
    assert api.patch(f"/devices/{id_}", {"name": "New"}).status_code == 200


def test_a_conflict_says_so(api):
    id_ = api.created()
    api.sandbox.faults.add("409")
    assert api.get(f"/devices/{id_}").status_code == 200, "reading cannot conflict"
    answer = api.delete(f"/devices/{id_}")
    assert (answer.status_code, answer.json()["data"]) == (409, {"message": "conflicting documents"})


def test_a_fault_counts_down_or_stands_until_cleared(api):
    api.sandbox.faults.add("503", times=2)
    assert [api.get("").status_code for _ in range(3)] == [503, 503, 200]
    api.sandbox.faults.add("503", times=None)
    assert [api.get("").status_code for _ in range(3)] == [503, 503, 503]
    api.sandbox.faults.clear()
    assert api.get("").status_code == 200


def test_a_fault_can_wait_for_one_kind_of_request(api):
    id_ = api.created()
    api.sandbox.faults.add("503", match="GET /devices$")
    assert api.get(f"/devices/{id_}").status_code == 200
    assert api.put("/devices", api.softphone("bob_1")).status_code == 201
    assert api.get("/devices").status_code == 503
    api.sandbox.faults.add("500", method="DELETE", path="/devices")
    assert api.get("/devices").status_code == 200
    assert api.delete(f"/devices/{id_}").status_code == 500
    api.sandbox.faults.add("429", path="/api_auth")
    assert api.get("").status_code == 200
    assert api.log_in().status_code == 429


def test_an_unknown_fault_is_a_mistake(api):
    with pytest.raises(ValueError, match="There is no fault 'flood'"):
        api.sandbox.faults.add("flood")


def test_a_server_error_can_come_after_the_work_is_done(api):
    api.sandbox.faults.add("500", after=True)
    assert api.put("/devices", api.softphone()).status_code == 500
    assert api.sandbox.device_id("alice")


def test_402_quotes_until_the_charges_are_accepted(api):
    api.sandbox.faults.add("402")
    for _ in range(2):
        answer = api.put("/devices", api.softphone())
        body = answer.json()
        assert answer.status_code == 402
        assert (body["error"], body["message"]) == ("402", "accept charges")
        assert body["data"] == {
            "devices": {
                "softphone": {
                    "category": "devices",
                    "item": "softphone",
                    "quantity": 1,
                    "rate": 2.0,
                    "activation_charges": 1.0,
                }
            },
            "activation_charges": 1.0,
        }
        assert api.sandbox.devices() == []
    accepted = api.put("/devices", api.softphone(), accept_charges=True)
    assert accepted.status_code == 201
    assert api.put("/devices", api.softphone("bob_1")).status_code == 201, "one acceptance was asked for"


def test_a_dearer_quote(api):
    api.sandbox.faults.add("402", times=None, rate=9.5, activation_charges=0)
    data = api.put("/devices", api.softphone()).json()["data"]
    assert (data["devices"]["softphone"]["rate"], data["activation_charges"]) == (9.5, 0)
    assert api.put("/devices", api.softphone(), accept_charges=True).status_code == 201
    assert api.put("/devices", api.softphone("bob_1")).status_code == 402, "it stands until cleared"
    assert api.get("/devices").status_code == 200


def test_402_of_the_accounts_standing_is_not_helped_by_accepting(api):
    api.sandbox.faults.add("402_standing")
    answer = api.put("/devices", api.softphone(), accept_charges=True)
    assert (answer.status_code, answer.json()["message"]) == (402, "no_credit")


def test_412_with_an_empty_body_although_nothing_changed(api):
    id_ = api.created()
    tag = api.get(f"/devices/{id_}").headers["ETag"]
    api.sandbox.faults.add("412_empty", times=None)
    answer = api.call("POST", f"/devices/{id_}", api.softphone(), headers={"If-Match": tag})
    assert (answer.status_code, answer.content) == (412, b"")
    assert api.post(f"/devices/{id_}", api.softphone()).status_code == 200, "without If-Match it works"


def test_416_for_a_list(api):
    api.sandbox.faults.add("416")
    assert api.get("").status_code == 200
    answer = api.get("/devices", paginate="false")
    assert (answer.status_code, answer.json()["message"], answer.json()["data"]) == (416, "range not satisfiable", {})


@pytest.mark.parametrize(("name", "status"), [("html_502", 502), ("html_200", 200)])
def test_html_instead_of_json(api, name, status):
    api.sandbox.faults.add(name)
    answer = api.get("/devices")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.text.startswith("<html>")


def test_an_empty_body_with_200(api):
    api.sandbox.faults.add("empty_body_200")
    answer = api.get("/devices")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_slow_answer(api):
    api.sandbox.faults.add("slow", seconds=0.3)
    begin = time.monotonic()
    assert api.get("/devices").status_code == 200
    assert time.monotonic() - begin >= 0.3


def test_a_slow_answer_is_carried_out_even_when_nobody_waits_for_it(api):
    api.sandbox.faults.add("slow", seconds=0.5)
    with pytest.raises(requests.ReadTimeout):
        api.call("PUT", "/devices", api.softphone(), timeout=0.1)
    made = api.sandbox.devices()
    assert made == [] or answered(api)
    wait_until(lambda: answered(api))
    assert api.sandbox.device_id("alice")


def test_a_slow_answer_after_the_work_is_done(api):
    api.sandbox.faults.add("slow", seconds=60, after=True)
    with pytest.raises(requests.ReadTimeout):
        api.call("PUT", "/devices", api.softphone(), timeout=0.2)
    wait_until(api.sandbox.devices)
    assert api.sandbox.device_id("alice")


def test_a_body_that_drips_defeats_a_read_timeout(api):
    api.sandbox.faults.add("drip", seconds=0.002)
    begin = time.monotonic()
    answer = api.call("GET", "/devices", timeout=0.6)
    assert answer.json()["data"] == []
    assert time.monotonic() - begin > 0.6


def test_a_connection_cut_before_anything_is_done(api):
    api.sandbox.faults.add("cut_before", method="PUT")
    with pytest.raises(requests.ConnectionError):
        api.put("/devices", api.softphone())
    assert api.sandbox.devices() == []
    assert api.put("/devices", api.softphone()).status_code == 201


def test_a_connection_cut_after_the_work_is_done(api):
    api.sandbox.faults.add("cut_after", method="PUT")
    with pytest.raises(requests.ConnectionError):
        api.put("/devices", api.softphone())
    assert api.sandbox.device_id("alice")
    assert api.put("/devices", api.softphone()).json()["data"]["sip.username"]["unique"]
    assert [call.status for call in api.sandbox.calls] == [0, 400]


def test_a_body_that_ends_too_early(api):
    api.sandbox.faults.add("truncated_body")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.get("/devices")
    assert api.get("/devices").status_code == 200


def test_a_listing_that_is_empty_although_there_are_devices(town):
    town.sandbox.faults.add("empty_listing")
    assert town.get("").status_code == 200, "the fault waits for a list"
    body = town.get("/devices", filter_device_type="softphone").json()
    assert (body["data"], body["page_size"], body["status"]) == ([], 0, "success")
    assert "next_start_key" not in body
    assert len(town.get("/devices").json()["data"]) == 50


def test_a_page_without_rows_that_is_not_the_last(town):
    town.sandbox.faults.add("empty_page")
    body = town.get("/devices").json()
    assert (body["data"], body["page_size"]) == ([], 0)
    following = town.get("/devices", start_key=body["next_start_key"]).json()
    assert len(following["data"]) == 50


def test_a_page_key_that_leads_back_to_the_same_page(town):
    town.sandbox.faults.add("repeated_page_key")
    body = town.get("/devices", page_size=10).json()
    assert len(body["data"]) == 10
    assert body["next_start_key"] == body["start_key"]


def test_registrations_that_are_empty_by_mistake(api):
    api.sandbox.register(api.created())
    api.sandbox.faults.add("registrations_empty")
    answer = api.get("/registrations")
    assert (answer.status_code, answer.json()["data"]) == (200, [])
    assert len(api.get("/registrations").json()["data"]) == 1


def test_a_refusal_and_a_slow_answer_can_come_together(api):
    api.sandbox.faults.add("slow", seconds=0.2)
    api.sandbox.faults.add("503")
    begin = time.monotonic()
    assert api.get("").status_code == 503
    assert time.monotonic() - begin >= 0.2


def test_latency_is_added_to_every_answer():
    with calling(rate_limit=False, latency=0.1) as api:
        begin = time.monotonic()
        api.get("")
        api.get("")
        assert time.monotonic() - begin >= 0.2


def test_a_server_that_stops_lets_nobody_wait():
    outcome = []

    def ask(caller):
        try:
            outcome.append(caller.get(""))
        except requests.ConnectionError as error:
            outcome.append(error)

    with calling(rate_limit=False) as api:
        api.sandbox.faults.add("slow", seconds=3600)
        asking = threading.Thread(target=ask, args=(api,))
        asking.start()
        wait_until(lambda: api.sandbox.calls)
    asking.join(timeout=30)
    assert [type(each) for each in outcome] == [requests.ConnectionError]


def test_a_client_that_was_killed_is_nothing_to_tell(capfd):
    """Its connection is reset, as what was sent to it was not read any more."""
    with calling(rate_limit=False) as api:
        server, others = urlsplit(api.url), threading.enumerate()
        for sent in (b"", b"GET /v2 HTTP/1.1\r\n"):
            with socket.create_connection((server.hostname, server.port), timeout=30) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(sent)
        requests.get(f"{api.root}/sandbox", headers={"Connection": "close"}, timeout=30)  # by then the two were let in
        wait_until(lambda: all(thread in others for thread in threading.enumerate()))
    assert capfd.readouterr().err == ""
