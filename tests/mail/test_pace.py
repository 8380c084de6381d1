"""EMAIL_PER_MINUTE: codes never wait, what a person waits for goes before bulk, and no minute has more than it says."""

import threading
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.db import connection
from django.utils import timezone

from softphones import leases, mail
from softphones.models import Message
from tests.factories import make_owner, make_softphone
from tests.people.conftest import Visitor
from tests.people.smtp_server import smtp_server

pytestmark = pytest.mark.django_db
Kind = Message.Kind


@pytest.fixture
def many(account):
    """Ask for a mail to each of so many people."""

    def ask(number, kind=Kind.SOFTPHONE_READY):
        now = timezone.now()
        for n in range(number):
            owner = make_owner(account, f"p{Message.objects.count()}-{n}@acme.example", name=f"P{n}")
            mail.ask(kind=kind, account=account, softphone=make_softphone(account, owner), now=now)
        return now

    return ask


def test_no_minute_has_more_than_it_may(many, settings):
    settings.EMAIL_PER_MINUTE = 5
    now = many(12, Kind.SETUP_LINK)
    sent = [mail.send_due(now + timedelta(seconds=at)).sent for at in (0, 10, 59, 60, 61, 119, 120, 180)]
    assert sent == [5, 0, 0, 5, 0, 0, 2, 0]


def test_codes_do_not_wait_and_do_not_count(many, settings, ceo):
    settings.EMAIL_PER_MINUTE = 2
    now = many(2, Kind.SETUP_LINK)
    ceo.post("/sign-in/", email=ceo.address)
    assert mail.send_due(timezone.now()).sent == 3
    assert outbox.outbox[0].to == [ceo.address]
    cfo = Visitor("cfo@acme.example")
    make_owner(ceo_account(), cfo.address)
    cfo.post("/sign-in/", email=cfo.address)
    many(1, Kind.SETUP_LINK)
    assert mail.send_due(timezone.now()).sent == 1
    assert outbox.outbox[-1].to == [cfo.address]
    assert mail.send_due(now + timedelta(seconds=65)).sent == 1


def ceo_account():
    return Message.objects.filter(account__isnull=False).first().account


def test_what_a_person_waits_for_goes_before_bulk_and_has_a_share_of_its_own(many, settings):
    settings.EMAIL_PER_MINUTE = 10
    many(20)
    now = many(1, Kind.SETUP_LINK)
    assert mail.send_due(now).sent == 8  # the link, and bulk up to four fifths of the pace
    assert Message.objects.get(kind=Kind.SETUP_LINK).state == Message.State.SENT
    now = many(3, Kind.SETUP_LINK)
    assert mail.send_due(now).sent == 2
    assert mail.send_due(now + timedelta(seconds=61)).sent == 8


def test_a_pace_of_one_is_a_pace(many, settings):
    settings.EMAIL_PER_MINUTE = 1
    now = many(2)
    assert mail.send_due(now).sent == 1
    assert mail.send_due(now).sent == 0
    assert mail.send_due(now + timedelta(seconds=61)).sent == 1


@pytest.mark.django_db(transaction=True)
def test_several_workers_together_keep_it(many, settings):
    settings.EMAIL_PER_MINUTE = 6
    now, start = many(20, Kind.SETUP_LINK), threading.Barrier(4)

    def work():
        try:
            start.wait()
            mail.send_due(now)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(outbox.outbox) == len({each.to[0] for each in outbox.outbox}) == 6


class TestStaying:
    def test_a_worker_stays_for_a_mail_that_is_due_soon(self, many, settings):
        settings.MESSAGE_RETRY = 0.2
        many(1)
        with smtp_server(settings) as server:
            server.recipient_answer, server.then = "451 try later", "250 ok"
            mail.send_for(30)
        assert Message.objects.get().state == Message.State.SENT

    def test_not_for_what_is_due_after_it_would_go(self, many, settings):
        settings.EMAIL_PER_MINUTE = 1
        many(2)
        mail.send_for(5)
        assert len(outbox.outbox) == 1

    def test_a_second_worker_sends_what_is_due_and_goes(self, many, settings):
        settings.MESSAGE_RETRY = 0.5
        leases.take("sending mails", 30)
        many(1)
        with smtp_server(settings) as server:
            server.recipient_answer = "451 try later"
            mail.send_for(10)
        assert Message.objects.get().attempts == 1
