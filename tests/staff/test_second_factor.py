"""Staff pages need a second factor that is not the mailbox: enrolled once, shown once a session."""

import itertools
import re
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from softphones import mail
from softphones.models import AuditEvent, Message
from tests.factories import make_user
from tests.pages.conftest import HTMX, soup, words
from tests.staffing import app_code, enrolled_app

pytestmark = pytest.mark.django_db

ASK, CHOOSE, APP = "/account/second-factor/enter/", "/account/second-factor/", "/account/second-factor/app/"


@pytest.fixture
def adam(account):
    return make_user("adam@acme.example", account=account, role="admin", name="Adam Admin")


@pytest.fixture
def browser(signed_in, adam):
    """Adam's, who has just signed in by mailed code."""
    return signed_in(adam)


def acts():
    return list(AuditEvent.objects.filter(act__startswith="second_factor:").order_by("pk").values_list("act", "data__kind"))


def secret_on(page) -> str:
    return words(soup(page).select_one("#value-secret")).replace(" ", "")


def addresses_of_staff():
    """Every address below an account's slug, with ids of things that need not exist."""
    patterns = [pattern for _name, found in get_resolver().reverse_dict.lists() for pattern, *_more in found]
    for path, parameters in itertools.chain.from_iterable(patterns):
        if "slug" in parameters:
            yield "/" + path % (dict.fromkeys(parameters, 1) | {"slug": "acme"})


def test_every_staff_page_asks_for_it_first(browser, adam):
    enrolled_app(adam)
    addresses = sorted(set(addresses_of_staff()))
    assert "/acme/" in addresses
    for address in addresses:
        for method in (browser.get, browser.post):
            response = method(address)
            assert response.status_code in {302, 405}, f"{method.__name__} {address}"
            assert response.status_code == 405 or response["Location"].startswith(ASK), address


def test_the_first_visit_leads_to_enrolling_and_back(browser, adam):
    response = browser.get("/acme/?x=1", follow=True)
    assert response.redirect_chain[-1][0] == CHOOSE
    assert "authenticator app" in words(response)
    secret = secret_on(browser.get(APP))
    assert secret == secret_on(browser.get(APP)), "a reload must not change the picture"
    response = browser.post(APP, {"code": app_code(secret)})
    codes = words(soup(response).select_one(".codes")).split()
    assert len(set(codes)) == 10
    assert soup(response).select_one("a.main")["href"] == "/acme/?x=1"
    assert browser.get("/acme/").status_code == 200
    assert acts() == [("second_factor:enrolled", "totp")]


def test_each_session_is_asked_once(browser, adam):
    secret = enrolled_app(adam)
    assert browser.get("/acme/")["Location"] == f"{ASK}?next=%2Facme%2F"
    assert "authenticator" not in words(browser.get(f"{ASK}?next=/acme/")).lower()
    assert browser.post(ASK, {"code": app_code(secret)})["Location"] == "/acme/"
    assert browser.get("/acme/").status_code == 200
    other = Client()
    other.force_login(adam)
    assert other.get("/acme/").status_code == 302
    assert acts() == [("second_factor:shown", "totp")]


def test_a_code_opens_once(browser, signed_in, adam):
    secret = enrolled_app(adam)
    code = app_code(secret)
    browser.post(ASK, {"code": code})
    cache.clear()  # as in another of the portal's processes
    thief = signed_in(adam)
    assert "This code has been used" in words(thief.post(ASK, {"code": f"{code[:3]} {code[3:]}"}))
    assert thief.get("/acme/").status_code == 302


def test_wrong_codes_are_limited_for_this_browser_and_not_for_another(browser, signed_in, adam):
    secret = enrolled_app(adam)
    wrong = f"{(int(app_code(secret)) + 1) % 10**6:06d}"
    for _try in range(5):
        assert "did not fit" in words(browser.post(ASK, {"code": wrong}))
    assert "Too many wrong codes" in words(browser.post(ASK, {"code": app_code(secret)}))
    assert signed_in(adam).post(ASK, {"code": app_code(secret)}).status_code == 302
    assert acts()[0] == ("second_factor:refused", "code")


def test_a_recovery_code_opens_once_and_is_shown_once(browser, signed_in, adam):
    response = browser.post(APP, {"code": app_code(secret_on(browser.get(APP)))})
    code = words(soup(response).select_one(".codes")).split()[0]
    assert code not in browser.get(CHOOSE).text
    elsewhere = signed_in(adam)
    assert elsewhere.post(ASK, {"code": code}).status_code == 302
    assert elsewhere.get("/acme/").status_code == 200
    assert "9 left" in words(elsewhere.get(CHOOSE))
    assert "did not fit" in words(signed_in(adam).post(ASK, {"code": code}))


def test_new_recovery_codes_replace_the_old_ones(admin):
    enrolled_app_codes = admin.post("/account/second-factor/codes/")
    first = words(soup(enrolled_app_codes).select_one(".codes")).split()
    second = words(soup(admin.post("/account/second-factor/codes/")).select_one(".codes")).split()
    assert not set(first) & set(second)


def test_whoever_only_has_the_mailbox_can_not_enrol_another_app(browser, adam):
    enrolled_app(adam)
    for address in (CHOOSE, APP, "/account/second-factor/passkey/"):
        assert browser.get(address)["Location"] == ASK
    assert browser.post(APP, {"code": "123456"})["Location"] == ASK
    assert browser.post("/account/second-factor/codes/")["Location"] == ASK


