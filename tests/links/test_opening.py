"""A browser at a one-time address: looking uses nothing up, one press opens it, one browser keeps it."""

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from softphones import setup_links
from softphones.models import AuditEvent, SetupLink
from tests.factories import make_owner, make_softphone, make_user
from tests.links.conftest import CHROME, HTML, PASSWORD, UNKNOWN, is_dead, works

pytestmark = pytest.mark.django_db


def later(seconds: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=False)


def test_the_page_says_that_the_link_works_and_shows_nothing_yet(browser, address):
    page = browser.get(address)
    assert works(page)
    assert PASSWORD not in page.text


@pytest.mark.parametrize(
    "agent",
    [
        CHROME,
        "WhatsApp/2.24 A",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "facebookexternalhit/1.1",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "curl/8.5.0",
        "",
    ],
)
def test_looking_uses_nothing_up_and_writes_nothing(address, agent):
    visitor = Client(headers={"User-Agent": agent})
    with CaptureQueriesContext(connection) as queries:
        for _ in range(2):
            assert works(visitor.get(address))
            assert visitor.head(address).status_code == 200
    assert [each["sql"] for each in queries if not each["sql"].startswith("SELECT")] == []
    assert works(Client(headers=HTML).get(address))


def test_a_press_opens_it(browser, address, alices_phone):
    page = browser.post(address, follow=True)
    assert PASSWORD in page.text
    assert alices_phone.sip_username in page.text


def pressed_before_the_answer_came(browser) -> Client:
    """The same browser, as it was when the page with the button had come and no session had begun."""
    twin = Client(headers=HTML)
    twin.cookies[settings.CSRF_COOKIE_NAME] = browser.cookies[settings.CSRF_COOKIE_NAME].value
    return twin


def test_two_presses_at_once_in_one_browser_are_one(browser, address):
    browser.get(address)
    twin = pressed_before_the_answer_came(browser)
    assert PASSWORD in browser.post(address, follow=True).text
    assert PASSWORD in twin.post(address, follow=True).text
    assert AuditEvent.objects.filter(act="link:opened").count() == 1


def test_a_press_much_later_is_another_browsers(browser, address):
    browser.get(address)
    twin = pressed_before_the_answer_came(browser)
    browser.post(address)
    with later(11):
        assert is_dead(twin.post(address))


def test_everybody_else_then_finds_it_dead(browser, other_browser, address):
    browser.post(address)
    assert is_dead(other_browser.get(address))
    assert is_dead(other_browser.post(address))


def test_the_browser_that_opened_it_keeps_it_for_half_an_hour(browser, address):
    browser.post(address)
    for seconds in (5, 29 * 60):
        with later(seconds):
            assert PASSWORD in browser.get(address).text
            assert PASSWORD in browser.post(address, follow=True).text
    with later(30 * 60 + 1):
        assert is_dead(browser.get(address))
        assert is_dead(browser.post(address))


def test_a_link_lapses_after_a_quarter_of_an_hour(browser, address):
    with later(15 * 60 - 1):
        assert works(browser.get(address))
    with later(15 * 60 + 1):
        assert is_dead(browser.get(address))
        assert is_dead(browser.post(address))


def test_used_expired_revoked_and_unknown_links_look_the_same(browser, other_browser, draw, alices_phone, comparable):
    used, expired, revoked = draw(), draw(), draw()
    browser.post(f"/s/{used.token}")
    SetupLink.objects.filter(pk=expired.link.pk).update(expires_at=timezone.now())
    SetupLink.objects.filter(pk=revoked.link.pk).update(revoked_at=timezone.now())
    pages = [other_browser.get(f"/s/{token}") for token in (used.token, expired.token, revoked.token, UNKNOWN, "x", "é%00")]
    pages += [other_browser.get(f"/zoiper?id={token}") for token in (used.token, UNKNOWN, "")]
    assert all(is_dead(page) for page in pages)
    assert len({comparable(page) for page in pages}) == 1


def test_dead_links_cost_the_same_queries(browser, other_browser, draw):
    used, expired = draw(), draw()
    browser.post(f"/s/{used.token}")
    SetupLink.objects.filter(pk=expired.link.pk).update(expires_at=timezone.now())
    for visit in (other_browser.get, other_browser.post):
        counts = set()
        for token in (used.token, expired.token, UNKNOWN):
            with CaptureQueriesContext(connection) as queries:
                visit(f"/s/{token}")
            counts.add(len(queries))
        assert len(counts) == 1


ENDED = {
    "the phone is disabled": lambda phone, alice: phone.__class__.objects.update(enabled=False),
    "the phone is gone": lambda phone, alice: phone.__class__.objects.update(gone_at=timezone.now()),
    "nobody knows the password": lambda phone, alice: phone.__class__.objects.update(password=None),
    "it has no password": lambda phone, alice: phone.__class__.objects.update(password=""),
    "it has no username": lambda phone, alice: phone.__class__.objects.update(sip_username=""),
    "its owner is disabled": lambda phone, alice: phone.owner.__class__.objects.update(enabled=False),
    "its owner is gone": lambda phone, alice: phone.owner.__class__.objects.update(gone_at=timezone.now()),
    "its owner is somebody else now": lambda phone, alice: phone.owner.__class__.objects.update(
        user=make_user("new@acme.example")
    ),
    "it has no owner": lambda phone, alice: phone.__class__.objects.update(owner=None),
    "she lost her membership": lambda phone, alice: alice.memberships.all().delete(),
    "she may not sign in": lambda phone, alice: alice.__class__.objects.filter(pk=alice.pk).update(is_active=False),
    "it was revoked": lambda phone, alice: setup_links.revoke(softphone=phone, now=timezone.now()),
}


