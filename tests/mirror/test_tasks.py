"""Celery only wakes: what a task does stands in rows, and a broker that is away costs nothing but time."""

from datetime import timedelta

import pytest
from celery import current_app
from celery.signals import worker_init
from django.conf import settings as django_settings
from django.db import transaction
from django.utils import timezone

from softphones import tasks
from softphones.models import Account, SignInCode, SyncRun
from softphones.wake import _connections, wake
from tests.factories import make_account, make_user
from tests.mirror.conftest import account_on, plant_phone, present


@pytest.fixture
def broker():
    """The tests' own broker, emptied. Calling it returns the names and arguments of the waiting messages."""

    def take() -> list[tuple[str, dict]]:
        found = []
        with current_app.connection_for_read() as link, link.SimpleQueue(current_app.conf.task_default_queue) as queue:
            while True:
                try:
                    message = queue.get(block=False)
                except queue.Empty:
                    return found
                found.append((message.headers["task"].rpartition(".")[2], message.payload[1]))
                message.ack()

    take()
    return take


@pytest.fixture
def dead_broker(settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 1, "socket_timeout": 1}
    _connections.cache_clear()
    yield
    _connections.cache_clear()


@pytest.mark.django_db(transaction=True)
def test_a_wake_up_waits_for_the_commit(broker):
    with transaction.atomic():
        wake("mirror_account", account_id=7)
        assert broker() == []
    assert broker() == [("mirror_account", {"account_id": 7})]


@pytest.mark.django_db(transaction=True)
def test_what_was_rolled_back_wakes_nobody(broker):
    with transaction.atomic():
        wake("sweep")
        transaction.set_rollback(True)
    assert broker() == []


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_is_logged_and_nothing_else(dead_broker, caplog):
    with transaction.atomic():
        account = make_account()
        wake(tasks.mirror_account, account_id=account.pk)
    assert Account.objects.filter(pk=account.pk).exists()
    assert "Could not wake a worker for softphones.tasks.mirror_account" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_every_account_gets_a_message_of_its_own(broker):
    accounts = [make_account().pk for _ in range(3)]
    tasks.mirror_accounts()
    assert sorted(arguments["account_id"] for _name, arguments in broker()) == accounts


def test_a_message_mirrors_its_account(account, sandbox):
    device = plant_phone(sandbox)
    tasks.mirror_account(account_id=account.pk, something_of_a_later_version=1)
    assert present() == {device}


def test_a_message_about_an_account_that_is_no_more_does_nothing(db):
    tasks.mirror_account(account_id=12345)
    assert not SyncRun.objects.exists()


def test_trouble_of_the_account_does_not_leave_the_task(db):
    tasks.mirror_account(account_id=make_account().pk)
    assert SyncRun.objects.get().state == "failed"


@pytest.mark.django_db(transaction=True)
def test_the_sweep_finds_accounts_whose_wake_up_was_lost(broker, sandbox):
    account = account_on(sandbox)
    tasks.sweep()
    assert broker() == [("mirror_account", {"account_id": account.pk})]
    tasks.mirror_account(account_id=account.pk)
    tasks.sweep()
    assert broker() == []


@pytest.mark.django_db(transaction=True)
def test_a_step_of_the_sweep_that_fails_leaves_the_others_alone(broker, monkeypatch, caplog):
    account = make_account()
    monkeypatch.setattr("softphones.mail.send_due", lambda now: 1 / 0)
    tasks.sweep()
    assert broker() == [("mirror_account", {"account_id": account.pk})]
    assert "could not finish one of its steps" in caplog.text


@pytest.mark.parametrize("task", [tasks.send_messages, tasks.sweep])
def test_due_mails_are_sent(db, client, mailoutbox, task):
    make_user("alice@acme.example", account=make_account())
    client.post("/sign-in/", {"email": "alice@acme.example"})
    assert mailoutbox == []
    task()
    assert [mail.to for mail in mailoutbox] == [["alice@acme.example"]]


def test_the_sweep_forgets_codes_that_open_nothing_any_more(db, client, time_machine):
    make_user("alice@acme.example", account=make_account())
    client.post("/sign-in/", {"email": "alice@acme.example"})
    assert SignInCode.objects.exists()
    time_machine.move_to(timezone.now() + timedelta(days=1))
    tasks.sweep()
    assert not SignInCode.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_worker_starts_with_the_account_of_the_environment(sandbox, settings):
    settings.AUDIAN_API_URL, settings.AUDIAN_ACCOUNT_ID = sandbox.url, sandbox.account_id
    worker_init.send(sender=None)
    assert Account.objects.get().audian_id == sandbox.account_id


def test_every_entry_of_the_beat_is_a_task_that_exists():
    names = {entry["task"] for entry in django_settings.CELERY_BEAT_SCHEDULE.values()}
    assert names <= set(current_app.tasks)
