"""A real Celery worker on this pair's real broker and database; and the portal when the broker is away."""

import json
import os
import re
import sys
import time
from collections.abc import Callable

import pytest
from django.conf import settings as configured
from django.db import connection
from django.utils import timezone

from portal import watch
from portal.logs import belonging_to
from softphones import leases, vitals
from softphones.demo.processes import Child
from softphones.models import Lease, Message, Softphone, SyncRun
from softphones.wake import wake
from tests.factories import make_user
from tests.portal.conftest import ROOT, database_url, wait_until

NOBODY_LISTENS = "redis://127.0.0.1:9"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def is_mirrored_again(sandbox_account) -> Callable[[], bool]:
    """Whether the account was mirrored since: it was a moment ago, so that no sweep does it by itself."""
    now = timezone.now()
    before = SyncRun.objects.create(account=sandbox_account, state=SyncRun.State.COMPLETE, started_at=now, finished_at=now)
    again = SyncRun.objects.filter(account=sandbox_account, state=SyncRun.State.COMPLETE).exclude(pk=before.pk)
    return again.exists


def test_a_worker_that_is_woken_mirrors_the_account(start_worker, sandbox, sandbox_account, is_mirrored_again):
    sandbox.add_device(
        name="Alice Smith - softphone", device_type="softphone", sip={"username": "alice", "password": "wP7kq3hTz9mB"}
    )
    start_worker()
    wake("mirror_account", account_id=sandbox_account.pk)
    wait_until(is_mirrored_again)
    assert [phone.sip_username for phone in Softphone.objects.all()] == ["alice"]


def test_the_lines_of_a_task_bear_the_id_of_the_request_that_sent_it(start_worker, sandbox_account, is_mirrored_again):
    worker = start_worker()
    with belonging_to(request_id="of-the-page"):
        wake("mirror_account", account_id=sandbox_account.pk)
    wait_until(is_mirrored_again)
    wake("sweep")
    wait_until(lambda: re.search(r"Task softphones\.tasks\.sweep\S+ succeeded", worker.tail(50)), worker)
    written = worker.log.read_text()
    # Celery greets whoever starts it by hand; after that, every line is one object.
    lines = [json.loads(line) for line in written[written.index('{"time"') :].splitlines()]
    calls = [line for line in lines if line["logger"] == "softphones.audian"]
    assert calls
    mirror = "softphones.tasks.mirror_account"
    assert {(line["request_id"], line["task"]) for line in calls} == {("of-the-page", mirror)}
    swept = [line for line in lines if line.get("task") == "softphones.tasks.sweep"]
    assert swept[-1]["request_id"] == swept[-1]["task_id"]


def test_a_worker_whose_sweeps_do_not_finish_ends_but_not_while_there_is_long_work(start_worker):
    long_work = leases.take("mirror:1", 600)
    # No sweep comes to it: it looks elsewhere.
    worker = start_worker("--queues", "elsewhere", WORKER_SILENT_AFTER="3", SWEEP_SECONDS="1")
    worker.wait(5)
    assert "so this worker ends" not in worker.log.read_text()
    long_work.release()
    wait_until(lambda: not worker.alive())
    assert worker.stop() == 1
    assert "No sweep was finished for 3 seconds, so this worker ends" in worker.tail(50)


def test_a_worker_sweeps_by_itself_where_beat_asks_for_nothing(start_worker):
    worker = start_worker(WORKER_SILENT_AFTER="4", SWEEP_SECONDS="1")
    seen = set()
    wait_until(lambda: seen.add(vitals.swept_at()) or len(seen - {None}) >= 3, worker)
    assert "this worker asks for one. See whether beat is running." in worker.log.read_text()
    assert worker.alive()
    assert vitals.beat_age() is None


def test_a_look_that_fails_in_an_unknown_way_does_not_end_the_watch(caplog):
    def fail(*_):
        raise RuntimeError("nobody thought of this")

    with connection.execute_wrapper(fail):
        assert watch._look() == (None, False)
    assert "nobody thought of this" in caplog.text


def test_a_wake_up_that_was_lost_is_made_up_for_by_the_sweep(start_worker, sandbox_account, settings, client):
    make_user("alice@acme.example", account=sandbox_account)
    broker, settings.CELERY_BROKER_URL = settings.CELERY_BROKER_URL, NOBODY_LISTENS
    client.post("/sign-in/", {"email": "alice@acme.example"})
    message = Message.objects.get()
    assert message.state == Message.State.QUEUED
    settings.CELERY_BROKER_URL = broker
    start_worker()
    wake("sweep")
    wait_until(lambda: Message.objects.get(pk=message.pk).state == Message.State.SENT)
    mails = [path.read_text() for path in (configured.VAR_DIR / "mail").glob("*.log")]
    assert any("To: alice@acme.example" in mail for mail in mails)


def test_beat_starts_where_nothing_was_prepared(tmp_path):
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "portal.settings", "DATABASE_URL": "postgres://portal@127.0.0.1:9/portal"}
    env |= {"VAR_DIR": str(tmp_path / "not yet there"), "REDIS_URL": NOBODY_LISTENS}
    command = [sys.executable, "-m", "celery", "-A", "portal", "beat", "--loglevel", "INFO"]
    beat = Child("beat", command, log=tmp_path / "beat.log", env=env, cwd=ROOT)
    try:
        wait_until(lambda: "beat: Starting..." in beat.tail(), beat)
        assert not beat.wait(0.5), beat.tail()
        assert "Traceback" not in beat.log.read_text()
        assert not (tmp_path / "not yet there").exists()
    finally:
        beat.stop()


@pytest.mark.parametrize("program", ["beat", "worker --beat --pool threads"])
def test_beat_gives_a_sign_of_life_with_each_call_that_it_sends(tmp_path, program):
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "portal.settings", "DATABASE_URL": database_url(), "SWEEP_SECONDS": "1"}
    command = [sys.executable, "-m", "celery", "-A", "portal", *program.split(), "--loglevel", "INFO"]
    beat = Child("beat", command, log=tmp_path / "beat.log", env=env, cwd=ROOT)
    signs = Lease.objects.filter(name=vitals.BEAT).values_list("held_until", flat=True)
    seen = set()
    try:
        wait_until(lambda: seen.update(signs.all()) or len(seen) >= 3, beat)
        assert vitals.is_beating(vitals.beat_age())
    finally:
        beat.stop(grace=1)
    last = signs.get()
    wake("sweep")
    assert signs.get() == last


def test_pages_do_not_wait_for_a_broker_that_is_away(account, settings, client):
    make_user("alice@acme.example", account=account)
    settings.CELERY_BROKER_URL = NOBODY_LISTENS
    began = time.monotonic()
    answer = client.post("/sign-in/", {"email": "alice@acme.example"}, follow=True)
    assert time.monotonic() - began < 20
    assert answer.status_code == 200
    assert Message.objects.get().next_attempt_at <= timezone.now()
