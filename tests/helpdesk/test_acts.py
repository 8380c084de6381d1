"""What helpdesk does to a phone, once however often a button is pressed."""

import re
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from django.core import mail as outbox
from django.db import connection
from django.utils import timezone

from softphones import changes, mail, setup_links, tasks
from softphones import helpdesk as room
from softphones.models import AuditEvent, Change, Message, SetupLink, Softphone
from tests.changes.test_races import at_once
from tests.factories import make_owner, make_softphone
from tests.helpdesk.conftest import PASSWORD, times_in
from tests.links.conftest import LINPHONE
from tests.pages.conftest import HTMX, soup, words
from tests.staffing import staff_browser


@pytest.fixture
def act(helpdesk, alices_phone):
    """Press a button: `act("reset", key="a")`."""

    def press(name, client=helpdesk, **data):
        return client.post(f"/acme/softphones/{alices_phone.pk}/{name}/", data, follow=True)

    return press


def again(row):
    row.refresh_from_db()
    return row


def said(page) -> str:
    """What the page says of the act that led to it."""
    return words(soup(page).select_one(".messages"))


def mails_to(address: str) -> list[str]:
    mail.send_due(timezone.now())
    return [each.subject for each in outbox.outbox if each.to == [address]]


class TestSendingTheLink:
    def test_it_goes_to_the_stored_address_and_nothing_stops(
        self, act, sandbox, alice, alices_phone, password_at_audian, client
    ):
        before = password_at_audian(alices_phone)
        drawn = setup_links.draw(softphone=alices_phone, user=alice, ip=None, now=timezone.now())
        assert "The set-up link goes to a•••e@acme.example." in words(act("send", to="mallory@evil.example"))
        mail.send_due(timezone.now())
        [sent] = outbox.outbox
        assert sent.to == ["alice@acme.example"]
        assert f"/softphones/{alices_phone.pk}/" in sent.body
        assert "/s/" not in sent.body
        assert password_at_audian(alices_phone) == before
        assert again(alices_phone).password == before
        assert before in client.get(f"/s/{drawn.token}", headers=LINPHONE).text
        assert not Change.objects.exists()

    def test_pressed_twice_it_is_one_mail_but_a_minute_later_another(self, act, time_machine_at):
        act("send")
        assert "One mail is enough." in words(act("send"))
        assert len(mails_to("alice@acme.example")) == 1
        assert "One mail is enough." in words(act("send"))
        with time_machine_at(timezone.now() + timedelta(seconds=61)):
            act("send")
            assert len(mails_to("alice@acme.example")) == 2

    def test_it_is_on_record(self, act, helpdesk):
        act("send")
        event = AuditEvent.objects.get(act="mail:asked")
        assert (event.actor, event.target_label) == (helpdesk.user, "Alice's laptop")


