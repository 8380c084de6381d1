"""The list of mails that did not go out: masked, with what is wrong, and a way to try again."""

from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from softphones.models import AuditEvent, Message
from tests.factories import make_account, make_owner, make_softphone, make_user
from tests.pages.conftest import soup, words
from tests.people.conftest import the_worker_runs
from tests.people.smtp_server import smtp_server
from tests.staffing import staff_browser

pytestmark = pytest.mark.django_db
MAILS = "/acme/mail/"


@pytest.fixture
def refused(ask, settings):
    """The mail server refused Alice's address."""
    message = ask(timezone.now())
    backend = settings.EMAIL_BACKEND
    with smtp_server(settings) as server:
        server.recipient_answer = "550 no such user"
        the_worker_runs()
    settings.EMAIL_BACKEND = backend
    message.refresh_from_db()
    assert message.state == Message.State.FAILED
    return message


def again(message) -> str:
    return f"{MAILS}{message.pk}/again/"


def test_a_refused_address_is_shown_masked_with_what_is_wrong(refused, helpdesk):
    page = words(helpdesk.get(MAILS))
    assert "a•••e@acme.example" in page
    assert "alice@acme.example" not in page
    assert "not sent: The mail server refused the address. Check that it is right." in page


def test_what_waits_says_so_and_what_was_sent_is_not_there(ask, helpdesk):
    ask(timezone.now())
    assert "waiting to be sent" in words(helpdesk.get(MAILS))
    the_worker_runs()
    assert "Every mail is on its way" in words(helpdesk.get(MAILS))


def test_what_is_tried_again_by_itself_says_when(ask, helpdesk, settings):
    ask(timezone.now())
    with smtp_server(settings) as server:
        server.data_answer = "451 later"
        the_worker_runs()
    page = words(helpdesk.get(MAILS))
    assert "The mail server did not take the mail (SMTPDataError 451). Next try" in page


def test_trying_again_uses_the_address_that_is_right_now(ask, account, helpdesk, settings):
    owner = make_owner(account, "carll@acme.example", name="Carl")
    message = ask(timezone.now(), softphone=make_softphone(account, owner))
    Message.objects.update(state=Message.State.FAILED, error="refused", attempts=3)
    owner.email = owner.email_folded = "carl@acme.example"
    owner.save()
    page = helpdesk.post(again(message), follow=True)
    assert "The mail is on its way again." in words(page)
    the_worker_runs()
    assert [each.to for each in outbox.outbox] == [["carl@acme.example"]]
    assert AuditEvent.objects.get(act="mail:tried_again").actor == helpdesk.user


def test_pressed_twice_it_is_sent_once(refused, helpdesk):
    helpdesk.post(again(refused))
    helpdesk.post(again(refused))
    the_worker_runs()
    assert len(outbox.outbox) == 1
    assert AuditEvent.objects.filter(act="mail:tried_again").count() == 1


def test_what_can_not_work_says_why_instead(refused, helpdesk, alices_phone):
    alices_phone.enabled = False
    alices_phone.save()
    assert "Switch it on first" in words(helpdesk.post(again(refused), follow=True))
    refused.refresh_from_db()
    assert refused.state == Message.State.FAILED


def test_a_code_is_shown_but_can_not_be_mailed_again(helpdesk, account):
    message = Message.objects.create(
        kind="sign_in_code",
        account=account,
        to="alice@acme.example",
        state="failed",
        error="refused",
        next_attempt_at=timezone.now(),
    )
    page = helpdesk.get(MAILS)
    assert "Code to sign in" in words(page)
    assert not soup(page).select(f"form[action='{again(message)}']")
    assert "asks for a new one" in words(helpdesk.post(again(message), follow=True))


