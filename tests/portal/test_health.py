"""What the two health addresses tell."""

import os
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from softphones import tasks, vitals
from softphones.models import Lease, SyncRun
from tests.factories import make_account
from tests.portal.test_environment import GOOD, ROOT


def mirrored(account, *, ago: timedelta, state=SyncRun.State.COMPLETE):
    at = timezone.now() - ago
    return SyncRun.objects.create(account=account, state=state, started_at=at, finished_at=at)


@pytest.mark.django_db(transaction=True)  # it is asked on a connection of its own
def test_all_is_well(client, account):
    tasks.sweep()
    vitals.note_beat()
    mirrored(account, ago=timedelta(seconds=90))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    told = answer.json()
    assert 90 <= told.pop("mirror_age_seconds") < 100
    assert 0 <= told.pop("worker_age_seconds") < 10
    assert 0 <= told.pop("beat_age_seconds") < 10
    assert told == {"status": "ok", "database": "ok", "broker": "ok", "worker": "ok", "beat": "ok", "mirror": "ok"}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db(transaction=True)
def test_the_account_that_has_waited_longest_counts(client, account):
    mirrored(account, ago=timedelta(seconds=30))
    mirrored(make_account(), ago=timedelta(hours=1))
    told = client.get("/readyz").json()
    assert (told["status"], told["mirror"]) == ("degraded", "stale")
    assert 3600 <= told["mirror_age_seconds"] < 3610


@pytest.mark.django_db(transaction=True)
def test_only_a_complete_run_counts(client, account):
    mirrored(account, ago=timedelta(seconds=30), state=SyncRun.State.FAILED)
    told = client.get("/readyz").json()
    assert (told["status"], told["mirror"], told["mirror_age_seconds"]) == ("degraded", "stale", None)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_has_not_been_heard_of_for_three_minutes_is_silent(client, account):
    mirrored(account, ago=timedelta(seconds=30))
    tasks.sweep()
    Lease.objects.filter(name=vitals.SWEPT).update(held_until=F("held_until") - 181)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["worker"]) == ("degraded", "silent")


@pytest.mark.django_db(transaction=True)
def test_a_beat_that_has_sent_nothing_for_ninety_seconds_is_silent_although_workers_sweep_by_themselves(client, account):
    mirrored(account, ago=timedelta(seconds=30))
    tasks.sweep()
    vitals.note_beat()
    Lease.objects.filter(name=vitals.BEAT).update(held_until=F("held_until") - 80)
    assert client.get("/readyz").json()["beat"] == "ok"
    Lease.objects.filter(name=vitals.BEAT).update(held_until=F("held_until") - 11)
    told = client.get("/readyz").json()
    assert (told["status"], told["worker"], told["beat"]) == ("degraded", "ok", "silent")
    assert 91 <= told["beat_age_seconds"] < 100


@pytest.mark.django_db(transaction=True)
def test_word_from_before_the_databases_clock_was_set_back_is_none_until_the_next(client, account):
    mirrored(account, ago=timedelta(seconds=30))
    tasks.sweep()
    vitals.note_beat()
    Lease.objects.update(held_until=F("held_until") + 3600)
    told = client.get("/readyz").json()
    assert (told["status"], told["worker"], told["beat"]) == ("degraded", "silent", "silent")
    assert vitals.is_silent()
    tasks.sweep()
    vitals.note_beat()
    told = client.get("/readyz").json()
    assert (told["status"], told["worker"], told["beat"]) == ("ok", "ok", "ok")
    assert not vitals.is_silent()


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_the_portal_still_serves(client, account, settings):
    mirrored(account, ago=timedelta(seconds=30))
    settings.REDIS_URL = "redis://127.0.0.1:9"  # nobody listens there
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["broker"]) == ("degraded", "unreachable")


def test_the_process_answers_without_touching_the_database(client):
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_health_is_only_read(client, address):
    assert client.post(address).status_code == 405
    assert client.head(address).status_code == 200


ASK_TWICE = """
import django; django.setup()
from django.test import Client
for _ in range(2):
    answer = Client().get("/readyz", headers={"Host": "phones.acme.example"})
    print(answer.status_code, answer.json())
"""
DOWN = "503 {'status': 'down', 'database': 'unusable'}\n"


def asked_twice(folder, database: str) -> str:
    settings = {"VAR_DIR": str(folder), "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    env = {"PATH": os.environ["PATH"]} | GOOD | settings
    answer = subprocess.run([sys.executable, "-c", ASK_TWICE], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.once
def test_without_the_database_the_portal_is_down(tmp_path):
    assert asked_twice(tmp_path, "postgres://portal@127.0.0.1:9/portal") == DOWN * 2


@pytest.mark.once
def test_a_database_that_hangs_is_down_too_and_keeps_one_look_alone_waiting(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as hung:
        hung.settimeout(0)
        address = f"postgres://portal@127.0.0.1:{hung.getsockname()[1]}/portal?connect_timeout=600"
        assert asked_twice(tmp_path, address) == DOWN * 2
        hung.accept()[0].close()
        with pytest.raises(BlockingIOError):
            hung.accept()
