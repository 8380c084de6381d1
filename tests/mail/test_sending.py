"""Mails are rows: each is sent once, and what does not work is tried again or says why not."""

import threading
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.db import connection
from django.utils import timezone

from softphones import mail
from softphones.mail import sending
from softphones.models import Message, SignInCode
from tests.factories import make_owner
from tests.people.conftest import Visitor, mails_to, newest_code, the_worker_runs
from tests.people.smtp_server import smtp_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(ceo):
    """A mail that waits to be sent."""
    ceo.post("/sign-in/", email=ceo.address)
    return Message.objects.get()


def after(message, seconds):
    """Let the worker run when the message is due, `seconds` after it was asked for, and reload it."""
    result = mail.send_due(message.created_at + timedelta(seconds=seconds + 0.5))
    message.refresh_from_db()
    return result


def test_a_mail_is_queued_in_the_request_and_sent_by_the_worker(message):
    assert not outbox.outbox
    assert message.state == Message.State.QUEUED
    assert the_worker_runs() == mail.Sent(sent=1)
    message.refresh_from_db()
    assert message.state == Message.State.SENT
    assert message.sent_at
    assert the_worker_runs() == mail.Sent()
    assert len(outbox.outbox) == 1


def test_a_worker_whose_clock_is_a_little_behind_sends_it_at_once_too(message):
    assert mail.send_due(timezone.now() - timedelta(seconds=30)).sent == 1


def test_asking_wakes_the_worker_once_committed(ceo, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as woken:
        ceo.post("/sign-in/", email=ceo.address)
    assert len(woken) == 1


def test_a_mail_says_whom_it_is_for_and_for_which_account_once_it_is_sent(message, account):
    assert (message.account, message.user) == (None, None)
    the_worker_runs()
    message.refresh_from_db()
    assert (message.account, message.user) == (account, None)


def test_a_real_mail_server_gets_both_parts(message, settings):
    with smtp_server(settings) as server:
        assert after(message, 0) == mail.Sent(sent=1)
    [text] = server.taken
    assert "text/plain" in text
    assert "text/html" in text
    assert "Auto-Submitted: auto-generated" in text
    assert "Message-ID: <" in text
    assert "@testserver.localhost>" in text


def test_a_refused_address_fails_with_a_sentence(message, settings):
    with smtp_server(settings) as server:
        server.recipient_answer = "550 no such user"
        assert after(message, 0) == mail.Sent(failed=1)
    assert message.state == Message.State.FAILED
    assert message.error == "The mail server refused the address. Check that it is right."


def test_a_server_that_puts_us_off_is_asked_again_later_and_later(message, settings):
    with smtp_server(settings) as server:
        server.recipient_answer = "451 try later"
        assert after(message, 0) == mail.Sent(put_off=1)
        assert "did not take the mail" in message.error
        assert after(message, 2) == mail.Sent()
        assert after(message, 6) == mail.Sent(put_off=1)
        assert after(message, 12) == mail.Sent()
        server.recipient_answer = "250 ok"
        assert after(message, 30) == mail.Sent(sent=1)
    assert message.attempts == 3
    assert message.error == ""


def test_a_server_that_refuses_the_mail_itself_is_asked_again(message, settings):
    with smtp_server(settings) as server:
        server.data_answer = "554 spam"
        assert after(message, 0) == mail.Sent(put_off=1)
    assert message.error == "The mail server did not take the mail (SMTPDataError 554)."


def test_without_a_server_nothing_is_lost_and_the_other_mails_wait(message, settings, account):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    make_owner(account, "cfo@acme.example")
    Visitor("cfo@acme.example").post("/sign-in/", email="cfo@acme.example")
    assert after(message, 1) == mail.Sent(put_off=1)
    assert Message.objects.exclude(pk=message.pk).get().attempts == 0
    with smtp_server(settings):
        assert after(message, 10) == mail.Sent(sent=2)


def test_after_enough_tries_it_is_given_up(message, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    settings.MESSAGE_ATTEMPTS = 2
    after(message, 0)
    assert after(message, 10) == mail.Sent(failed=1)
    assert message.state == Message.State.FAILED


def test_a_mail_whose_code_has_lapsed_is_not_sent(message):
    assert after(message, 15 * 60) == mail.Sent(failed=1)
    assert message.error == "The code lapsed before the mail could be sent."
    assert not outbox.outbox


def test_a_worker_that_dies_leaves_the_mail_to_the_next_one_a_minute_later(message):
    now = timezone.now()
    assert sending._claim(Message.objects.get(), now)
    assert mail.send_due(now) == mail.Sent()
    assert mail.send_due(now + timedelta(seconds=61)) == mail.Sent(sent=1)


def test_a_code_counts_from_the_moment_its_mail_may_have_arrived(message, settings):
    """The server took the mail but the worker never heard so: what the person reads works."""
    code = SignInCode.objects.get()
    with smtp_server(settings) as server:
        server.data_answer = "421 gone"
        after(message, 0)
        assert code.code in server.taken[0]
    code.refresh_from_db()
    assert code.mailed_at


def test_of_two_workers_that_saw_the_same_mail_one_gets_it(message):
    now = timezone.now()
    mine, theirs = Message.objects.get(), Message.objects.get()
    assert sending._claim(mine, now)
    assert not sending._claim(theirs, now)


@pytest.mark.django_db(transaction=True)
def test_several_workers_at_once_send_it_once(ceo):
    ceo.post("/sign-in/", email=ceo.address)
    start = threading.Barrier(4)

    def work():
        try:
            start.wait()
            the_worker_runs()
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(mails_to(ceo.address)) == 1


def test_names_in_the_mail_are_escaped_where_it_is_html_and_plain_elsewhere(ceo, account):
    account.company_name = "<b>Tooth & Co</b>\nBcc: x@evil.example"
    account.save()
    ceo.asks_for_a_code()
    [sent] = outbox.outbox
    assert sent.subject.startswith(newest_code(ceo.address))
    assert "\n" not in sent.subject
    assert "<b>Tooth & Co</b>" in sent.body
    assert "&lt;b&gt;Tooth &amp; Co" in sent.alternatives[0][0]