class TestResetting:
    def test_the_page_says_first_what_it_cuts(self, helpdesk, sandbox, alices_phone):
        since, now = timezone.now() - timedelta(hours=2), timezone.now()
        sandbox.register(alices_phone.audian_id)
        Softphone.objects.filter(pk=alices_phone.pk).update(
            registered=True, registered_since=since, registered_agent="Zoiper v5.6.4", seen_at=now
        )
        page = helpdesk.get(f"/acme/softphones/{alices_phone.pk}/reset/")
        assert "This disconnects Zoiper v5.6.4, connected since" in words(page)
        assert times_in(soup(page).select_one("#cut")) == [since]
        assert not Change.objects.exists()

    def test_double_clicked_it_is_one_reset(self, act, audian_is_told, sandbox):
        act("reset", key="one")
        act("reset", key="one")
        audian_is_told()
        act("reset", key="one")
        assert Change.objects.count() == 1
        assert Change.objects.get().state == "done"

    def test_audian_gets_a_new_secret_that_staff_never_see(
        self, act, helpdesk, alices_phone, audian_is_told, password_at_audian, caplog
    ):
        pages = [act("reset", key="one", reason="Ticket 4711").text]
        audian_is_told()
        new = password_at_audian(alices_phone)
        assert new != PASSWORD
        assert again(alices_phone).password == new
        pages.append(helpdesk.get(f"/acme/people/{alices_phone.owner_id}/").text)
        mails_to("alice@acme.example")
        told = [*pages, caplog.text, *(each.body for each in outbox.outbox), str(list(AuditEvent.objects.values()))]
        assert not [text for text in told if new in text or PASSWORD in text]

    def test_the_person_is_mailed_only_once_audian_has_it(self, act, audian_is_told):
        act("reset", key="one")
        assert mails_to("alice@acme.example") == []
        audian_is_told()
        assert Message.objects.get().kind == Message.Kind.NEW_PASSWORD
        assert len(mails_to("alice@acme.example")) == 1

    def test_meanwhile_the_old_password_and_links_are_gone(self, act, alice, alices_phone, signed_in):
        drawn = setup_links.draw(softphone=alices_phone, user=alice, ip=None, now=timezone.now())
        act("reset", key="one")
        assert again(alices_phone).password is None
        assert setup_links.look(token=drawn.token, now=timezone.now()) == "dead"
        assert PASSWORD not in signed_in(alice).post(f"/softphones/{alices_phone.pk}/password/", follow=True).text

    def test_the_same_form_sent_again_says_what_became_of_it(self, act, sandbox, alices_phone, audian_is_told, settings):
        settings.CHANGE_ATTEMPTS = 1
        sandbox.faults.add("500", match="POST /devices", times=1)
        assert "is on its way to Audian" in said(act("reset", key="a"))
        assert "is on its way to Audian" in said(act("reset", key="a"))
        audian_is_told()
        failed = Change.objects.get()
        assert failed.state == "failed"
        assert said(act("reset", key="a")) == f"No new password for Alice's laptop: {failed.error}"
        Change.objects.update(state="done", error="")
        assert said(act("reset", key="a")) == "Alice's laptop has its new password already."

    def test_a_colleague_has_to_wait_two_minutes(self, act, account, audian_is_told, time_machine_at):
        act("reset", key="one")
        asked_at = Change.objects.get().created_at
        audian_is_told()
        carl = staff_browser(account, "helpdesk", "carl@acme.example", name="Carl")
        assert "Helen Desk has just reset this password." in words(act("reset", carl, key="two"))
        assert Change.objects.count() == 1
        assert AuditEvent.objects.get(outcome="refused").actor == carl.user
        with time_machine_at(asked_at + timedelta(seconds=119)):
            assert "Helen Desk has just reset this password." in words(act("reset", carl, key="still"))
        assert Change.objects.count() == 1
        with time_machine_at(asked_at + timedelta(seconds=121)):
            act("reset", carl, key="three")
        assert Change.objects.count() == 2

    def test_nobody_resets_more_than_twenty_an_hour(self, helpdesk, account, time_machine_at):
        """Within any hour, and not twenty at once and soon one more."""
        phones = [make_softphone(account, name=f"Phone {number}") for number in range(23)]
        began = timezone.now()
        for number in range(20):
            pressed(helpdesk, phones[number], key="a" * (number % 2))  # also where the form has no key
        assert Change.objects.count() == 20
        with time_machine_at(began + timedelta(minutes=59)):
            refused = pressed(helpdesk, phones[20])
            told = "You have reset 20 passwords within an hour. That is the most: ask a colleague or wait "
            assert re.search(rf"{told}[12] minutes?\.", refused)
            assert Change.objects.count() == 20
            assert AuditEvent.objects.get(outcome="refused").actor == helpdesk.user
            pressed(staff_browser(account, "helpdesk", "carl@acme.example", name="Carl"), phones[21])
            assert Change.objects.count() == 21
        with time_machine_at(began + timedelta(minutes=61)):
            pressed(helpdesk, phones[22])
        assert Change.objects.count() == 22

    def test_two_tabs_do_not_pass_the_last_one_of_an_hour_together(self, helpdesk, account, settings):
        settings.HELPDESK_RESETS = 1

        together = Barrier(8)

        def press(phone):
            connection.ensure_connection()
            together.wait(30)
            with suppress(room.Refused):
                room.reset(softphone=phone, by=helpdesk.user, reason="", key="a", ip=None, now=timezone.now())

        phones = [make_softphone(account, name=f"Phone {number}") for number in range(8)]
        at_once(*[partial(press, phone) for phone in phones])
        assert Change.objects.count() == 1

    def test_nor_does_trying_again_in_many_tabs(self, helpdesk, account, settings):
        settings.HELPDESK_RESETS = 1
        asked = {"by": None, "now": timezone.now() - timedelta(hours=2)}
        failed = [changes.reset_password(softphone=make_softphone(account), **asked) for _number in range(8)]
        Change.objects.update(state="failed")
        together = Barrier(8)

        def press(change):
            connection.ensure_connection()
            together.wait(30)
            with suppress(room.Refused):
                room.try_again(change=change, by=helpdesk.user, ip=None, now=timezone.now())

        at_once(*[partial(press, change) for change in failed])
        assert Change.objects.filter(state="queued").count() == 1

    def test_what_a_colleague_tries_again_counts_for_them_alone(self, helpdesk, account, settings):
        settings.HELPDESK_RESETS = 1
        failed = changes.reset_password(softphone=make_softphone(account), by=None, now=timezone.now() - timedelta(hours=2))
        Change.objects.update(state="failed")
        carl = staff_browser(account, "helpdesk", "carl@acme.example", name="Carl")
        carl.post(f"/acme/changes/{failed.pk}/again/")
        assert again(failed).state == "queued"
        phone = make_softphone(account)
        pressed(helpdesk, phone)
        assert phone.changes.exists()
        assert "ask a colleague" in pressed(carl, make_softphone(account))

    def test_how_long_to_wait_is_until_the_first_of_an_hour_counts_no_more(self, helpdesk, account, settings, time_machine_at):
        settings.HELPDESK_RESETS = 2
        began = timezone.now()
        for minutes, phone in ((0, make_softphone(account)), (30, make_softphone(account))):
            with time_machine_at(began + timedelta(minutes=minutes)):
                pressed(helpdesk, phone)
        with time_machine_at(began + timedelta(minutes=40)):
            assert re.search(r"ask a colleague or wait (19|20|21) minutes\.", pressed(helpdesk, make_softphone(account)))

    def test_what_else_draws_passwords_does_not_count(self, helpdesk, account, plant, settings):
        settings.HELPDESK_RESETS = 1
        left = plant(make_owner(account, enabled=False))
        helpdesk.post(f"/acme/people/{left.owner_id}/close/", {"key": "a"})
        assert left.changes.filter(kind="reset_password").exists()
        phone = make_softphone(account)
        pressed(helpdesk, phone)
        assert phone.changes.exists()

    def test_trying_a_failed_one_again_is_held_to_the_same(
        self, act, helpdesk, account, alices_phone, sandbox, audian_is_told, password_at_audian, settings, time_machine_at
    ):
        settings.CHANGE_ATTEMPTS = 1
        sandbox.faults.add("500", match="POST /devices", times=1)
        act("reset", key="one")
        audian_is_told()
        failed = Change.objects.get()
        carl = staff_browser(account, "helpdesk", "carl@acme.example", name="Carl")
        act("reset", carl, key="two")
        audian_is_told()
        carls = password_at_audian(alices_phone)
        press = partial(helpdesk.post, f"/acme/changes/{failed.pk}/again/")
        assert "Carl has just reset this password." in words(press(follow=True))
        assert press(headers=HTMX)["HX-Refresh"] == "true"
        refused = AuditEvent.objects.filter(act="password:reset", outcome="refused", actor=helpdesk.user)
        assert {each.softphone for each in refused} == {alices_phone}
        assert not audian_is_told().done
        carls_at = Change.objects.latest("pk").created_at
        with time_machine_at(carls_at + timedelta(seconds=119)):
            assert "Carl has just reset this password." in words(press(follow=True))
            assert again(failed).state == "failed"
        with time_machine_at(carls_at + timedelta(seconds=121)):
            press()
            assert "Helen Desk has just reset this password." in words(act("reset", carl, key="three"))
            audian_is_told()
            assert password_at_audian(alices_phone) != carls
            assert "Helen Desk has just reset this password." in words(act("reset", carl, key="four"))

    def test_nor_does_trying_again_get_around_the_most_of_an_hour(
        self, act, helpdesk, alices_phone, sandbox, audian_is_told, settings
    ):
        settings.CHANGE_ATTEMPTS = 1
        settings.HELPDESK_RESETS = 1
        sandbox.faults.add("500", match="POST /devices", times=None)
        act("reset", key="one")
        audian_is_told()
        answer = helpdesk.post(f"/acme/changes/{Change.objects.get().pk}/again/", follow=True)
        assert "ask a colleague" in words(answer)
        assert Change.objects.get().state == "failed"

    def test_and_each_try_again_counts_as_one(
        self, helpdesk, account, alices_phone, sandbox, act, audian_is_told, settings, time_machine_at
    ):
        settings.CHANGE_ATTEMPTS = 1
        settings.HELPDESK_RESETS = 2
        sandbox.faults.add("500", match="POST /devices", times=None)
        began = timezone.now()
        act("reset", key="one")
        audian_is_told()
        helpdesk.post(f"/acme/changes/{Change.objects.get().pk}/again/")
        with time_machine_at(began + timedelta(minutes=59)):
            assert "ask a colleague" in pressed(helpdesk, make_softphone(account))
        assert Change.objects.count() == 1

    def test_the_page_follows_to_the_phone_that_connects_again(
        self, act, helpdesk, sandbox, alice, alices_phone, audian_is_told
    ):
        sandbox.register(alices_phone.audian_id)
        act("reset", key="one")
        assert steps(helpdesk, alices_phone) == ["next", "later", "later", "later"]
        audian_is_told()
        sandbox.unregister(alices_phone.audian_id)
        assert steps(helpdesk, alices_phone) == ["done", "done", "next", "later"]
        drawn = setup_links.draw(softphone=again(alices_phone), user=alice, ip=None, now=timezone.now())
        assert setup_links.fetch_by_app(token=drawn.token, ip="203.0.113.1", agent="Zoiper", now=timezone.now())
        assert steps(helpdesk, alices_phone) == ["done", "done", "done", "next"]
        sandbox.register(alices_phone.audian_id, at=timezone.now().timestamp())
        assert steps(helpdesk, alices_phone) == ["done", "done", "done", "done"]