@pytest.mark.parametrize("why", ENDED)
def test_a_link_ends_with_the_access_of_whoever_drew_it(browser, softphone_app, address, alice, alices_phone, why):
    ENDED[why](alices_phone, alice)
    assert is_dead(browser.get(address))
    assert is_dead(browser.post(address))
    assert softphone_app.get(address, headers={"X-Linphone-Provisioning": "1"}).status_code == 404


@pytest.mark.parametrize("why", ENDED)
def test_so_does_an_opened_page(browser, address, alice, alices_phone, why):
    browser.post(address)
    ENDED[why](alices_phone, alice)
    assert is_dead(browser.get(address))
    assert is_dead(browser.post(address, {"app_link": "1"}))


def test_revoking_ends_every_link_of_that_phone_and_no_other(draw, drawn, browser, alices_phone, bob):
    other = setup_links.draw(softphone=phone_of(bob), user=bob, ip=None, now=timezone.now())
    assert setup_links.revoke(softphone=alices_phone, now=timezone.now()) == 1
    assert is_dead(browser.get(f"/s/{drawn.token}"))
    assert works(browser.get(f"/s/{other.token}"))


def test_a_session_planted_in_the_browser_beforehand_shows_nothing(address):
    intruder = Client(headers=HTML)
    session = intruder.session
    session["planted"] = True
    session.save()
    victim = Client(headers=HTML)
    victim.cookies["session"] = session.session_key
    assert PASSWORD in victim.post(address, follow=True).text
    assert is_dead(intruder.get(address))


def test_a_signed_in_person_stays_signed_in(browser, address, alice):
    browser.force_login(alice)
    key = browser.session.session_key
    assert PASSWORD in browser.post(address, follow=True).text
    assert browser.session.session_key == key
    assert "_auth_user_id" in browser.session


def test_a_second_press_that_was_on_its_way_is_answered_too(address, alice, drawn):
    """Both presses began with the same session; the second one comes when the first has opened the link."""
    first = Client(headers=HTML)
    first.force_login(alice)
    session = type(first.session)(first.session.session_key)
    session.get("loaded before the first press")
    first.post(address)
    link = setup_links.open_in_browser(
        token=drawn.token, session=session, browser="", ip=None, agent=CHROME, now=timezone.now()
    )
    assert link == drawn.link


def test_the_press_has_to_come_from_our_own_page(address):
    visitor = Client(headers=HTML, enforce_csrf_checks=True)
    assert visitor.post(address).status_code == 403
    visitor.get(address)
    token = visitor.cookies["csrf"].value
    assert PASSWORD in visitor.post(address, {"csrfmiddlewaretoken": token}, follow=True).text


def test_no_table_holds_the_token_in_clear(browser, address, drawn):
    browser.post(address)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            assert drawn.token not in str(cursor.fetchall()), table
    assert drawn.token not in str(dict(browser.session))


def test_no_page_names_an_audian_id(browser, other_browser, address, alices_phone):
    pages = [browser.get(address), browser.post(address, follow=True), other_browser.get(address)]
    for page in pages:
        for secret in (alices_phone.audian_id, alices_phone.account.audian_id, alices_phone.owner.audian_id):
            assert secret not in page.text


def test_every_answer_is_kept_by_nobody_and_named_to_nobody(browser, other_browser, softphone_app, draw):
    first, second = f"/s/{draw().token}", f"/zoiper?id={draw().token}"
    answers = [browser.get(first), browser.head(first), browser.post(first), browser.get(first), other_browser.get(first)]
    answers += [browser.get(second), softphone_app.get(second), softphone_app.get(second), browser.delete(first)]
    for answer in answers:
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "strict-origin"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "noindex" in answer["X-Robots-Tag"]


def test_what_it_is_drawn_for_is_written_down(browser, address, drawn, alice, alices_phone):
    browser.post(address, REMOTE_ADDR="198.51.100.4")
    made, opened = AuditEvent.objects.order_by("id")
    assert (made.act, made.actor, made.softphone, made.ip) == ("link:made", alice, alices_phone, "192.0.2.7")
    assert (opened.act, opened.actor, opened.softphone, opened.ip) == ("link:opened", None, alices_phone, "198.51.100.4")
    assert opened.data == {"link": drawn.link.pk, "agent": CHROME}


def test_its_address_is_under_the_public_one_and_nowhere_else(settings):
    settings.PUBLIC_URL = "https://phones.acme.example"
    assert setup_links.url("abc") == "https://phones.acme.example/s/abc"
    assert not reverse("zoiper").endswith("/")


def phone_of(person):
    account = person.memberships.get().account
    return make_softphone(account, make_owner(account, person.email, user=person))
