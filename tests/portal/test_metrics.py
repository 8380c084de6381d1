"""What Prometheus is told, and who may ask."""

import logging
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parsed

from softphones import changes, mirror, tasks, vitals
from softphones.models import Change, Lease, Message, Pause, SyncRun
from tests.factories import make_account, make_softphone

TOKEN = "a-token-of-the-operator"
PREFIX = "softphone_portal_"


@pytest.fixture(autouse=True)
def _token(settings):
    settings.METRICS_TOKEN = TOKEN


@pytest.fixture
def scrape(client):
    """The numbers as Prometheus gets them: name -> {its labels' values: value}."""

    def read() -> dict:
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        found = {}
        for family in parsed(answer.content.decode()):
            assert family.documentation, family.name
            for sample in family.samples:
                name = sample.name.removeprefix(PREFIX)
                assert name != sample.name
                found.setdefault(name, {})[tuple(sample.labels.values())] = sample.value
        return found

    return read


@pytest.mark.django_db
@pytest.mark.parametrize("sent", ["", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", f"bearer{TOKEN}", "Bearer é"])
def test_nobody_without_the_token_is_told_anything(client, sent):
    answer = client.get("/metrics", headers={"Authorization": sent} if sent else {})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert PREFIX not in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_where_no_token_is_set_there_is_no_such_page(client, settings):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.django_db
def test_without_the_database_there_are_no_numbers(client):
    def refuse(*_):
        raise OperationalError("gone")

    with connection.execute_wrapper(refuse):
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.content) == (503, b"The database can't be used.\n")


@pytest.mark.django_db
def test_a_reader_that_prefers_openmetrics_gets_it(client, account):
    accept = "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.3"
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}", "Accept": accept})
    assert answer["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert list(parsed_openmetrics(answer.content.decode()))


@pytest.mark.django_db
def test_a_portal_that_has_done_nothing_yet_has_numbers_to_alert_on(scrape, account):
    told = scrape()
    assert told["mirror_age_seconds"]["acme",] == told["sweep_age_seconds"][()] == told["beat_age_seconds"][()] == float("inf")
    assert told["api_calls_total"]["acme", "read", "429"] == 0
    assert told["outbox_changes"] == {("acme", "queued"): 0, ("acme", "sending"): 0, ("acme", "held"): 0}
    assert told["outbox_oldest_age_seconds"]["acme",] == told["account_paused_seconds"]["acme",] == 0


@pytest.mark.django_db
def test_the_outbox_tells_how_much_waits_and_for_how_long(scrape, account):
    now = timezone.now()
    for minutes in (1, 7):
        changes.create(account=account, name="Desk", by=None, now=now - timedelta(minutes=minutes))
    held = changes.create(account=account, name="Desk", by=None, now=now - timedelta(hours=1))
    Change.objects.filter(pk=held.pk).update(state=Change.State.HELD)
    Pause.objects.create(account=account, since=now - timedelta(seconds=90), until=now, reason="It is away.")
    make_account(slug="other")
    told = scrape()
    assert told["outbox_changes"]["acme", "queued"] == 2
    assert told["outbox_changes"]["acme", "held"] == 1
    assert told["outbox_changes"]["other", "queued"] == 0
    assert 420 <= told["outbox_oldest_age_seconds"]["acme",] < 430
    assert 90 <= told["account_paused_seconds"]["acme",] < 100


@pytest.mark.django_db(transaction=True)
def test_calls_are_counted_by_what_came_of_them(scrape, sandbox, sandbox_account, settings):
    settings.API_BUCKET_SIZE = 0
    mirror.run(sandbox_account, timezone.now())
    for fault in ("429", "html_200", "cut_after", "html_502"):
        sandbox.faults.add(fault, path="/devices")
        mirror.run(sandbox_account, timezone.now())
        sandbox.faults.clear()
    told = scrape()
    calls, seconds = told["api_calls_total"], told["api_call_seconds_total"]
    assert calls["acme", "log_in", "201"] == 1
    assert calls["acme", "read", "200"] == sum(SyncRun.objects.values_list("calls", flat=True)) - 5
    assert calls["acme", "read", "429"] == calls["acme", "read", "502"] == calls["acme", "read", "not_our_answer"] == 1
    assert calls["acme", "read", "cut_off"] == 1
    assert seconds["acme", "read", "200"] > 0
    assert calls.keys() == seconds.keys()


@pytest.mark.django_db(transaction=True)
def test_what_was_counted_adds_up_over_clients_and_kinds(scrape, sandbox_account, settings):
    settings.API_BUCKET_SIZE = 0
    for _time in range(3):
        changes.create(account=sandbox_account, name="Desk", by=None, now=timezone.now())
        changes.drain(account=sandbox_account, seconds=5)
    assert scrape()["api_calls_total"]["acme", "write", "201"] == 3


@pytest.mark.django_db
def test_the_mirror_tells_how_old_it_is_how_long_it_took_and_how_the_last_run_ended(scrape, account):
    now = timezone.now()
    runs = [(SyncRun.State.COMPLETE, 700, 600), (SyncRun.State.HELD, 300, 299), (SyncRun.State.RUNNING, 5, None)]
    for state, began, ended in runs:
        at = [None if ago is None else now - timedelta(seconds=ago) for ago in (began, ended)]
        SyncRun.objects.create(account=account, state=state, started_at=at[0], finished_at=at[1])
    told = scrape()
    assert 600 <= told["mirror_age_seconds"]["acme",] < 610
    assert told["mirror_duration_seconds"]["acme",] == pytest.approx(100)
    assert told["mirror_last_run"] == {("acme", "complete"): 0, ("acme", "held"): 1, ("acme", "failed"): 0}


@pytest.mark.django_db
def test_a_light_that_was_not_looked_at_lately_is_unknown(scrape, account):
    now = timezone.now()
    lately, long_ago = now - timedelta(seconds=5), now - timedelta(minutes=5)
    for registered, seen_at, gone_at in (
        (True, lately, None),
        (True, lately, None),
        (False, lately, None),
        (True, long_ago, None),
        (None, None, None),
        (True, lately, now),
    ):
        make_softphone(account, registered=registered, seen_at=seen_at, gone_at=gone_at)
    assert scrape()["lights"] == {("acme", "connected"): 2, ("acme", "not_connected"): 1, ("acme", "unknown"): 2}


@pytest.mark.django_db
def test_mails_tell_how_many_wait_for_how_long_and_how_many_failed_lately(scrape, account):
    now = timezone.now()
    for state, hours in (("queued", 1), ("queued", 2), ("failed", 3), ("failed", 30), ("sent", 4)):
        mail = Message.objects.create(kind="setup_link", to="a@acme.example", state=state, next_attempt_at=now)
        Message.objects.filter(pk=mail.pk).update(created_at=now - timedelta(hours=hours))
    told = scrape()
    assert told["mails_queued"][()] == 2
    assert 7200 <= told["mails_oldest_age_seconds"][()] < 7210
    assert told["mails_failed"][()] == 1


@pytest.mark.django_db
def test_workers_tell_when_they_last_swept(scrape):
    tasks.sweep()
    Lease.objects.filter(name=vitals.SWEPT).update(held_until=F("held_until") - 50)
    assert 50 <= scrape()["sweep_age_seconds"][()] < 60


@pytest.mark.django_db
def test_beat_tells_when_it_last_sent_something(scrape):
    vitals.note_beat()
    Lease.objects.filter(name=vitals.BEAT).update(held_until=F("held_until") - 50)
    assert 50 <= scrape()["beat_age_seconds"][()] < 60


@pytest.mark.django_db
def test_reading_takes_as_many_queries_for_many_accounts_as_for_one(scrape, account, settings):
    logging.getLogger("django.db.backends").setLevel(logging.INFO)
    with CaptureQueriesContext(connection) as few:
        scrape()
    for each in (make_account(), make_account()):
        make_softphone(each)
        changes.create(account=each, name="Desk", by=None, now=timezone.now())
    with CaptureQueriesContext(connection) as many:
        scrape()
    assert len(many) == len(few) <= 11
