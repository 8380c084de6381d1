"""The two token buckets (audian-api.md section 8)."""

import requests

from .conftest import calling


def test_a_call_costs_one_token_of_a_hundred(limited):
    assert limited.get("").json()["tokens"] == {"consumed": 1, "remaining": 99}
    assert limited.get("").json()["tokens"] == {"consumed": 1, "remaining": 98}


def test_two_log_ins_pass_and_the_third_is_429(limited):
    answers = [limited.log_in() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[0].json()["tokens"] == {"consumed": 35, "remaining": 65}
    assert answers[1].json()["tokens"] == {"consumed": 35, "remaining": 30}
    body = answers[2].json()
    assert (body["error"], body["message"]) == ("429", "too_many_requests")
    assert body["data"] == {"message": "too many requests"}
    assert "Retry-After" not in answers[2].headers
    assert not [name for name in answers[2].headers if name.lower().startswith("x-ratelimit")]


def test_a_log_in_is_possible_again_every_three_and_a_half_seconds(limited, clock):
    assert limited.log_in("f" * 64).status_code == 404
    clock.now += 3.4
    assert limited.log_in().status_code == 429
    clock.now += 0.1
    assert limited.log_in().status_code == 201


def test_log_ins_and_account_calls_draw_from_two_buckets(limited):
    limited.log_in()
    limited.log_in()
    assert limited.get("").json()["tokens"]["remaining"] == 99


def test_a_failed_log_in_empties_the_bucket(limited):
    assert limited.log_in("f" * 64).status_code == 404
    assert limited.log_in().status_code == 429
    assert limited.get("").status_code == 200, "only that of the log-ins"


def test_an_empty_bucket_is_429_and_fills_by_ten_a_second(limited, clock):
    assert {limited.get("").status_code for _ in range(100)} == {200}
    refused = limited.get("")
    assert refused.status_code == 429
    assert refused.json()["tokens"] == {"consumed": 0, "remaining": 0}
    clock.now += 0.3
    assert [limited.get("").status_code for _ in range(4)] == [200, 200, 200, 429]
    clock.now += 3600
    assert limited.get("").json()["tokens"]["remaining"] == 99, "never more than a hundred"


def test_the_bucket_fills_by_real_seconds_unless_told_otherwise():
    with calling() as caller:
        statuses = iter(lambda: caller.get("").status_code, 429)
        assert set(statuses) == {200}
        while caller.get("").status_code == 429:
            pass


def test_without_the_limit_nothing_is_consumed(api):
    statuses = {api.get("").status_code for _ in range(150)}
    assert statuses == {200}
    assert api.get("").json()["tokens"] == {"consumed": 0, "remaining": 100}


def test_addresses_outside_the_account_share_one_bucket_with_log_ins(limited):
    limited.log_in()
    answer = requests.get(f"{limited.url}/accounts/{'0' * 32}", timeout=30)
    assert answer.json()["tokens"] == {"consumed": 1, "remaining": 64}
