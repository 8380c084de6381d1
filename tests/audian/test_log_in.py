"""Tokens: one log-in for many calls, one renewal after a 401, and then a sentence that names the causes."""

import base64
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from softphones.audian import errors
from softphones.audian.credentials import ApiKey, StaticToken, TokensInMemory
from softphones.audian.documents import Login, token_expiry


def log_ins(sandbox) -> int:
    return sum(call.path.endswith("/api_auth") for call in sandbox.calls)


def test_many_calls_take_one_log_in(sandbox, client, plant):
    device = plant()
    for _ in range(3):
        client.device(device)
    assert log_ins(sandbox) == 1


def test_a_log_in_tells_token_expiry_and_account(sandbox, client):
    login = client.log_in()
    assert login.account_id == sandbox.account_id
    assert timedelta(minutes=59) < login.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    assert login.token not in repr(login)


def test_the_web_socket_address_is_read_if_the_operator_configured_one():
    data = {"account_id": "a", "ui_config": {"api": {"webrtc_websocket": {"url": "wss://sip.example:5065"}}}}
    assert Login.from_envelope({"auth_token": "t", "data": data}).wss_url == "wss://sip.example:5065"
    assert Login.from_envelope({"auth_token": "t", "data": {"ui_config": []}}).wss_url == ""


def test_a_static_token_needs_no_log_in(sandbox, make_client, plant):
    device = plant()
    assert make_client(credentials=StaticToken(sandbox.static_token)).device(device).id == device
    assert log_ins(sandbox) == 0


def test_an_expired_token_is_renewed_once_and_the_call_repeated(sandbox, client, plant):
    device = plant()
    client.device(device)
    sandbox.expire_tokens()
    assert client.device(device).id == device
    assert log_ins(sandbox) == 2


def test_a_write_with_an_expired_token_is_carried_out_once(sandbox, client, plant):
    device = plant()
    client.account()
    sandbox.expire_tokens()
    client.update_device(device, {"name": "Renamed"})
    assert sandbox.device(device)["name"] == "Renamed"


def test_a_token_that_expires_amid_a_listing_costs_no_page(sandbox, client, plant):
    ids = {plant(username=f"user{number}") for number in range(6)}
    seen = set()
    for page in client.device_pages(page_size=2):
        seen.update(row.id for row in page.rows)
        sandbox.expire_tokens()
    assert seen == ids
    assert log_ins(sandbox) == 3, "one at first, one for each further page"


def test_a_wrong_account_id_is_renewed_once_and_then_named(sandbox, make_client):
    wrong = "f" * 32
    with pytest.raises(errors.Unauthorised, match="account id is wrong") as caught:
        make_client(account_id=wrong).account()
    assert wrong in str(caught.value)
    assert caught.value.status == 401
    assert [call.status for call in sandbox.calls] == [201, 401, 201, 401]


def test_a_wrong_static_token_is_not_renewed(sandbox, make_client):
    with pytest.raises(errors.Unauthorised, match="token"):
        make_client(credentials=StaticToken("not-a-token")).account()
    assert len(sandbox.calls) == 1


def test_a_static_token_cannot_log_in(sandbox, make_client):
    with pytest.raises(errors.Unauthorised, match="Replace it"):
        make_client(credentials=StaticToken("whatever")).log_in()
    assert len(sandbox.calls) == 0


@pytest.mark.parametrize("key", ["0123456789abcdef" * 4, "far too short a key"], ids=["unknown", "of a wrong length"])
def test_a_key_that_audian_refuses_and_echoes_is_not_passed_on(make_client, key, caplog):
    caplog.set_level(0)
    with pytest.raises(errors.Unauthorised, match="API key") as caught:
        make_client(credentials=ApiKey(key)).account()
    assert key not in f"{caught.value!r} {caught.value} {vars(caught.value)} {caplog.text}"


def test_an_address_without_a_log_in_is_not_taken_for_a_wrong_key(make_client, started):
    with pytest.raises(errors.AccountTrouble) as caught:
        make_client(url=started[1].replace("/v2", "/v9")).account()
    assert not isinstance(caught.value, errors.Unauthorised)