def pressed(client, phone, key="a") -> str:
    """What the page says after *Reset password* was pressed."""
    return words(client.post(f"/acme/softphones/{phone.pk}/reset/", {"key": key}, follow=True))


def steps(client, phone) -> list[str]:
    page = client.get(f"/acme/people/{phone.owner_id}/")
    address = soup(page).select_one(".now")["hx-get"]
    client.get(address, headers=HTMX)
    return [each["class"][0] for each in soup(client.get(address, headers=HTMX)).select(".way li")]


class TestSwitching:
    def test_off_says_what_it_cuts_and_on_needs_no_question(self, act, helpdesk, sandbox, alices_phone, audian_is_told):
        assert "No app is connected with it now." in words(helpdesk.get(f"/acme/softphones/{alices_phone.pk}/off/"))
        act("off", key="one")
        audian_is_told()
        assert sandbox.device(alices_phone.audian_id)["enabled"] is False
        assert "Switch on" in words(helpdesk.get(f"/acme/people/{alices_phone.owner_id}/"))
        act("on", key="two")
        audian_is_told()
        assert sandbox.device(alices_phone.audian_id)["enabled"] is True

    @pytest.mark.parametrize("key", ["a\0b", "9" * 5000])
    def test_on_takes_whatever_its_key_is(self, act, key):
        Softphone.objects.update(enabled=False)
        assert "is being switched on" in words(act("on", key=key))

    def test_off_ends_links(self, act, alice, alices_phone):
        setup_links.draw(softphone=alices_phone, user=alice, ip=None, now=timezone.now())
        act("off", key="one")
        assert not SetupLink.objects.filter(revoked_at=None).exists()


