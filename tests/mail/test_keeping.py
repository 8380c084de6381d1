"""How long mails stay in the list of what was mailed, and what stays for ever."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones import mail, tasks
from softphones.models import AuditEvent, Import, ImportRow, Message

pytestmark = pytest.mark.django_db
State = Message.State


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def mailed(account, now):
    """A mail that was asked for so many days ago."""

    def mailed(days: int, state=State.SENT, kind="setup_link") -> Message:
        message = Message.objects.create(
            kind=kind, rank=1, account=account, to="alice@acme.example", state=state, next_attempt_at=now
        )
        Message.objects.filter(pk=message.pk).update(created_at=now - timedelta(days=days))
        return message

    return mailed


def test_what_was_mailed_is_dropped_after_its_time(mailed, now, settings):
    settings.MAIL_KEPT_DAYS = 90
    kept, old = mailed(89), [mailed(91), mailed(91, State.FAILED), mailed(91, kind="sign_in_code")]
    assert mail.forget(now=now) == len(old)
    assert list(Message.objects.all()) == [kept]


def test_what_still_waits_is_never_dropped(mailed, now):
    waiting = mailed(1000, State.QUEUED)
    assert mail.forget(now=now) == 0
    assert Message.objects.get() == waiting


def test_the_report_of_bulk_work_keeps_what_it_tells(mailed, account, now):
    batch = Import.objects.create(
        account=account, kind="send_links", name="x", sha256="0" * 64, state="finished", created_at=now
    )
    told, old = mailed(1000), mailed(1000)
    ImportRow.objects.create(batch=batch, line=1, verdict="will_do", message=told)
    assert mail.forget(now=now) == 1
    assert not Message.objects.filter(pk=old.pk).exists()
    assert ImportRow.objects.get().message == told


def test_the_history_keeps_who_asked_for_it(mailed, alice, alices_phone, account, now):
    asked = mail.ask(kind="setup_link", account=account, softphone=alices_phone, asked_by=alice, now=now)
    Message.objects.filter(pk=asked.pk).update(state=State.SENT, created_at=now - timedelta(days=1000))
    mail.forget(now=now)
    assert not Message.objects.exists()
    assert AuditEvent.objects.get(act="mail:asked").data["message"] == asked.pk


def test_many_are_dropped_a_part_at_a_time(mailed, now, monkeypatch):
    monkeypatch.setattr("softphones.mail.keeping.AT_ONCE", 2)
    for _each in range(5):
        mailed(1000)
    assert mail.forget(now=now) == 5


def test_the_sweep_does_it_once_an_hour(mailed):
    mailed(1000)
    tasks.sweep()
    assert not Message.objects.exists()
    mailed(1000)
    tasks.sweep()
    assert Message.objects.count() == 1