def test_it_can_be_narrowed_and_has_pages(helpdesk, account):
    now = timezone.now()
    for n in range(60):
        state = "queued" if n % 3 else "failed"
        Message.objects.create(
            kind="setup_link", rank=1, account=account, to=f"p{n}@acme.example", state=state, next_attempt_at=now
        )
    page = helpdesk.get(MAILS, {"state": "failed"})
    assert len(soup(page).select(".events > li")) == 20
    assert "Failed 20" in words(page)
    assert "Waiting 40" in words(page)
    first = helpdesk.get(MAILS)
    second = helpdesk.get(MAILS + soup(first).select_one("[rel=next]")["href"])
    assert [len(soup(each).select(".events > li")) for each in (first, second)] == [50, 10]


def test_what_is_older_than_a_month_is_no_longer_anybodys_task(refused, helpdesk):
    Message.objects.update(created_at=timezone.now() - timedelta(days=31))
    assert "Every mail is on its way" in words(helpdesk.get(MAILS))


def failed(account, to, **about):
    about |= {"kind": "setup_link", "rank": 1, "state": "failed", "next_attempt_at": timezone.now()}
    return Message.objects.create(account=account, to=to, **about)


class TestMailsToStaff:
    """What goes to a colleague with a staff role is as little helpdesk's as their phones are."""

    def owner_is_staff(account, carl):
        return failed(account, carl.email, owner=make_owner(account, carl.email, user=carl), user=carl)

    def user_is_staff(account, carl):
        return failed(account, carl.email, user=carl, kind="second_factor")

    def an_owner_who_is_not_linked(account, carl):
        return failed(account, carl.email, owner=make_owner(account, carl.email))

    def whose_address_is_now_that_of_staff(account, carl):
        return failed(account, "old@acme.example", owner=make_owner(account, carl.email))

    def whose_address_was_that_of_staff(account, carl):
        return failed(account, "Carl@acme.example", owner=make_owner(account, "new@acme.example"))

    def staff_of_another_account(account, carl):
        carl.memberships.update(account=make_account(slug="other"))
        return failed(account, carl.email, owner=make_owner(account, carl.email))

    KINDS = [
        owner_is_staff,
        user_is_staff,
        an_owner_who_is_not_linked,
        whose_address_is_now_that_of_staff,
        whose_address_was_that_of_staff,
        staff_of_another_account,
    ]

    @pytest.mark.parametrize("message_to", KINDS)
    def test_only_an_admin_tries_them_again(self, helpdesk, admin, account, message_to):
        message = message_to(account, make_user("carl@acme.example", account=account, role="helpdesk", name="Carl"))
        page = soup(helpdesk.get(MAILS))
        assert not page.select(f"form[action='{again(message)}']")
        assert "only an administrator can try again." in words(page)
        assert helpdesk.post(again(message)).status_code == 404
        message.refresh_from_db()
        assert message.state == Message.State.FAILED
        assert soup(admin.get(MAILS)).select(f"form[action='{again(message)}']")
        assert admin.post(again(message)).status_code == 302

    def test_the_list_asks_for_all_rows_at_once(self, helpdesk, account, django_assert_max_num_queries):
        failed(account, "p@acme.example", owner=make_owner(account, "p@acme.example"))
        with CaptureQueriesContext(connection) as one:
            helpdesk.get(MAILS)
        for n in range(20):
            failed(account, f"p{n}@acme.example", owner=make_owner(account, f"p{n}@acme.example"))
        with django_assert_max_num_queries(len(one)):
            helpdesk.get(MAILS)


class TestWhoMaySeeIt:
    def test_another_account_does_not(self, refused, db):
        evil = staff_browser(make_account(slug="evil"), "admin", "eve@evil.example")
        assert "•••" not in words(evil.get("/evil/mail/"))
        assert evil.get(MAILS).status_code == 404
        assert evil.post(again(refused)).status_code == 404
        assert evil.post(f"/evil/mail/{refused.pk}/again/").status_code == 404

    def test_users_and_strangers_do_not(self, refused, signed_in, alice, client):
        assert signed_in(alice).get(MAILS).status_code == 404
        assert signed_in(alice).post(again(refused)).status_code == 404
        assert client.get(MAILS).status_code == client.post(again(refused)).status_code == 302

    def test_a_get_tries_nothing(self, refused, helpdesk):
        assert helpdesk.get(again(refused)).status_code == 405