def test_links_are_revoked_and_that_is_on_record(act, helpdesk, alice, alices_phone):
    page = f"/acme/people/{alices_phone.owner_id}/"
    assert "Revoke" not in words(helpdesk.get(page))
    setup_links.draw(softphone=alices_phone, user=alice, ip=None, now=timezone.now())
    assert "Revoke 1 link" in words(helpdesk.get(page))
    assert "1 set-up link was ended." in words(act("links/revoke"))
    assert not SetupLink.objects.filter(revoked_at=None).exists()
    assert AuditEvent.objects.get(act="link:revoked").actor == helpdesk.user


def test_a_phone_that_is_being_deleted_is_left_alone(act, helpdesk, alices_phone):
    changes.delete(softphone=alices_phone, by=None, now=timezone.now())
    assert "This softphone is being deleted." in words(act("reset", key="one"))
    assert "This softphone is being deleted." in words(act("on", key="two"))


def test_what_failed_is_said_and_leads_to_trying_again(helpdesk, alices_phone, audian_is_told):
    seen = {"name": "What it was never called"}
    change = changes.update(softphone=alices_phone, values={"name": "New"}, seen=seen, by=helpdesk.user, now=timezone.now())
    audian_is_told()
    assert again(change).state == "failed"
    page = soup(helpdesk.get(f"/acme/people/{alices_phone.owner_id}/"))
    assert change.error in words(page)
    assert page.select_one(f"a[href='/acme/changes/{change.pk}/']")


