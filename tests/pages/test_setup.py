"""`/softphones/<id>/`: one phone, one app, one path; and the acts on it that show the password or hand it on."""

import re

import pytest
from django.utils import timezone

from softphones import clients
from softphones.models import AuditEvent, SetupLink, Softphone
from tests.pages.conftest import HTMX, IPHONE, PASSWORD, soup, words

ACTS = ["password", "code", "link"]


@pytest.fixture
def address(alices_phone) -> str:
    return f"/softphones/{alices_phone.pk}/"


@pytest.fixture
def browser(signed_in, alice):
    return signed_in(alice)


def steps(response) -> list[str]:
    return [words(title) for title in soup(response).select(".steps > li > h3")]


def test_a_computer_is_offered_zoiper_5_first_and_a_phone_zoiper(signed_in, alice, address):
    assert steps(signed_in(alice).get(address))[0] == "Install Zoiper 5"
    assert steps(signed_in(alice, **{"User-Agent": IPHONE}).get(address))[0] == "Install Zoiper"


def test_every_app_can_be_chosen_without_javascript_and_has_steps_of_its_own(browser, address):
    choices = [link["href"] for link in soup(browser.get(address)).select(".apps a")]
    assert sorted(choices) == sorted(f"?app={app.slug}" for app in clients.apps())
    shown = [words(soup(browser.get(address + choice)).select_one(".steps")) for choice in choices]
    assert len(set(shown)) == len(choices)


def test_an_app_that_nobody_knows_or_that_is_hidden_falls_back_to_the_recommended_one(browser, account, address):
    account.hidden_apps = ["bria"]
    account.save()
    for choice in ("?app=bria", "?app=<script>", "?app="):
        response = browser.get(address + choice)
        assert steps(response)[0] == "Install Zoiper 5"
        assert "app=bria" not in response.text


def test_all_settings_are_there_in_the_vendors_words_each_with_a_copy_button(browser, address):
    fields = {words(row.select_one(".label")): row for row in soup(browser.get(address)).select(".reference .field")}
    assert list(fields) == ["Server", "Port (TLS)", "Port (UDP)", "Transport", "Username", "Password", "Realm"]
    assert words(fields["Server"].code) == "sip.audian.com"
    assert words(fields["Port (TLS)"].code) == "5061"
    assert words(fields["Port (UDP)"].code) == "5060"
    assert words(fields["Realm"].code) == "acme.sip.audian.com"
    assert all(row.select("button") for label, row in fields.items() if label != "Transport")


def test_the_page_holds_no_password_and_no_link_until_it_is_asked_for_one(browser, address):
    response = browser.get(address)
    assert PASSWORD not in response.text
    assert not soup(response).select(".picture svg[role=img], .picture img")
    assert "/s/" not in response.text
    assert not SetupLink.objects.exists()


def test_show_shows_the_password_once_asked_and_writes_it_down(browser, alice, alices_phone, address):
    response = browser.post(address + "password/", {"app": "manual"}, headers=HTMX)
    assert [words(code) for code in soup(response).select("[data-field=password] code")] == [PASSWORD, PASSWORD]
    assert PASSWORD in words(soup(response).select_one("#value-all"))
    event = AuditEvent.objects.get()
    assert (event.act, event.actor, event.softphone, event.data) == ("password:shown", alice, alices_phone, {"app": "manual"})
    assert PASSWORD not in str(AuditEvent.objects.values())


def test_hide_hides_it_again(browser, address):
    shown = soup(browser.post(address + "password/", headers=HTMX))
    hidden = browser.get(shown.select_one("[hx-trigger*=lapse]")["hx-get"], headers=HTMX)
    assert PASSWORD not in hidden.text
    assert soup(hidden).select_one("#path")


@pytest.mark.parametrize("act", ACTS)
def test_every_act_works_without_javascript_as_a_whole_page(browser, settings, address, act):
    settings.PUBLIC_URL = "https://portal.example"
    agent = {"User-Agent": IPHONE} if act == "link" else {}
    response = browser.post(f"{address}{act}/", {"app": "linphone"}, headers=agent)
    page = soup(response)
    assert page.select_one("html body h1")
    assert {
        "password": PASSWORD in response.text,
        "code": bool(page.select_one(".picture svg[role=img]")),
        "link": bool(page.select_one("#tap a.button[href^='linphone-config:https://portal.example/s/']")),
    }[act]


@pytest.mark.parametrize("part", ["", "password/", "code/", "link/", "light/"])
def test_nothing_about_a_phone_is_kept_by_a_browser_or_proxy(browser, address, part):
    method = browser.get if part in ("", "light/") else browser.post
    assert "no-store" in method(address + part, headers=HTMX)["Cache-Control"]


@pytest.mark.parametrize("act", ACTS)
def test_without_fresh_proof_every_act_first_asks_who_is_there(signed_in, alice, address, act):
    client = signed_in(alice, proven=False)
    response = client.post(f"{address}{act}/", {"app": "bria"})
    assert response.status_code == 302
    assert response["Location"].startswith("/confirm/?next=")
    assert "bria" in response["Location"]
    assert not SetupLink.objects.exists()
    assert not AuditEvent.objects.filter(act__in=["password:shown", "link:made"]).exists()


def test_an_htmx_request_without_fresh_proof_is_led_there_as_a_page(signed_in, alice, address):
    response = signed_in(alice, proven=False).post(address + "password/", headers=HTMX)
    assert response["HX-Redirect"].startswith("/confirm/")
    assert not response.content


@pytest.mark.parametrize("act", ACTS)
def test_a_get_does_no_act_and_leads_to_the_page(browser, address, act):
    assert browser.get(f"{address}{act}/?app=bria")["Location"] == f"{address}?app=bria"
    assert not SetupLink.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("part", ["", "password/", "code/", "link/", "light/"])