@pytest.mark.parametrize("fault", ["403", "423", "429", "500", "503", "html_502", "html_200", "cut_before", "truncated_body"])
def test_no_row_is_blamed_when_the_log_in_fails(sandbox, make_client, plant, fault):
    device = plant()
    sandbox.faults.add(fault, path="/api_auth")
    with pytest.raises(errors.AccountTrouble) as caught:
        make_client().delete_device(device)
    assert not caught.value.doubtful, "the deletion had not begun"


def test_a_log_in_that_brings_no_token_is_not_our_answer(make_client, rude):
    body = b'{"data": {}, "status": "success"}'
    server = rude(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    with pytest.raises(errors.NotOurAnswer):
        make_client(url=server.url).account()


def test_a_token_kept_elsewhere_is_used_and_renewed_there(sandbox, make_client, plant):
    class Kept:
        rejected = []

        def get(self, log_in):
            return "a-stale-token"

        def renew(self, rejected, log_in):
            self.rejected.append(rejected)
            return log_in().token

    device = plant()
    assert make_client(tokens=Kept()).device(device).id == device
    assert Kept.rejected == ["a-stale-token"]
    assert log_ins(sandbox) == 1


def test_every_request_asks_for_its_pace_and_a_log_in_costs_35(make_client, plant):
    asked = []
    make_client(pace=lambda cost, login: asked.append((cost, login))).device(plant())
    assert asked == [(35, True), (1, False)]


def test_a_pace_that_refuses_stops_the_call_before_it_is_made(sandbox, make_client):
    class Full(Exception):
        pass

    def refuse(cost, login):
        raise Full

    with pytest.raises(Full):
        make_client(pace=refuse).account()
    assert len(sandbox.calls) == 0


def test_what_is_left_in_the_bucket_is_heard_from_answers_and_errors_but_not_from_log_ins(make_sandbox, make_client):
    heard = []
    client = make_client(at=make_sandbox(rate_limit=True), heard=heard.append)
    client.account()
    with pytest.raises(errors.NotFound):
        client.device("b" * 32)
    assert heard == [99, 98]


def test_a_second_log_in_in_a_row_passes_and_a_third_meets_the_limit(make_sandbox, make_client):
    client = make_client(at=make_sandbox(rate_limit=True))
    client.log_in()
    client.log_in()
    with pytest.raises(errors.TooMany):
        client.log_in()


def login(token: str, lives: timedelta | None) -> Login:
    return Login(token, None if lives is None else datetime.now(UTC) + lives)


def test_tokens_in_memory_are_renewed_a_minute_before_they_expire():
    tokens = TokensInMemory()
    assert tokens.get(lambda: login("one", timedelta(hours=1))) == "one"
    assert tokens.get(lambda: login("two", None)) == "one"
    nearly_over = TokensInMemory()
    nearly_over.get(lambda: login("one", timedelta(milliseconds=1)))
    threading.Event().wait(0.01)
    assert nearly_over.get(lambda: login("two", None)) == "two"


@pytest.mark.parametrize("lives", [timedelta(seconds=30), timedelta(hours=-2)], ids=["short life", "clock is wrong"])
def test_tokens_of_a_short_life_or_from_another_clock_do_not_cause_a_log_in_per_call(lives):
    tokens = TokensInMemory()
    tokens.get(lambda: login("one", lives))
    assert tokens.get(lambda: login("two", None)) == "one"


def test_threads_that_meet_a_rejected_token_log_in_once():
    tokens = TokensInMemory()
    tokens.get(lambda: login("old", None))
    made = []

    def log_in():
        made.append(1)
        return login(f"new-{len(made)}", None)

    got = []
    threads = [threading.Thread(target=lambda: got.append(tokens.renew("old", log_in))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["new-1"] * 8


def jwt(claims: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"


@pytest.mark.parametrize(
    "token", ["", "opaque", "a.b.c", "a.!!.c", jwt([]), jwt({}), jwt({"exp": "soon"}), jwt({"exp": 1e300})]
)
def test_a_token_that_does_not_tell_its_expiry_has_none(token):
    assert token_expiry(token) is None


def test_the_expiry_of_a_token_is_read_without_a_key():
    assert token_expiry(jwt({"exp": 1_767_225_600})) == datetime(2026, 1, 1, tzinfo=UTC)
