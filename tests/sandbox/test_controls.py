"""The switches under /sandbox, and the hands a test has inside the process."""

import io

import pytest
import requests

from softphones.audian.sandbox import Sandbox


def control(caller, method, path="", /, **body):
    answer = requests.request(method, f"{caller.root}/sandbox{path}", json=body or None, timeout=30)
    return answer.status_code, answer.json()


def test_the_summary_tells_how_to_get_in_and_what_came(api):
    api.get("/devices")
    api.get("/devices/nobody")
    status, summary = control(api, "GET")
    assert status == 200
    assert summary["account_id"] == api.sandbox.account_id
    assert summary["api_key"] == api.sandbox.api_key
    assert summary["static_token"] == api.sandbox.static_token
    assert summary["realm"] == "acme.sip.audian.com"
    assert summary["dialect"] == "kazoo"
    assert summary["zoiper_provider_id"] == api.sandbox.zoiper_provider_id
    assert (summary["devices"], summary["users"], summary["calls"]) == (0, 0, 2)
    assert summary["calls_by_status"] == {"200": 1, "404": 1}


def test_the_calls_are_told_in_order_and_the_controls_are_not_among_them(api):
    api.get("/devices", headers={"X-Request-ID": "first"}, page_size="7")
    control(api, "GET")
    first, second = control(api, "GET", "/calls")[1] + [None]
    assert second is None
    assert (first["method"], first["status"], first["request_id"]) == ("GET", 200, "first")
    assert first["path"] == f"/v2/accounts/{api.sandbox.account_id}/devices"
    assert first["query"] == {"page_size": "7"}
    assert control(api, "DELETE", "/calls") == (200, {})
    assert control(api, "GET", "/calls") == (200, [])


def test_faults_from_outside(api):
    status, fault = control(api, "POST", "/faults", name="503", times=2, path="/devices")
    assert (status, fault["name"], fault["times"]) == (200, "503", 2)
    assert control(api, "GET", "/faults")[1] == [fault]
    assert api.get("").status_code == 200
    assert api.get("/devices").status_code == 503
    assert control(api, "DELETE", "/faults") == (200, {})
    assert api.get("/devices").status_code == 200
    assert control(api, "POST", "/faults", name="flood")[0] == 400
    assert control(api, "POST", "/faults")[0] == 400


def test_registering_from_outside_by_id_or_username(api):
    id_ = api.created()
    assert control(api, "POST", "/register", username="ALICE", user_agent="baresip", port=6001)[0] == 200
    assert api.get("/registrations").json()["data"][0]["user_agent"] == "baresip"
    assert control(api, "POST", "/unregister", device_id=id_)[0] == 200
    assert api.get("/registrations").json()["data"] == []
    assert control(api, "POST", "/register", username="nobody")[0] == 404
    assert control(api, "POST", "/register", device_id="nobody")[0] == 404
    assert control(api, "POST", "/register")[0] == 400


def test_planting_changing_and_removing_documents_from_outside(api):
    status, planted = control(api, "POST", "/devices", name="", device_type="softphone", sip={"password": "x"})
    assert status == 200, "nothing is validated"
    id_ = planted["id"]
    assert control(api, "PATCH", f"/devices/{id_}", **{"sip.username": "zed", "name": None})[1] == {
        "id": id_,
        "device_type": "softphone",
        "sip": {"password": "x", "username": "zed"},
    }
    assert api.get(f"/devices/{id_}").json()["data"]["sip"]["username"] == "zed"
    assert control(api, "DELETE", f"/devices/{id_}") == (200, {})
    assert control(api, "GET", f"/devices/{id_}")[0] == 404
    user = control(api, "POST", "/users", first_name="Anna")[1]["id"]
    assert control(api, "PATCH", f"/users/{user}", enabled=False)[1]["enabled"] is False
    assert control(api, "DELETE", f"/users/{user}") == (200, {})
    assert control(api, "PATCH", f"/users/{user}", enabled=True)[0] == 404


def test_tokens_can_be_expired_from_outside(api):
    token = api.log_in().json()["auth_token"]
    assert control(api, "POST", "/expire_tokens")[0] == 200
    assert requests.get(api.account_url, headers={"X-Auth-Token": token}, timeout=30).status_code == 401


def test_an_unknown_control_is_a_sentence(api):
    status, body = control(api, "GET", "/nothing")
    assert (status, body["error"]) == (404, "The sandbox has no control GET /sandbox/nothing.")
    answer = requests.post(f"{api.root}/sandbox/faults", data=b"not json", timeout=30)
    assert answer.status_code == 400


def test_nobody_but_this_machine_reaches_the_controls(api):
    seen = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/sandbox",
        "REMOTE_ADDR": "203.0.113.9",
        "wsgi.input": io.BytesIO(),
    }
    body = b"".join(api.sandbox(environ, lambda status, headers: seen.append(status)))
    assert seen == ["404 Not Found"]
    assert api.sandbox.api_key.encode() not in body


def test_planted_documents_are_served_exactly_as_they_are(api):
    id_ = api.sandbox.add_device(name="No sip block", device_type="softphone", owner_id="gone")
    assert api.get(f"/devices/{id_}").json()["data"] == {
        "id": id_,
        "name": "No sip block",
        "device_type": "softphone",
        "owner_id": "gone",
    }
    assert api.sandbox.add_user(id="chosen", first_name="Anna") == "chosen"
    assert api.get("/users/chosen").json()["data"] == {"id": "chosen", "first_name": "Anna"}


def test_a_test_can_change_the_data_while_a_listing_runs(api):
    ids = sorted((api.created(f"user_{n}") for n in range(4)), reverse=True)
    seen = []

    def on_request(method, path):
        seen.append((method, path))
        if len(seen) == 2:
            api.sandbox.change_device(ids[3], name="Renamed meanwhile")

    api.sandbox.on_request(on_request)
    first = api.get("/devices", page_size=2).json()
    second = api.get("/devices", page_size=2, start_key=first["next_start_key"]).json()
    assert second["data"][1]["name"] == "Renamed meanwhile"
    assert seen == [("GET", f"/v2/accounts/{api.sandbox.account_id}/devices")] * 2


def test_the_tests_own_hands_do_not_count_as_calls(limited):
    id_ = limited.sandbox.add_device(name="n", sip={"username": "alice", "password": "abcdef"})
    limited.sandbox.change_device(id_, sip={"password": "ghijkl"})
    assert limited.sandbox.device(id_)["sip"] == {"username": "alice", "password": "ghijkl"}
    limited.sandbox.register(id_)
    limited.sandbox.unregister(id_)
    limited.sandbox.remove_device(id_)
    assert limited.sandbox.device(id_) is None
    assert limited.sandbox.calls == []
    assert limited.get("").json()["tokens"]["remaining"] == 99


@pytest.mark.parametrize(("opened", "status"), [(False, "404 Not Found"), (True, "200 OK")])
def test_other_machines_reach_the_controls_only_of_a_sandbox_that_is_open_to_them(opened, status):
    answered = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/sandbox", "REMOTE_ADDR": "192.0.2.7", "wsgi.input": io.BytesIO()}
    list(Sandbox(open_controls=opened)(environ, lambda line, headers: answered.append(line)))
    assert answered == [status]
