"""A softphone at a one-time address: it fetches its own document, once, and again only if the answer was lost."""

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
import time_machine
from django.utils import timezone

from softphones import setup_links
from softphones.models import AuditEvent, SetupLink, Softphone
from tests.links.conftest import LINPHONE, PASSWORD, UNKNOWN, ZOIPER, is_dead, works

pytestmark = pytest.mark.django_db

LINPHONE_NAMESPACE = "{http://www.linphone.org/xsds/lpconfig.xsd}"


@pytest.fixture
def clock():
    with time_machine.travel(datetime(2026, 2, 4, 10, 0, tzinfo=UTC), tick=False) as clock:
        yield clock


def linphone_password(response) -> str:
    root = ET.fromstring(response.text)  # noqa: S314
    return root.find(f".//{LINPHONE_NAMESPACE}entry[@name='passwd']").text


def zoiper_password(response) -> str:
    return ET.fromstring(response.text).findtext("accounts/account/password")  # noqa: S314


def zoiper_refusal(response) -> str:
    root = ET.fromstring(response.text)  # noqa: S314
    return root.text if root.tag == "error" else ""


@pytest.mark.parametrize(
    "headers",
    [
        LINPHONE,
        {"X-Linphone-Provisioning": "1"},
        {"User-Agent": "Linphone Desktop/4.4.10 (laptop) Debian GNU/Linux 12, Qt 5.15.8 LinphoneCore/5.1.65"},
    ],
)
def test_linphone_gets_its_document_from_our_own_address(softphone_app, address, headers):
    answer = softphone_app.get(address, headers=headers)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/xml; charset=utf-8"
    assert linphone_password(answer) == PASSWORD


def test_zoiper_gets_its_document_from_our_own_address(softphone_app, address):
    assert zoiper_password(softphone_app.get(address, headers=ZOIPER)) == PASSWORD


@pytest.mark.parametrize("headers", [ZOIPER, {"Accept": "*/*"}, {"Accept": "application/xml"}, {}])
def test_zoipers_address_answers_whatever_does_not_ask_for_a_page(softphone_app, drawn, headers):
    assert zoiper_password(softphone_app.get(f"/zoiper?id={drawn.token}", headers=headers)) == PASSWORD


def test_a_browser_at_zoipers_address_gets_the_page(browser, drawn):
    address = f"/zoiper?id={drawn.token}"
    assert works(browser.get(address))
    assert PASSWORD in browser.post(address, follow=True).text
    assert PASSWORD in browser.get(address).text


def test_an_agent_that_is_no_softphone_gets_no_document_from_our_own_address(softphone_app, address):
    for agent in ("curl/8.5.0", "okhttp/4.12", ""):
        assert works(softphone_app.get(address, headers={"User-Agent": agent, "Accept": "*/*"}))


@pytest.mark.parametrize("headers", [LINPHONE, ZOIPER])
def test_head_uses_nothing_up(softphone_app, browser, drawn, headers):
    for address in (f"/s/{drawn.token}", f"/zoiper?id={drawn.token}"):
        assert softphone_app.head(address, headers=headers).status_code == 200
    assert works(browser.get(f"/s/{drawn.token}"))


def test_what_a_softphone_fetched_no_browser_can_open(softphone_app, browser, address):
    softphone_app.get(address, headers=LINPHONE)
    assert is_dead(browser.get(address))
    assert is_dead(browser.post(address))


def test_what_a_browser_opened_no_softphone_can_fetch(softphone_app, browser, address):
    browser.post(address)
    assert softphone_app.get(address, headers=LINPHONE).status_code == 404


def test_the_same_softphone_may_ask_twice_more_within_ten_seconds(softphone_app, address, clock):
    def status(seconds: float) -> int:
        clock.shift(seconds)
        return softphone_app.get(address, headers=LINPHONE).status_code

    assert status(0) == 200
    assert status(0.5) == 404  # after half a second: too soon to be a repeat
    assert status(1) == 200
    assert status(5) == 200
    assert status(1) == 404  # the third


def test_not_later(softphone_app, address, clock):
    softphone_app.get(address, headers=LINPHONE)
    clock.shift(10.5)
    assert softphone_app.get(address, headers=LINPHONE).status_code == 404


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"REMOTE_ADDR": "198.51.100.9"},
        {"headers": {"User-Agent": "Linphone Desktop/4.4.10"}},
    ],
)
def test_not_from_elsewhere_nor_with_another_app(softphone_app, address, clock, elsewhere):
    softphone_app.get(address, headers=LINPHONE)
    clock.shift(2)
    assert softphone_app.get(address, **{"headers": LINPHONE} | elsewhere).status_code == 404