def test_once_its_charges_are_declined_the_password_that_stayed_is_good_again(
    act, helpdesk, admin, sandbox, alices_phone, audian_is_told, monkeypatch
):
    sandbox.faults.add("402", match="POST /devices")
    act("reset", key="one")
    audian_is_told()
    woken = []
    monkeypatch.setattr("softphones.wake._send", lambda name, ids: woken.append((name.rpartition(".")[2], ids)))
    admin.post(f"/acme/charges/{Change.objects.get().pk}/decline/")
    assert again(alices_phone).password is None
    [(name, ids)] = woken
    getattr(tasks, name)(**ids)
    assert again(alices_phone).password == PASSWORD


def test_a_password_that_is_about_to_change_is_not_read_meanwhile(act, account, alices_phone):
    act("reset", key="one")
    tasks.read_softphones(account_id=account.pk, softphone_ids=[alices_phone.pk])
    assert again(alices_phone).password is None


@pytest.mark.parametrize("name", ["send", "on", "links/revoke"])
def test_looking_at_an_acts_address_does_nothing(helpdesk, alices_phone, name):
    assert helpdesk.get(f"/acme/softphones/{alices_phone.pk}/{name}/").status_code == 405


def test_a_form_that_sends_the_key_of_another_form_still_does_what_it_says(act, alices_phone):
    for name in ("off", "on", "reset"):
        act(name, key="the same")
    kinds = alices_phone.changes.order_by("pk").values_list("kind", "values")
    assert list(kinds) == [("update", {"enabled": False}), ("update", {"enabled": True}), ("reset_password", {})]
