"""All processes share one token: one of them logs in, the others read it, and lights never do."""

import threading
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from softphones import connection, leases
from softphones.audian.documents import Login
from softphones.audian.errors import Unauthorised
from softphones.connection import NoToken
from softphones.models import ApiToken, Bucket
from softphones.pacing import LOG_INS, Urgency
from tests.mirror.conftest import account_on, plant_phone


def call(account, **options):
    with connection.connect(account, **{"urgency": Urgency.PERSON} | options) as client:
        return client.account()


def log_ins(sandbox) -> int:
    return [call.below for call in sandbox.calls].count("/api_auth")


def test_one_log_in_serves_every_later_client(account, sandbox):
    for _ in range(3):
        call(account)
    assert log_ins(sandbox) == 1


def test_the_token_is_kept_encrypted(account, sandbox):
    call(account)
    with database.cursor() as cursor:
        cursor.execute("SELECT token FROM softphones_apitoken")
        stored = cursor.fetchone()[0]
    token = ApiToken.objects.get().token
    assert token.startswith("eyJ")
    assert token not in stored


def test_it_is_renewed_before_it_expires(account, sandbox):
    call(account)
    token = ApiToken.objects.get()
    assert timedelta(seconds=3500) < token.expires_at - timezone.now() < timedelta(seconds=3541)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    call(account)
    assert log_ins(sandbox) == 2
    assert 401 not in {each.status for each in sandbox.calls}


def test_a_token_of_few_seconds_is_used_for_half_its_life(db, served):
    sandbox = served(token_seconds=20)
    account = account_on(sandbox)
    for _ in range(3):
        call(account)
    assert log_ins(sandbox) == 1
    assert ApiToken.objects.get().expires_at - timezone.now() < timedelta(seconds=10)


def test_a_clock_that_is_an_hour_ahead_does_not_log_in_for_each_call(account):
    made = []

    def log_in():
        made.append(1)
        return Login("eyJ.a.b", expires_at=timezone.now() - timedelta(minutes=5))

    for _ in range(3):
        assert connection.SharedToken(account.pk).get(log_in) == "eyJ.a.b"
    assert len(made) == 1


def test_a_refused_token_is_renewed_once(account, sandbox):
    call(account)
    sandbox.expire_tokens()
    call(account)
    assert log_ins(sandbox) == 2


def test_a_token_that_somebody_renewed_meanwhile_is_taken_over(account, sandbox):
    with connection.connect(account, urgency=Urgency.PERSON) as first:
        first.account()
        sandbox.expire_tokens()
        call(account)
        first.account()
    assert log_ins(sandbox) == 2


def test_a_light_never_logs_in(account, sandbox):
    with pytest.raises(NoToken):
        call(account, allow_login=False, urgency=Urgency.LIGHT)
    assert sandbox.calls == []


def test_a_light_uses_the_token_that_is_there_and_does_not_renew_it(account, sandbox):
    call(account)
    assert call(account, allow_login=False).realm == sandbox.realm
    sandbox.expire_tokens()
    with pytest.raises(NoToken):
        call(account, allow_login=False)
    assert log_ins(sandbox) == 1


def test_while_a_log_in_is_under_way_nobody_else_logs_in(account, sandbox, settings):
    settings.LEASE_SECONDS = settings.API_DEADLINE = 0.2
    leases.take(f"log-in:{account.pk}", 60)
    with pytest.raises(NoToken):
        call(account)
    assert sandbox.calls == []


def test_a_process_that_died_while_it_logged_in_is_replaced(account, sandbox):
    leases.take(f"log-in:{account.pk}", 0.3)
    assert call(account).realm == sandbox.realm
    assert log_ins(sandbox) == 1


def test_a_refused_key_empties_our_count_of_log_ins(db, sandbox, settings):
    settings.API_BUCKET_SIZE = 95
    with pytest.raises(Unauthorised):
        call(account_on(sandbox, api_key="0" * 64))
    assert Bucket.objects.get(name=LOG_INS).tokens == 0


def test_an_account_without_credentials_is_a_sentence(account):
    account.api_key = ""
    with pytest.raises(Unauthorised, match="AUDIAN_API_KEY"):
        connection.connect(account, urgency=Urgency.PERSON)


def test_calls_are_counted(account, sandbox):
    with connection.connect(account, urgency=Urgency.PERSON) as client:
        client.account()
        client.device_page()
    assert client.calls == len(sandbox.calls) == 3


@pytest.mark.parametrize(("dialect", "known"), [("page", True), ("kazoo", False)])
def test_whether_there_is_a_status_route_is_remembered_for_a_day(db, served, dialect, known):
    sandbox = served(dialect=dialect)
    account = account_on(sandbox)
    device = plant_phone(sandbox)

    def ask():
        with connection.connect(account, urgency=Urgency.PERSON) as client:
            client.status(device, "user_alice")
        return [each.below for each in sandbox.calls].count(f"/devices/{device}/status")

    assert ask() == 1
    assert ApiToken.objects.get().status_route is known
    sandbox.calls.clear()
    assert ask() == (1 if known else 0)
    ApiToken.objects.update(status_route_asked_at=timezone.now() - timedelta(days=2))
    sandbox.calls.clear()
    assert ask() == 1


@pytest.mark.django_db(transaction=True)
def test_of_eight_processes_that_start_together_one_logs_in(sandbox):
    account = account_on(sandbox)
    sandbox.latency = 0.05
    realms, start = [], threading.Barrier(8)

    def race():
        start.wait()
        realms.append(call(account).realm)
        database.close()

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert realms == [sandbox.realm] * 8
    assert log_ins(sandbox) == 1
