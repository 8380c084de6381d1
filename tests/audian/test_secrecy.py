"""No secret in a log line, an error or a repr; and a log line for every call."""

import logging
import re
import traceback

import pytest

from softphones.audian import errors
from softphones.audian.credentials import ApiKey, StaticToken
from softphones.audian.documents import DeviceDocument, Login, NewDevice
from softphones.audian.redaction import MASK, redact, redact_text

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhY2NvdW50IjoiYSJ9.c2lnbmF0dXJl"
KEY = "0123456789abcdef" * 4
PASSWORD = "canary-7"
NEW = NewDevice("Alice", "alice", PASSWORD)


def test_redaction_reaches_every_depth_and_every_kind_of_secret():
    body = {
        "auth_token": TOKEN,
        "data": {
            "sip": {"username": "alice", "password": "pw-1"},
            "sip.password": {"minLength": {"message": "too short", "cause": "pw-2", "value": "pw-2"}},
            "list": [{"api_key": KEY}, KEY, f"token {TOKEN} here"],
            "security_settings": {"sha256_key": "pw-3"},
            "credentials": "pw-4",
            "echo": "you sent canary-7 to us",
        },
        "message": "bad identifier",
    }
    clean = repr(redact(body, ["canary-7"]))
    for secret in (TOKEN, KEY, "pw-1", "pw-2", "pw-3", "pw-4", "canary-7"):
        assert secret not in clean
    for kept in ("alice", "bad identifier", "you sent"):
        assert kept in clean


def test_redaction_leaves_the_original_alone():
    body = {"sip": {"password": "pw-1"}}
    assert redact(body) == {"sip": {"password": MASK}}
    assert body == {"sip": {"password": "pw-1"}}


def test_redacted_text_hides_tokens_in_addresses():
    shown = redact_text("GET /v2/devices?auth_token=abc&page_size=5&api_key=def failed")
    assert shown == f"GET /v2/devices?auth_token={MASK}&page_size=5&api_key={MASK} failed"


@pytest.mark.parametrize(
    "value",
    [
        DeviceDocument("1", username="alice", password="canary-7"),
        NewDevice("Alice", "alice", "canary-7"),
        Login("canary-7"),
        ApiKey("canary-7"),
        StaticToken("canary-7"),
    ],
)
def test_no_repr_shows_a_secret(value):
    assert "canary-7" not in repr(value)
    assert "canary-7" not in str(value)


def test_a_call_leaves_one_line_with_its_outcome_and_a_number_to_find_it(sandbox, client, plant, caplog):
    device = plant()
    client.account()
    caplog.clear()
    with caplog.at_level(logging.INFO, "softphones.audian"):
        client.device(device)
    (line,) = [record.getMessage() for record in caplog.records]
    matched = re.fullmatch(rf"GET /accounts/{sandbox.account_id}/devices/{device} 200 in \d+\.\d+ s, request (\w+)", line)
    assert matched[1] == sandbox.calls[-1].request_id


def test_the_line_names_the_parameters_but_not_their_values(client, plant, caplog):
    plant(username="alice")
    with caplog.at_level(logging.INFO, "softphones.audian"):
        client.find_by_username("alice")
    assert "/devices?filter_sip.username&fields 200" in caplog.text
    assert "alice" not in caplog.text


def test_a_failure_leaves_a_warning_with_the_number_the_error_has(client, caplog):
    with caplog.at_level(logging.WARNING, "softphones.audian"), pytest.raises(errors.NotFound) as caught:
        client.device("b" * 32)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "404 in" in line
    assert caught.value.request_id in line


def test_an_exchange_without_an_answer_leaves_a_line_too(sandbox, client, plant, caplog):
    device = plant()
    client.account()
    sandbox.faults.add("cut_before")
    with caplog.at_level(logging.WARNING, "softphones.audian"), pytest.raises(errors.CutOff) as caught:
        client.device(device)
    assert "CutOff in" in caplog.text
    assert caught.value.request_id in caplog.text


FAULTS = ["403", "409", "423", "429", "500", "503", "html_502", "html_200", "truncated_body", "cut_before", "cut_after"]


@pytest.mark.parametrize("fault", [*FAULTS, "402", "402_standing", "expired_token"])
def test_whatever_goes_wrong_shows_no_secret(sandbox, client, fault, caplog):
    caplog.set_level(logging.DEBUG)
    sandbox.faults.add(fault, method="PUT", path="/devices", times=2)
    with pytest.raises(errors.AudianError) as caught:
        client.create_device(NEW)
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value)) + caplog.text
    assert PASSWORD not in shown
    assert sandbox.api_key not in shown
    assert "eyJ" not in shown, "no token"


def test_a_password_echoed_in_another_field_is_masked(answered):
    body = '{"data": {"name": {"invalid": {"message": "canary-7 is odd"}, "canary-7": {}}}, "status": "error"}'
    with pytest.raises(errors.Invalid) as caught:
        answered(400, body).create_device(NEW)
    assert PASSWORD not in f"{caught.value} {vars(caught.value)}"


def test_what_audian_says_about_a_password_is_not_repeated_at_all(answered):
    body = '{"data": {"sip.password": {"weak": {"message": "CANARY-7 is weak, so is 7-yranac"}}}, "status": "error"}'
    with pytest.raises(errors.Invalid) as caught:
        answered(400, body).create_device(NEW)
    assert caught.value.field_errors == {"sip.password": ["was refused"]}