def test_enrolling_needs_fresh_proof(signed_in, adam):
    response = signed_in(adam, proven=False).get(APP)
    assert response["Location"].startswith("/confirm/?next=")


def test_a_wrong_first_code_enrols_nothing(browser, adam):
    browser.get(APP)
    assert "did not fit" in words(browser.post(APP, {"code": "000000"}))
    assert not Authenticator.objects.exists()


def test_the_secret_stands_nowhere_in_the_clear(browser, adam):
    secret = secret_on(browser.get(APP))
    assert secret not in str(dict(browser.session))
    browser.post(APP, {"code": app_code(secret)})
    assert secret not in str(list(Authenticator.objects.values()))


def test_every_admin_of_the_account_is_mailed(browser, account, adam, mailoutbox, django_capture_on_commit_callbacks):
    make_user("second@acme.example", account=account, role="admin")
    make_user("helen@acme.example", account=account, role="helpdesk")
    secret = secret_on(browser.get(APP))
    browser.post(APP, {"code": app_code(secret)})
    assert set(Message.objects.values_list("kind", "to")) == {
        ("second_factor", "adam@acme.example"),
        ("second_factor", "second@acme.example"),
    }
    mail.send_due(timezone.now())
    assert {each.to[0] for each in mailoutbox} == {"adam@acme.example", "second@acme.example"}
    assert not any(secret in each.body for each in mailoutbox)


def test_replacing_the_app_forgets_the_old_one(browser, adam):
    old = enrolled_app(adam)
    browser.post(ASK, {"code": app_code(old)})
    new = secret_on(browser.get(APP))
    browser.post(APP, {"code": app_code(new)})
    assert browser.get("/acme/").status_code == 200
    fresh = Client()
    fresh.force_login(adam)
    assert "did not fit" in words(fresh.post(ASK, {"code": app_code(old, steps=1)}))
    assert fresh.post(ASK, {"code": app_code(new, steps=1)}).status_code == 302


def test_the_only_one_stays(admin):
    (only,) = Authenticator.objects.filter(user=admin.user)
    assert "your only one" in words(admin.post(f"/account/second-factor/{only.pk}/remove/", follow=True))
    other = Authenticator.objects.create(user=make_user("x@acme.example"), type="totp", data={"secret": ""})
    assert admin.post(f"/account/second-factor/{other.pk}/remove/").status_code == 404
    assert Authenticator.objects.count() == 2


def test_a_reset_ends_what_was_shown_with_it(admin, account):
    call_command("grant_role", "adam@acme.example", account="acme", role="admin", reset_second_factor=True)
    assert admin.get("/acme/", follow=True).redirect_chain[-1][0] == CHOOSE
    assert AuditEvent.objects.get(act="second_factor:reset").data["user"] == admin.user.pk


def test_nobody_else_needs_or_sees_it(signed_in, alice, alices_phone):
    browser = signed_in(alice)
    assert browser.get(f"/softphones/{alices_phone.pk}/").status_code == 200
    for address in (ASK, CHOOSE, APP, "/account/second-factor/passkey/"):
        assert browser.get(address).status_code == 404


def test_staff_need_it_for_staff_pages_only(signed_in, adam):
    enrolled_app(adam)
    assert signed_in(adam).get("/").status_code == 200


def test_htmx_and_forms_lead_back_to_the_page_they_are_on(browser, adam):
    enrolled_app(adam)
    page = {"HX-Current-URL": "http://testserver/acme/?after=x"} | HTMX
    assert browser.get("/acme/", headers=page)["HX-Redirect"] == f"{ASK}?next=%2Facme%2F%3Fafter%3Dx"
    assert re.search(r"next=(/|%2F)$", browser.get("/acme/", headers=HTMX)["HX-Redirect"])


def test_next_is_never_another_site(browser, adam):
    secret = enrolled_app(adam)
    browser.get(f"{ASK}?next=https://evil.example/")
    assert browser.post(ASK, {"code": app_code(secret)})["Location"] == "/acme/"


@pytest.mark.parametrize(
    "credential", ["", "x", "{}", '{"id": 1}', "[1]", '{"id": "a", "rawId": "a", "type": "x", "response": {}}']
)
def test_a_passkey_that_is_none_is_refused(signed_in, browser, adam, settings, credential):
    settings.PUBLIC_URL = "https://phones.acme.example"
    assert browser.get("/account/second-factor/passkey/").status_code == 200
    assert browser.post("/account/second-factor/passkey/", {"credential": credential}).status_code == 200
    enrolled_app(adam)
    assert browser.post(ASK, {"credential": credential}).status_code == 200
    assert not Authenticator.objects.filter(type="webauthn").exists()
    assert browser.get("/acme/").status_code == 302


def test_an_ip_address_can_have_no_passkeys(browser, settings):
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    assert "passkey" not in words(browser.get(CHOOSE)).lower()
    assert browser.get("/account/second-factor/passkey/").status_code == 404


def test_the_offer_is_new_after_it_was_taken(admin):
    first = secret_on(admin.get(APP))
    admin.post(APP, {"code": app_code(first)})
    assert secret_on(admin.get(APP)) != first


def test_a_session_that_showed_it_long_ago_still_counts(admin, time_machine):
    time_machine.move_to(timezone.now() + timedelta(hours=6))
    assert admin.get("/acme/").status_code == 200