@pytest.mark.parametrize("change", [{"enabled": False}, {"password": None}, {"gone_at": datetime(2026, 1, 1, tzinfo=UTC)}])
def test_not_once_the_phone_has_changed(softphone_app, address, clock, alices_phone, change):
    softphone_app.get(address, headers=LINPHONE)
    Softphone.objects.filter(pk=alices_phone.pk).update(**change)
    clock.shift(2)
    assert softphone_app.get(address, headers=LINPHONE).status_code == 404


def test_not_after_a_revocation(softphone_app, address, clock, alices_phone):
    softphone_app.get(address, headers=LINPHONE)
    clock.shift(2)
    setup_links.revoke(softphone=alices_phone, now=timezone.now())
    assert softphone_app.get(address, headers=LINPHONE).status_code == 404


def test_refusals_are_alike_and_in_the_softphones_own_tongue(softphone_app, draw):
    used, expired, revoked = draw(), draw(), draw()
    softphone_app.get(f"/s/{used.token}", headers=LINPHONE)
    SetupLink.objects.filter(pk=expired.link.pk).update(expires_at=timezone.now())
    SetupLink.objects.filter(pk=revoked.link.pk).update(revoked_at=timezone.now())
    tokens = (used.token, expired.token, revoked.token, UNKNOWN, "x")
    zoiper = [softphone_app.get(f"/zoiper?id={token}", headers=ZOIPER) for token in (*tokens, "")]
    linphone = [softphone_app.get(f"/s/{token}", headers=LINPHONE) for token in tokens]
    assert {answer.status_code for answer in zoiper + linphone} == {404}
    assert {zoiper_refusal(answer) for answer in zoiper} == {"This code no longer works. Draw a new one."}
    assert {answer.content for answer in linphone} == {b""}


def test_each_fetch_is_written_down(softphone_app, address, drawn, clock):
    for _ in range(2):
        softphone_app.get(address, headers=LINPHONE, REMOTE_ADDR="198.51.100.4")
        clock.shift(2)
    fetched = AuditEvent.objects.filter(act="link:fetched")
    assert [(event.ip, event.data) for event in fetched] == [
        ("198.51.100.4", {"link": drawn.link.pk, "agent": LINPHONE["User-Agent"]})
    ] * 2


class TestTheAppOnTheDeviceThatOpenedThePage:
    """The opened page draws a link of its own, to be tapped."""

    @pytest.fixture(autouse=True)
    def public_address(self, settings):
        settings.PUBLIC_URL = "https://phones.acme.example"

    def tap(self, browser, address, **headers) -> str:
        """The path that the page's tap link hands to Linphone."""
        answer = browser.post(address, {"app_link": "1"}, headers=headers)
        link = answer.text.partition('href="linphone-config:https://phones.acme.example')[2]
        return link.partition('"')[0]

    def test_linphone_fetches_by_it(self, browser, softphone_app, address):
        browser.post(address)
        tapped = self.tap(browser, address)
        assert linphone_password(softphone_app.get(tapped, headers=LINPHONE)) == PASSWORD

    def test_htmx_gets_the_link_alone(self, browser, address):
        browser.post(address)
        answer = browser.post(address, {"app_link": "1"}, headers={"HX-Request": "true"})
        assert "linphone-config:" in answer.text
        assert "<html" not in answer.text
        assert PASSWORD not in answer.text

    def test_nobody_else_can_draw_one(self, browser, other_browser, address):
        assert is_dead(other_browser.post(address, {"app_link": "1"}))
        browser.post(address)
        assert is_dead(other_browser.post(address, {"app_link": "1"}))

    def test_no_browser_can_open_it_and_so_keep_the_page_for_longer(self, browser, address):
        browser.post(address)
        tapped = self.tap(browser, address)
        assert is_dead(browser.get(tapped))
        assert is_dead(browser.post(tapped))
        assert is_dead(browser.post(tapped, {"app_link": "1"}))

    def test_it_ends_with_the_page(self, browser, softphone_app, address, clock):
        drawn_again = setup_links.draw(
            softphone=SetupLink.objects.get().softphone, user=SetupLink.objects.get().made_by, ip=None, now=timezone.now()
        )
        address = f"/s/{drawn_again.token}"
        browser.post(address)
        clock.shift(29 * 60)
        tapped = self.tap(browser, address)
        clock.shift(61)
        assert softphone_app.get(tapped, headers=LINPHONE).status_code == 404

    def test_it_is_written_down(self, browser, address, drawn):
        browser.post(address)
        self.tap(browser, address)
        made = AuditEvent.objects.filter(act="link:made").latest("id")
        assert (made.actor, made.data["parent"]) == (None, drawn.link.pk)

    def test_without_https_there_is_no_button_since_linphone_would_not_take_it(self, browser, address, settings):
        settings.PUBLIC_URL = "http://127.0.0.1:8000"
        assert "app_link" not in browser.post(address, follow=True).text
