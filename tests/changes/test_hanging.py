"""What hangs: another transaction that keeps a row, a hand that never comes back. Neither keeps an account for ever."""

import threading
import time
from contextlib import contextmanager

import pytest
from django.apps import apps
from django.conf import settings as configured
from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction
from django.db.models.signals import pre_migrate

from softphones.models import Change, Lease, Softphone
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
        settings.API_DEADLINE, settings.LEASE_SECONDS = 20, 15
        while (drained := drain()).busy:
            time.sleep(0.1)  # until the lease has lapsed
        assert drained.done == 1
    finally:
        over.set()
        hands[0].join(60)
    assert writes(sandbox) == ["POST"]
    assert again(change).state == State.DONE


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
