"""Logging in, tokens, and the ways in which the API says no (audian-api.md section 1)."""

import base64
import json

import pytest
import requests
import time_machine

from .conftest import calling


def claims_in(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_the_right_key_is_answered_201_with_the_token_at_the_top_level(api):
    answer = api.log_in()
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json"
    assert body["status"] == "success"
    assert body["revision"] == "automatic"
    assert "auth_token" not in body["data"]
    assert body["data"]["account_id"] == api.sandbox.account_id
    assert "owner_id" not in body["data"]
    assert claims_in(body["auth_token"])["account_id"] == api.sandbox.account_id


def test_the_token_opens_the_account(api):
    token = api.log_in().json()["auth_token"]
    answer = requests.get(api.account_url, headers={"X-Auth-Token": token}, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["data"]["realm"] == api.sandbox.realm == "acme.sip.audian.com"
    assert answer.json()["auth_token"] == token


def test_an_unknown_key_is_404_and_comes_back_in_clear(api):
    answer = api.log_in("f" * 64)
    assert answer.status_code == 404
    body = answer.json()
    assert body["data"] == ["f" * 64]
    assert (body["error"], body["message"], body["status"]) == ("404", "bad identifier", "error")


@pytest.mark.parametrize(("key", "rule", "target"), [("short", "minLength", 64), ("f" * 65, "maxLength", 64)])
def test_a_key_of_the_wrong_length_is_a_validation_error(api, key, rule, target):
    answer = api.log_in(key)
    assert answer.status_code == 400
    error = answer.json()["data"]["api_key"][rule]
    assert (error["target"], error["cause"], error["value"]) == (target, key, key)


def test_a_log_in_takes_nothing_but_the_key(api):
    data = {"api_key": api.sandbox.api_key, "remember": True}
    missing = requests.put(f"{api.url}/api_auth", json={"data": {}}, timeout=30)
    extra = requests.put(f"{api.url}/api_auth", json={"data": data}, timeout=30)
    assert missing.status_code == extra.status_code == 400
    assert missing.json()["data"]["api_key"]["required"]["message"] == "Field is required but missing"
    assert "Strict checking" in extra.json()["data"]["remember"]["additionalProperties"]["message"]


def test_a_token_lives_as_long_as_the_server_was_told():
    with time_machine.travel(1_800_000_000, tick=False) as clock, calling(rate_limit=False, token_seconds=60) as api:
        token = api.log_in().json()["auth_token"]
        assert claims_in(token)["exp"] == 1_800_000_060
        clock.shift(59)
        fresh = requests.get(f"{api.url}/token_auth", headers={"X-Auth-Token": token}, timeout=30)
        assert fresh.status_code == 200
        clock.shift(1)
        late = requests.get(f"{api.url}/token_auth", headers={"X-Auth-Token": token}, timeout=30)
        assert late.status_code == 401


def test_a_token_without_an_end_has_no_exp():
    with calling(rate_limit=False, token_seconds=0) as api:
        assert "exp" not in claims_in(api.log_in().json()["auth_token"])


def test_token_auth_tells_the_claims_and_cannot_delete_a_jwt(api):
    assert api.session.get(f"{api.url}/token_auth", timeout=30).json()["data"]["account_id"] == api.sandbox.account_id
    assert api.session.delete(f"{api.url}/token_auth", timeout=30).status_code == 404
    assert api.session.get(f"{api.url}/token_auth", timeout=30).status_code == 200


def test_an_expired_token_is_refused_with_empty_data(api):
    token = api.log_in().json()["auth_token"]
    api.sandbox.expire_tokens()
    answer = requests.get(api.account_url, headers={"X-Auth-Token": token}, timeout=30)
    body = answer.json()
    assert answer.status_code == 401
    assert body["data"] == {}
    assert (body["error"], body["message"], body["auth_token"]) == ("401", "invalid credentials", token)
    assert api.get("").status_code == 200, "the static token stays"


@pytest.mark.parametrize("headers", [{}, {"X-Auth-Token": "garbage"}, {"X-Auth-Token": "a.b.c"}])
def test_a_missing_or_unknown_token_is_refused_with_a_message(api, headers):
    answer = requests.get(f"{api.account_url}/devices", headers=headers, timeout=30)
    body = answer.json()
    assert answer.status_code == 401
    assert body["data"] == {"message": "invalid credentials"}
    assert (body["error"], body["message"]) == ("401", "invalid_credentials")


@pytest.mark.parametrize("account", ["0" * 32, "nonsense"])
def test_an_account_that_does_not_exist_is_401_even_with_a_good_token(api, account):
    answer = api.session.get(f"{api.url}/accounts/{account}/devices", timeout=30)
    assert answer.status_code == 401
    assert answer.json()["message"] == answer.json()["data"]["message"] == "invalid credentials"


def test_somebody_elses_account_is_403(api):
    answer = api.session.get(f"{api.url}/accounts/{api.sandbox.foreign_account_id}/devices", timeout=30)
    body = answer.json()
    assert answer.status_code == 403
    assert (body["error"], body["message"], body["data"]) == ("403", "forbidden", {"message": "forbidden"})


def test_a_token_may_also_stand_in_the_query_the_body_or_the_authorization_header(api):
    token = api.sandbox.static_token
    in_query = requests.get(api.account_url, params={"auth_token": token}, timeout=30)
    bearer = requests.get(api.account_url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    in_body = requests.put(f"{api.account_url}/devices", json={"auth_token": token, "data": api.softphone()}, timeout=30)
    assert [in_query.status_code, bearer.status_code, in_body.status_code] == [200, 200, 201]
