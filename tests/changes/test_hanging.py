"""What hangs: another transaction that keeps a row, a hand that never comes back. Neither keeps an account for ever."""

import queue
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.conf import settings as configured
from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction
from django.db.models.signals import pre_migrate
from django.db.utils import ConnectionHandler

from softphones import clock
from softphones.changes.sending import Job
from softphones.models import Change, Lease, Pause, Softphone
from tests.changes.conftest import again, writes

State = Change.State


@pytest.fixture
def impatient(monkeypatch):
    """Nobody waits longer than half a second for what another transaction has locked, on connections made from now on."""
    if connection.vendor == "postgresql":
        options = connection.settings_dict["OPTIONS"]["options"]
        assert "lock_timeout=10s" in options
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", options.replace("=10s", "=500"))
    else:
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.5)
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "init_command", "PRAGMA busy_timeout=500")
    connection.close()
    yield
    connection.close()


@contextmanager
def locked(phone: Softphone):
    """Somebody else's transaction that has this row, and does not end."""
    there, over = threading.Event(), threading.Event()

    def keep() -> None:
        try:
            with transaction.atomic():
                Softphone.objects.select_for_update().get(pk=phone.pk)
                there.set()
                over.wait(60)
        finally:
            connections.close_all()

    keeper = threading.Thread(target=keep)
    keeper.start()
    assert there.wait(20)
    try:
        yield
    finally:
        over.set()
        keeper.join()


def test_a_row_that_somebody_keeps_holds_a_drain_up_for_a_while_only(impatient, sandbox, phone, ask, drain):
    lock = locked(phone)
    change = ask.rename(phone, "Lobby")

    def keep_the_row(step, change):
        if step == "answered":
            lock.__enter__()

    with pytest.raises(OperationalError):
        drain(step=keep_the_row)
    lock.__exit__(None, None, None)
    Lease.objects.update(held_until=0)  # on SQLite it could not be given back
    assert drain().done == 1
    assert writes(sandbox) == ["POST"]
    assert again(change).state == State.DONE
    assert again(phone).name == "Lobby"


def test_a_hand_that_hangs_keeps_the_lease_no_longer_than_calls_can_take(sandbox, phone, ask, drain, settings):
    settings.API_DEADLINE, settings.LEASE_SECONDS = 0.2, 1
    over = threading.Event()
    hands = []

    def hang(step, change):
        if step == "calling" and not hands:
            hands.append(threading.current_thread())
            over.wait(60)

    change = ask.rename(phone, "Lobby")
    try:
        assert drain(step=hang).left == 1
        assert Lease.objects.get(name__startswith="changes:").held_until > 0, "it is not given back under a hand at work"
        settings.API_DEADLINE, settings.LEASE_SECONDS = 20, 15
        while (drained := drain()).busy:
            time.sleep(0.1)  # until the lease has lapsed
        assert drained.done == 1
    finally:
        over.set()
        hands[0].join(60)
    assert writes(sandbox) == ["POST"]
    assert again(change).state == State.DONE


def test_a_hand_that_comes_on_slowly_is_not_left_behind(sandbox, phone, ask, drain, settings, monkeypatch):
    """Each of its calls waits for its place longer than a call may take, and all of them together longer than one may."""
    settings.API_DEADLINE, settings.LEASE_SECONDS = 20, 15
    waited = []
    monkeypatch.setattr("softphones.changes.hands.time", SimpleNamespace(monotonic=lambda: time.monotonic() + 60 * len(waited)))

    def wait(step, change):
        if step == "calling":
            waited.append(step)
            time.sleep(0.5)  # so that the drain looks

    change = ask.rename(phone, "Lobby")
    assert drain(step=wait).done == 1
    assert len(waited) >= 2
    assert writes(sandbox) == ["POST"]
    assert again(change).state == State.DONE


def test_a_change_that_no_hand_has_keeps_the_account_no_longer(sandbox, phone, ask, drain, settings, monkeypatch):
    settings.API_DEADLINE, settings.LEASE_SECONDS = 0.2, 1
    put, lost = queue.Queue.put, []

    def lose_one(self, item, *more, **options):
        if isinstance(item, Job) and not lost:
            lost.append(item)
        else:
            put(self, item, *more, **options)

    monkeypatch.setattr(queue.Queue, "put", lose_one)
    change = ask.rename(phone, "Lobby")
    assert (drain().left, len(lost)) == (1, 1)
    settings.API_DEADLINE, settings.LEASE_SECONDS = 20, 15
    assert drain().done == 1
    assert again(change).state == State.DONE


def test_a_hand_that_never_closes_its_connections_keeps_a_drain_no_longer(sandbox, phone, ask, drain, settings, monkeypatch):
    settings.API_DEADLINE, settings.LEASE_SECONDS = 0.2, 1
    close, over, hands = ConnectionHandler.close_all, threading.Event(), []

    def hang(self, *more, **options):
        if threading.current_thread().name.startswith("changes-"):
            hands.append(threading.current_thread())
            over.wait(60)
        close(self, *more, **options)

    monkeypatch.setattr(ConnectionHandler, "close_all", hang)
    change = ask.rename(phone, "Lobby")
    try:
        assert drain().done == 1
        assert [hand.is_alive() for hand in hands] == [True]
    finally:
        over.set()
        hands[0].join(60)
    assert again(change).state == State.DONE


def test_a_person_who_finds_no_room_while_the_account_is_in_trouble_waits(sandbox, phone, ask, drain, settings):
    change = ask.rename(phone, "Lobby")
    now = clock.now()
    Pause.objects.create(account=phone.account, since=now, until=now, probes=1, reason="Down.")
    settings.API_BUCKET_SIZE, settings.API_TOKENS_PER_SECOND = 1, 0.001
    tried = []
    drain(seconds=1, step=lambda step, change: tried.append(step) if step == "claimed" else None)
    assert again(change).state == State.QUEUED
    assert len(tried) <= 2


def test_nobody_waits_for_ever_for_a_row_or_keeps_one_but_a_migration_may_wait(account):
    """A backup reads all tables for as long as it takes, and the new ones have to come after it."""
    if connection.vendor != "postgresql":
        assert configured.DATABASES["default"]["OPTIONS"]["timeout"] == 5
        return
    shown = []

    def look(**kwargs) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            shown.append(cursor.fetchone()[0])

    connection.close()
    look()
    own = apps.get_app_config("softphones")
    pre_migrate.connect(look, sender=own)
    try:
        call_command("migrate", verbosity=0)
    finally:
        pre_migrate.disconnect(look, sender=own)
    look()
    assert shown == ["10s", "0", "10s"]
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("1min",)
