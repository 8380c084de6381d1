"""A person's page: their phones as they are now, what was done, what was mailed."""

import time
from datetime import timedelta

import pytest
import time_machine
from django.core import mail as outbox
from django.utils import timezone

from softphones import changes, mail
from softphones.models import AuditEvent, Change
from tests.factories import make_owner, make_softphone, make_user
from tests.helpdesk.conftest import PASSWORD, times_in
from tests.pages.conftest import HTMX, soup, words


@pytest.fixture
def page(helpdesk, alices_owner, alices_phone):
    return lambda: helpdesk.get(f"/acme/people/{alices_owner.pk}/")


def state(client, phone, shown=""):
    looking = soup(client.get(f"/acme/people/{phone.owner_id}/")).select_one(".now")["hx-get"].partition("looking=")[2]
    return client.get(f"/acme/softphones/{phone.pk}/state/?looking={looking.partition('&')[0]}&shown={shown}", headers=HTMX)


def watched(client, phone, *, until: str):
    """The answer in which the page says this; it looks again and again."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        answer = state(client, phone)
        if until in words(answer):
            return answer
        time.sleep(0.1)
    raise AssertionError(f"It never said {until}: {words(answer)}")


def test_it_names_the_person_masks_the_address_and_has_one_blue_button(page):
    shown = soup(page())
    assert words(shown.h1) == "Alice Smith"
    assert "Extension 1001 · a•••e@acme.example" in words(shown.main)
    assert "alice@acme.example" not in page().text
    assert [words(each) for each in shown.select("main .main")] == ["Send set-up link"]


def test_somebody_without_a_name_is_called_by_their_masked_address(helpdesk, account, plant):
    owner = make_owner(account, "nameless@acme.example", name="")
    plant(owner)
    for address in (f"/acme/people/{owner.pk}/", "/acme/people/", "/acme/softphones/"):
        assert "n•••s@acme.example" in words(helpdesk.get(address)), address
        assert "nameless@acme.example" not in helpdesk.get(address).text, address


def test_nothing_of_a_password_is_on_it(page):
    assert PASSWORD not in page().text


def test_a_phone_says_in_one_sentence_what_it_did(helpdesk, sandbox, alices_phone, settings):
    settings.LIGHT_ONE_EVERY = 1
    began = timezone.now() - timedelta(hours=2)
    sandbox.register(alices_phone.audian_id, user_agent="Zoiper v5.6.4", at=began.timestamp())
    said = watched(helpdesk, alices_phone, until="Connected since")
    assert words(said).startswith("Connected Connected since")
    assert times_in(soup(said))[0] == began.replace(microsecond=0)
    sandbox.unregister(alices_phone.audian_id)
    lost = words(watched(helpdesk, alices_phone, until="Not connected"))
    assert "Connected for 2 hours from 203.0.113.50 (Zoiper v5.6.4), then stopped" in lost
    assert "Most likely the app was closed, or the device lost its network." in lost


def test_a_state_that_is_shown_already_is_not_sent_again(helpdesk, sandbox, alices_phone):
    first = state(helpdesk, alices_phone)
    shown = soup(first).select_one(".now")["hx-get"].rpartition("shown=")[2]
    assert first.headers["HX-Trigger"] == '{"phone-changed": {}}'
    assert state(helpdesk, alices_phone, shown).status_code == 204
    sandbox.register(alices_phone.audian_id)
    assert state(helpdesk, alices_phone, shown).status_code == 200


def test_a_page_that_was_left_open_stops_looking(helpdesk, alices_phone, time_machine_at):
    path = soup(helpdesk.get(f"/acme/people/{alices_phone.owner_id}/")).select_one(".now")["hx-get"]
    with time_machine_at(timezone.now() + timedelta(minutes=16)):
        stopped = helpdesk.get(path, headers=HTMX)
    assert "We stopped looking. Look again" in words(stopped)
    assert "hx-trigger" not in stopped.text


def test_mails_say_how_far_they_came_and_when(helpdesk, page, alices_phone):
    def line():
        return soup(page()).select_one("[aria-labelledby=mails-title] li")

    start = timezone.now().replace(second=0, microsecond=0)
    with time_machine.travel(start, tick=False):
        helpdesk.post(f"/acme/softphones/{alices_phone.pk}/send/")
    assert words(line()).endswith("Set-up link · a•••e@acme.example · waiting to be sent")
    assert times_in(line()) == [start]
    accepted, opened = start + timedelta(minutes=2), start + timedelta(minutes=5)
    with time_machine.travel(accepted, tick=False):
        mail.send_due(timezone.now())
    assert "accepted by the mail server" in words(line())
    assert words(line()).endswith("not opened")
    assert times_in(line()) == [start, accepted]
    mail.came_to_set_up(softphone=alices_phone, now=opened)
    assert "not opened" not in words(line())
    assert times_in(line()) == [start, accepted, opened]
    assert outbox.outbox[-1].to == ["alice@acme.example"]


def test_who_did_what_when_is_told(helpdesk, page, alices_phone):
    at = timezone.now().replace(microsecond=0) - timedelta(minutes=7)
    with time_machine.travel(at, tick=False):
        helpdesk.post(f"/acme/softphones/{alices_phone.pk}/reset/", {"reason": "Ticket 4711", "key": "a"})
    [done] = soup(page()).select("[aria-labelledby=history-title] li")
    assert words(done).endswith("Helen Desk asked for a new password for Alice's laptop — “Ticket 4711”")
    assert times_in(done) == [at]


def test_somebody_without_a_phone_has_a_page_too(helpdesk, account):
    owner = make_owner(account, name="Ines Smithson")
    assert "No softphone" in words(helpdesk.get(f"/acme/people/{owner.pk}/"))


def test_a_phone_of_nobody_has_a_page_and_one_of_somebody_leads_to_theirs(helpdesk, account, alices_phone):
    lone = make_softphone(account, name="Meeting room")
    assert words(soup(helpdesk.get(f"/acme/softphones/{lone.pk}/")).h1) == "Meeting room"
    led = helpdesk.get(f"/acme/softphones/{alices_phone.pk}/")["Location"]
    assert led == f"/acme/people/{alices_phone.owner_id}/#phone-{alices_phone.pk}"


def test_why_no_link_can_be_sent_is_said(helpdesk, account, plant):
    owner = make_owner(account, "", name="Nora Mailless")
    phone = plant(owner, username="user_nora")
    shown = words(helpdesk.get(f"/acme/people/{owner.pk}/"))
    assert "No link can be sent: Audian has no e-mail address for Nora Mailless." in shown
    assert "Send set-up link" not in shown
    answer = helpdesk.post(f"/acme/softphones/{phone.pk}/send/", follow=True)
    assert "Audian has no e-mail address for Nora Mailless." in words(answer)
    assert not AuditEvent.objects.filter(act="mail:asked").exists()


@pytest.mark.parametrize("linked", [True, False])
def test_helpdesk_does_not_touch_what_belongs_to_staff_but_an_admin_does(helpdesk, admin, account, plant, linked):
    carl = make_user("carl@acme.example", account=account, role="helpdesk", name="Carl")
    phone = plant(make_owner(account, "carl@acme.example", user=carl if linked else None, name="Carl"))
    failed = changes.reset_password(softphone=phone, by=admin.user, now=timezone.now())
    Change.objects.update(state="failed")
    page = helpdesk.get(f"/acme/people/{phone.owner_id}/")
    assert "Only an administrator changes their phones." in words(page)
    assert not soup(page).select("main button, main a.button")
    for act in ("send", "reset", "off", "on", "links/revoke"):
        assert helpdesk.post(f"/acme/softphones/{phone.pk}/{act}/").status_code == 404, act
    assert helpdesk.post(f"/acme/changes/{failed.pk}/again/").status_code == 404
    assert Change.objects.get() == failed
    assert helpdesk.post(f"/acme/people/{phone.owner_id}/close/").status_code == 404
    assert admin.post(f"/acme/softphones/{phone.pk}/off/", {"key": "a"}).status_code == 302
    admin.post(f"/acme/changes/{failed.pk}/again/")
    failed.refresh_from_db()
    assert failed.state == "queued"


class TestAPhoneThatAudianHasNotMade:
    @pytest.fixture
    def asked(self, account, alices_owner, admin):
        return changes.create(account=account, name="Alice's laptop", owner=alices_owner, by=admin.user, now=timezone.now())

    @pytest.fixture
    def card(self, helpdesk, asked):
        return lambda: words(soup(helpdesk.get(f"/acme/people/{asked.softphone.owner_id}/")).select_one(".desk-phone"))

    def test_being_made(self, card):
        assert "Not made yet It is being made at Audian, so no app can connect yet." in card()

    def test_waiting_for_a_decision_about_charges(self, sandbox, card, audian_is_told):
        sandbox.faults.add("402", method="PUT", path="/devices")
        audian_is_told()
        assert (
            "It is not made at Audian yet, so no app can connect. It waits for an administrator, who has to accept or decline "
            "what Audian charges."
        ) in card()
        assert "being made" not in card()

    def test_waiting_because_nothing_can_be_changed_at_audian(self, sandbox, card, audian_is_told):
        sandbox.faults.add("423", times=None)
        audian_is_told()
        assert "so no app can connect. Nothing can be changed at Audian right now" in card()
        assert "Audian has locked this account." in card()

    def test_refused(self, sandbox, card, asked, admin, audian_is_told):
        sandbox.faults.add("402", method="PUT", path="/devices")
        audian_is_told()
        changes.decline(change=asked, by=admin.user, now=timezone.now())
        assert "Not made It was not made at Audian, so no app can connect with it. An administrator can try again." in card()
        assert "The charges were declined. More about it" in card()

    def test_nobody_is_offered_what_would_come_to_nothing(self, helpdesk, asked, card):
        page = soup(helpdesk.get(f"/acme/people/{asked.softphone.owner_id}/"))
        assert not page.select(".desk-phone button, .desk-phone a.button")


def test_a_phone_that_is_being_switched_on_says_so(helpdesk, page, alices_phone, sandbox, audian_is_told, settings):
    alices_phone.enabled = False
    alices_phone.save()
    sandbox.change_device(alices_phone.audian_id, enabled=False)
    helpdesk.post(f"/acme/softphones/{alices_phone.pk}/on/", {"key": "a"})
    assert "It is still switched off, so it can’t connect yet. It is being switched on at Audian." in words(page())
    settings.CHANGE_ATTEMPTS = 1
    sandbox.faults.add("500", method="POST", path="/devices")
    audian_is_told()
    assert "It is switched off, so it can’t connect. Switching it on did not come about." in words(page())


def test_a_new_password_that_waits_for_a_decision_is_not_on_its_way(helpdesk, page, alices_phone, sandbox, audian_is_told):
    sandbox.faults.add("402", method="POST", path="/devices")
    helpdesk.post(f"/acme/softphones/{alices_phone.pk}/reset/", {"reason": "", "key": "a"})
    audian_is_told()
    assert "Audian does not have it yet; meanwhile nobody is shown the old one. It waits for an administrator" in words(page())
    assert "on its way to Audian" not in words(page())
