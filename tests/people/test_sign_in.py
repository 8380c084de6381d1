"""A person signs in with a code from their mailbox, or with a password, and out again."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.core import mail as outbox
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from softphones import people
from softphones.models import AuditEvent, Membership, Message, SignInCode, User
from tests.factories import make_account, make_owner, make_user
from tests.people.conftest import Visitor, mails_to, newest_code, newest_long_code, other_than, the_worker_runs

pytestmark = pytest.mark.django_db


def test_somebody_with_a_phone_signs_in_without_an_invitation(ceo, ceo_owner, account):
    response = ceo.signs_in()

    assert response.status_code == 302
    assert response["Location"] == "/"
    user = User.objects.get(email="ceo@acme.example")
    assert ceo.user_id == user.pk
    assert EmailAddress.objects.get(user=user).verified
    assert user.memberships.get().account == account
    assert user.memberships.get().role == Membership.Role.USER
    ceo_owner.refresh_from_db()
    assert ceo_owner.user == user
    acts = list(AuditEvent.objects.order_by("id").values_list("act", flat=True))
    assert acts == ["person:joined", "person:linked", "person:signed_in"]
    event = AuditEvent.objects.get(act="person:signed_in")
    assert (event.actor, event.account, event.ip, event.data) == (user, account, ceo.ip, {"kind": "code"})


def test_the_second_time_the_same_user_signs_in(ceo):
    ceo.signs_in()
    again = Visitor("CEO@Acme.Example ")
    again.asks_for_a_code()
    again.enters(newest_code("ceo@acme.example"))
    assert again.user_id == ceo.user_id
    assert User.objects.count() == 1


def test_the_screen_is_the_same_for_known_and_unknown_addresses(ceo, account):
    stranger = Visitor("nobody@acme.example")
    pages = []
    for visitor in (ceo, stranger):
        response = visitor.asks_for_a_code()
        assert (response.status_code, response["Location"]) == (302, "/sign-in/code/")
        wrong = "123456" if visitor is stranger else other_than(newest_code(ceo.address))
        answers = [visitor.get("/sign-in/code/"), *(visitor.enters(wrong) for _ in range(6))]
        texts = [each.content.decode() for each in answers]
        pages.append([_without_what_differs(text, visitor.address) for text in texts])

    assert pages[0] == pages[1]
    assert [each.to for each in outbox.outbox] == [["ceo@acme.example"]]
    assert not Message.objects.filter(to=stranger.address).exists()


def _without_what_differs(page, address):
    page = page.replace(address, "ADDRESS")
    page = re.sub(r'value="\d{6}"', "", page)
    page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)
    return re.sub(r'X-CSRFToken": "\w+"', "", page)


def test_asking_does_the_same_work_for_every_address(ceo, django_capture_on_commit_callbacks):
    counts = []
    for address in ("ceo@acme.example", "nobody@acme.example", "ceo@\u212aelvin.example"):
        with (
            CaptureQueriesContext(
                connection,
            ) as queries,
            django_capture_on_commit_callbacks() as woken,
        ):
            Visitor(address).post("/sign-in/", email=address)
        counts.append((len(queries), len(woken)))
    assert counts[0] == counts[1] == counts[2]
    assert counts[0][1] == 1
    assert not outbox.outbox


def test_entering_does_the_same_work_for_every_address(ceo):
    counts = []
    for address in ("ceo@acme.example", "nobody@acme.example", "ceo@\u212aelvin.example"):
        visitor = Visitor(address)
        visitor.asks_for_a_code()
        for wrong in ("000000", "0000000000000000"):
            with CaptureQueriesContext(connection) as queries:
                visitor.enters(wrong)
            counts.append((len(wrong), len(queries)))
    assert len(set(counts)) == 2


def test_an_address_outside_ascii_is_never_taken_for_another(account):
    make_owner(account, "kim@acme.example", email_folded="kim@acme.example")
    make_owner(account, "\u212aarl@acme.example", email_folded="karl@acme.example")
    for typed in ("\u212aim@acme.example", "kim@\u212acme.example", "karl@acme.example"):
        visitor = Visitor(typed)
        visitor.asks_for_a_code()
    assert not outbox.outbox


def test_the_mail_has_the_code_and_no_link_that_signs_in(ceo, account, settings):
    settings.PUBLIC_URL = "https://phones.acme.example"
    ceo.browser.post("/sign-in/", {"email": ceo.address}, headers={"host": "localhost"}, REMOTE_ADDR=ceo.ip)
    the_worker_runs()
    [sent] = outbox.outbox
    html = sent.alternatives[0][0]
    code = newest_code(ceo.address)
    assert sent.subject == f"{code} is your code for Acme Dental"
    for body in (sent.body, html):
        assert code in body
        assert "15 minutes" in body
        assert "+1 555 0100" in body
        assert "helpdesk@acme.example" in body
        assert "https://phones.acme.example" in body
        assert "localhost" not in body
        assert "href" not in body


def test_no_row_holds_the_code_in_the_clear(ceo):
    ceo.asks_for_a_code()
    code, long_code = newest_code(ceo.address), newest_long_code(ceo.address)
    with connection.cursor() as cursor:
        for table, columns in (("message", '"to", error, kind'), ("signincode", "code, long_code, address, browser")):
            cursor.execute(f"SELECT {columns} FROM softphones_{table}")  # noqa: S608
            stored = repr(cursor.fetchall())
            assert f"'{code}'" not in stored
            assert long_code.replace("-", "") not in stored
    ceo.enters(code)
    assert SignInCode.objects.get().code == ""


def test_a_code_works_once(ceo):
    ceo.signs_in()
    code = newest_code(ceo.address)
    ceo.post("/sign-out/")
    assert ceo.user_id is None
    assert ceo.enters(code).status_code == 302
    assert ceo.user_id is None


def test_a_code_typed_with_spaces_works(ceo):
    ceo.asks_for_a_code()
    code = newest_code(ceo.address)
    ceo.enters(f" {code[:3]} {code[3:]} ")
    assert ceo.user_id


def test_a_code_works_for_fifteen_minutes(ceo):
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        ceo.asks_for_a_code()
        clock.shift(timedelta(minutes=15))
        page = ceo.enters(newest_code(ceo.address))
        assert "no longer works" in page.content.decode()
        assert ceo.user_id is None


def test_a_code_stands_five_tries(ceo):
    ceo.asks_for_a_code()
    right = newest_code(ceo.address)
    for _ in range(5):
        assert "not the code" in ceo.enters(other_than(right)).content.decode()
    assert "no longer works" in ceo.enters(right).content.decode()
    assert ceo.user_id is None


def test_after_a_wrong_code_the_field_is_empty_for_the_next(ceo):
    ceo.asks_for_a_code()
    wrong = other_than(newest_code(ceo.address))
    assert wrong not in ceo.enters(wrong).content.decode()


def test_something_that_is_no_code_costs_no_try(ceo):
    ceo.asks_for_a_code()
    for _ in range(10):
        assert "six digits" in ceo.enters("12345x").content.decode()
    ceo.enters(newest_code(ceo.address))
    assert ceo.user_id


def test_a_code_asked_again_is_the_same_so_that_any_of_the_mails_works(ceo):
    ceo.asks_for_a_code()
    first = newest_code(ceo.address)
    ceo.post("/sign-in/code/", again="1")
    the_worker_runs()
    assert len(mails_to(ceo.address)) == 2
    assert newest_code(ceo.address) == first


def test_asking_again_does_not_give_more_tries(ceo):
    ceo.asks_for_a_code()
    for _ in range(5):
        ceo.enters(other_than(newest_code(ceo.address)))
    first = newest_code(ceo.address)
    ceo.post("/sign-in/code/", again="1")
    the_worker_runs()
    assert newest_code(ceo.address) != first


def test_a_short_code_is_for_the_browser_that_asked(ceo):
    ceo.asks_for_a_code()
    code = newest_code(ceo.address)
    elsewhere = Visitor(ceo.address)
    elsewhere.asks_for_a_code()
    elsewhere.enters(code)
    assert elsewhere.user_id is None


def test_a_browser_that_asked_for_nothing_can_enter_nothing(ceo):
    ceo.asks_for_a_code()
    elsewhere = Visitor(ceo.address)
    assert elsewhere.enters(newest_code(ceo.address))["Location"] == "/sign-in/"
    assert elsewhere.user_id is None


def test_a_code_that_was_never_mailed_opens_nothing(ceo):
    ceo.post("/sign-in/", email=ceo.address)
    row = SignInCode.objects.get()
    ceo.enters(row.code)
    ceo.enters(row.long_code)
    assert ceo.user_id is None


def test_lapsed_codes_are_forgotten(ceo):
    ceo.asks_for_a_code()
    people.forget_lapsed(now=timezone.now() + timedelta(minutes=15))
    assert not SignInCode.objects.exists()
    assert Message.objects.get().state == Message.State.SENT
    assert Session.objects.count() == 1
    people.forget_lapsed(now=timezone.now() + timedelta(days=1))
    assert not Session.objects.exists()


def test_the_session_is_a_new_one_after_sign_in(ceo):
    ceo.asks_for_a_code()
    before = ceo.browser.cookies["session"].value
    ceo.enters(newest_code(ceo.address))
    assert ceo.browser.cookies["session"].value != before


@pytest.mark.parametrize(
    ("asked", "landed"),
    [
        ("/softphones/7/?a=b", "/softphones/7/?a=b"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("http://testserver/x", "/"),
        ("softphones/7/", "/"),
        ("/" + "x" * 2000, "/"),
    ],
)
def test_after_sign_in_one_lands_where_one_wanted_but_never_elsewhere(ceo, asked, landed):
    ceo.get("/sign-in/", next=asked)
    assert ceo.signs_in(next=asked)["Location"] == landed


def test_everything_else_asks_to_sign_in(ceo, account):
    for path in ("/", "/softphones/1/", "/confirm/", "/account/password/", "/acme/"):
        response = ceo.get(path)
        assert response.status_code == 302, path
        assert response["Location"].startswith("/sign-in/?next="), path


@pytest.mark.parametrize(
    ("headers", "landed"),
    [
        ({"hx-request": "true", "hx-current-url": "http://testserver/softphones/7/?app=zoiper"}, "/softphones/7/?app=zoiper"),
        ({"hx-request": "true", "hx-current-url": "https://evil.example/"}, "/"),
        ({"referer": "http://testserver/softphones/7/"}, "/softphones/7/"),
        ({"referer": "https://evil.example/softphones/7/"}, "/"),
        ({"referer": "http://["}, "/"),
        ({}, "/"),
    ],
)
def test_a_session_that_ended_on_a_page_leads_back_to_that_page_not_to_its_form(ceo, headers, landed):
    response = ceo.browser.post("/softphones/7/password/", headers=headers)
    to = response.headers.get("HX-Redirect") or response["Location"]
    assert ceo.signs_in(next=parse_qs(urlsplit(to).query)["next"][0])["Location"] == landed


def test_signed_in_people_have_no_business_at_the_door(ceo):
    ceo.signs_in()
    assert ceo.get("/sign-in/", next="/softphones/7/")["Location"] == "/softphones/7/"


def test_sign_out_is_a_post(ceo):
    ceo.signs_in()
    assert ceo.get("/sign-out/").status_code == 405
    assert ceo.user_id
    assert ceo.post("/sign-out/")["Location"] == "/sign-in/"
    assert ceo.user_id is None


def test_sign_in_wants_a_csrf_token(ceo):
    ceo.browser = Client(enforce_csrf_checks=True)
    assert ceo.post("/sign-in/", email=ceo.address).status_code == 403


def test_the_pages_name_the_helpdesk_where_there_is_one_account(ceo, account):
    assert "+1 555 0100" in ceo.get("/sign-in/").content.decode()
    make_account(slug="other")
    assert "+1 555 0100" not in ceo.get("/sign-in/").content.decode()


@pytest.mark.parametrize("path", ["/accounts/signup/", "/accounts/email/", "/accounts/password/reset/", "/accounts/login/"])
def test_nothing_else_of_the_library_is_there(ceo, path):
    ceo.signs_in()
    assert ceo.get(path).status_code == 404


def test_a_password_signs_in(account):
    alice = make_user("alice@acme.example", account=account, password="correct horse battery")
    visitor = Visitor("Alice@acme.example")
    assert visitor.signs_in_with("correct horse battery")["Location"] == "/"
    assert visitor.user_id == alice.pk
    assert AuditEvent.objects.get().data == {"kind": "password"}


def test_a_wrong_password_and_an_unknown_address_look_the_same(account):
    make_user("alice@acme.example", account=account, password="correct horse battery")
    make_user("carol@acme.example", account=account)
    texts = set()
    for address in ("alice@acme.example", "carol@acme.example", "nobody@acme.example"):
        page = Visitor(address).signs_in_with("wrong").content.decode()
        assert "don’t belong together" in page or "don&#x27;t belong together" in page
        texts.add(_without_what_differs(page, address))
    assert len(texts) == 1


def test_a_deactivated_user_gets_no_code_and_no_way_in(account):
    make_owner(account, "alice@acme.example")
    make_user("alice@acme.example", account=account, password="correct horse battery", is_active=False)
    alice = Visitor("alice@acme.example")
    alice.signs_in()
    alice.signs_in_with("correct horse battery")
    assert alice.user_id is None
    assert not outbox.outbox
    assert User.objects.count() == 1


def test_who_may_no_longer_come_in_when_the_code_is_entered_does_not(ceo, ceo_owner):
    ceo.asks_for_a_code()
    ceo_owner.enabled = False
    ceo_owner.save()
    assert "no longer works" in ceo.enters(newest_code(ceo.address)).content.decode()
    assert not User.objects.exists()


def test_the_long_code_of_the_mail_works_in_the_same_browser(ceo):
    ceo.asks_for_a_code()
    ceo.enters(newest_long_code(ceo.address))
    assert ceo.user_id