@pytest.mark.parametrize("who", ["bob", "mallory"])
def test_somebody_elses_phone_is_the_same_as_none(signed_in, request, address, who, part):
    client = signed_in(request.getfixturevalue(who))
    method = client.get if part in ("", "light/") else client.post
    theirs, none = method(address + part), method("/softphones/999999/" + part)
    assert theirs.status_code == none.status_code == 404
    token = re.compile(r'X-CSRFToken": "\w+"|csrfmiddlewaretoken" value="\w+"')
    assert token.sub("", theirs.text) == token.sub("", none.text)
    assert not AuditEvent.objects.filter(act="password:shown").exists()


@pytest.mark.parametrize("part", ["", "light/"])
def test_who_is_not_signed_in_is_asked_to(client, address, part):
    assert client.get(address + part)["Location"].startswith("/sign-in/?next=")


def test_an_unlinked_owner_loses_the_phone_at_once(browser, alices_phone, address):
    alices_phone.owner.user = None
    alices_phone.owner.save()
    assert browser.get(address).status_code == 404
    assert browser.post(address + "password/").status_code == 404


def test_a_person_without_a_membership_has_no_phones(browser, alice, address):
    alice.memberships.all().delete()
    assert browser.get(address).status_code == 404


def test_no_page_of_an_end_user_holds_an_id_of_audians(browser, account, alices_phone, address):
    pages = [browser.get("/"), browser.get(address), browser.post(address + "password/"), browser.post(address + "code/")]
    for page in pages:
        for secret in (account.audian_id, alices_phone.audian_id, alices_phone.owner.audian_id, account.api_key):
            assert secret not in page.text


@pytest.mark.parametrize("password", [None, ""])
def test_an_unknown_password_is_said_and_what_to_do(browser, account, address, password):
    account.self_service = False
    account.save()
    Softphone.objects.update(password=password)
    page = browser.get(address)
    assert "The password is not known here. Ask your helpdesk for a new one." in words(page)
    assert "+1 555 0100" in words(soup(page).select_one(".note"))
    assert not soup(page).select("form[action$='/password/'], form[action$='/code/']")
    assert "Not known here." in words(soup(page).select_one(".reference"))


@pytest.mark.parametrize("act", ACTS)
def test_no_act_on_a_phone_that_cannot_be_set_up(browser, address, act):
    for state in ({"enabled": False}, {"enabled": True, "password": None}, {"password": PASSWORD, "sip_username": ""}):
        Softphone.objects.update(**state)
        assert browser.post(f"{address}{act}/").status_code == 302
    assert not SetupLink.objects.exists()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"enabled": False}, "This softphone is switched off"),
        ({"sip_username": "", "fault": Softphone.Fault.NO_SIP}, "This softphone is not ready yet"),
    ],
)
def test_a_phone_that_cannot_be_set_up_has_a_page_that_says_why(browser, address, state, says):
    Softphone.objects.update(**state)
    page = soup(browser.get(address))
    assert words(page.select_one(".state h2")) == says
    assert "helpdesk@acme.example" in words(page.select_one(".state"))
    assert not page.select(".steps")


def test_a_doubled_username_is_told_before_the_first_step(browser, address):
    Softphone.objects.update(fault=Softphone.Fault.DOUBLED_USERNAME)
    assert words(soup(browser.get(address)).select_one("#path > .note")).startswith("Another phone uses the same username.")


def test_hostile_names_and_passwords_are_shown_as_they_are(browser, address):
    hostile = "</code><script>alert('\"&"
    Softphone.objects.update(name="<img src=x onerror=alert(1)>", password=hostile, sip_username="'\"><b>")
    response = browser.post(address + "password/")
    assert soup(response).select_one("[data-field=password] code").get_text() == hostile
    assert not soup(response).select("img, b, script:not([src])")


def test_the_fragment_is_the_pages_own_part(browser, address):
    fragment, page = soup(browser.get(address, headers=HTMX)), soup(browser.get(address))
    assert "<html" not in str(fragment)
    assert words(fragment.select_one("#path")) == words(page.select_one("#path"))


def test_on_a_phone_the_fields_and_the_tap_come_before_the_code(signed_in, alice, address, settings):
    settings.PUBLIC_URL = "https://portal.example"
    page = signed_in(alice, **{"User-Agent": IPHONE}).get(address + "?app=linphone")
    places = [page.text.index(mark) for mark in ('id="tap"', 'class="fields"', "All settings", 'id="code"')]
    assert places == sorted(places)
    assert "Scan the code" not in words(page)
    assert soup(page).select_one("details.beside #code")


def test_a_tap_link_needs_https_and_a_machine_that_has_the_app(browser, signed_in, alice, address, settings):
    assert not soup(browser.get(address + "?app=linphone")).select("#tap")
    response = signed_in(alice, **{"User-Agent": IPHONE}).post(address + "link/", {"app": "bria"})
    assert "linphone-config" not in response.text
    assert not SetupLink.objects.exists()


def test_looking_at_the_page_writes_nothing(browser, address):
    before = list(Softphone.objects.values())
    browser.get(address)
    assert list(Softphone.objects.values()) == before
    assert not AuditEvent.objects.exists()


def test_the_opening_time_is_ours_or_nothing(browser, alices_phone, address):
    from softphones.views.setup_page import sign_now, signed_time

    other = Softphone(pk=alices_phone.pk + 1)
    assert signed_time(alices_phone.pk, sign_now(alices_phone.pk)) <= timezone.now()
    assert signed_time(alices_phone.pk, sign_now(other.pk)) is None
    assert signed_time(alices_phone.pk, "yesterday") is None
