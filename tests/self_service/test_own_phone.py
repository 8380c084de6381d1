"""A person renames their phone, and replaces one that got lost: the old password dies, and nobody sees it meanwhile."""

from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from softphones import changes, lights, self_service, setup_links
from softphones.models import AuditEvent, Change, SetupLink, Softphone
from softphones.sip_settings import settings_for
from softphones.views.setup_page import sign_now
from tests.changes.conftest import PASSWORD, again
from tests.changes.test_races import at_once
from tests.factories import make_owner
from tests.links.conftest import LINPHONE
from tests.pages.conftest import soup, words
from tests.self_service.conftest import HTMX, press

RENAME = "Rename"
REPLACE = "Cut it off"


@pytest.fixture
def address(phone) -> str:
    return f"/softphones/{phone.pk}/"


def resets() -> list[Change]:
    return list(Change.objects.filter(kind=Change.Kind.RESET_PASSWORD))


def card(response):
    return soup(response).select_one(".change")


# Renaming


def test_a_new_name_goes_to_audian(sandbox, browser, phone, address, drain):
    page = press(browser, browser.get(address), RENAME, name="Alice's laptop")
    assert "The change is being saved" in words(card(page))
    drain()
    assert sandbox.device(phone.audian_id)["name"] == "Alice's laptop"
    assert words(soup(browser.get(address)).h1) == "Alice's laptop"


def test_the_same_name_twice_is_one_change_and_two_names_from_one_page_are_two(sandbox, browser, phone, address, drain):
    page = browser.get(address)
    for name in ("Laptop", "Laptop", "Desk"):
        press(browser, page, RENAME, name=name)
    assert Change.objects.count() == 2
    drain()
    assert sandbox.device(phone.audian_id)["name"] == "Desk"


def test_a_name_that_is_on_its_way_can_be_taken_back(sandbox, browser, phone, address, drain):
    page = press(browser, browser.get(address), RENAME, name="Desk")
    assert soup(page).select_one("#name")["value"] == "Desk"
    press(browser, page, RENAME, name=phone.name)
    drain()
    assert sandbox.device(phone.audian_id)["name"] == phone.name
    assert not Change.objects.filter(state="failed").exists()


def test_a_page_that_is_old_says_so_instead_of_doing_nothing(sandbox, browser, phone, address, drain):
    old = browser.get(address)
    for name in ("Laptop", phone.name):
        press(browser, browser.get(address), RENAME, name=name)
        drain()
    said = words(press(browser, old, RENAME, name="Laptop"))
    assert f"Not renamed: this page was old. The softphone is called “{phone.name}” by now." in said
    press(browser, browser.get(address), RENAME, name="Laptop")
    drain()
    assert sandbox.device(phone.audian_id)["name"] == "Laptop"


@pytest.mark.parametrize("seen", ["Never was", ""])
def test_nobody_says_that_they_saw_another_name(browser, phone, address, seen):
    """Their change would fail by it, and hold up what goes with it."""
    page = press(browser, browser.get(address), RENAME, name="Mine", seen=seen)
    assert "Not renamed: the page was old. Try again." in words(page)
    assert not Change.objects.exists()


def test_what_one_phone_is_called_is_not_what_was_seen_of_another(browser, phone, owner, plant, address):
    other = soup(browser.get(f"/softphones/{plant(owner, 'Second', 'user_second').pk}/"))
    press(browser, browser.get(address), RENAME, name="Mine", seen=other.select_one("input[name=seen]")["value"])
    assert not Change.objects.exists()


def test_a_day_has_so_many_new_names(browser, address, settings):
    settings.SELF_SERVICE_RENAMES = 2
    for name in ("One", "Two"):
        press(browser, browser.get(address), RENAME, name=name)
    assert "You have renamed softphones 2 times within a day" in words(
        press(browser, browser.get(address), RENAME, name="Three")
    )
    assert Change.objects.count() == 2


@pytest.mark.parametrize("name", ["نامه\u200cها", "👩\u200d💻"])
def test_joiners_inside_a_name_stay(sandbox, browser, phone, address, drain, name):
    press(browser, browser.get(address), RENAME, name=name)
    drain()
    assert sandbox.device(phone.audian_id)["name"] == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("  ", "needs a name"),
        ("x" * 129, "128 characters at most"),
        ("\u200b", "Only characters that can’t be seen"),
        ("\u2066 \u2069", "Only characters that can’t be seen"),
        ("\x01", "Only characters that can’t be seen"),
    ],
)
def test_a_name_that_audian_would_refuse_is_refused_at_once(browser, address, name, says):
    assert says in words(press(browser, browser.get(address), RENAME, name=name))
    assert not Change.objects.exists()


# Replacing a lost one


def test_it_says_first_what_it_cuts(browser, phone, address):
    now = timezone.now()
    Softphone.objects.update(
        registered=True, registered_since=now - timedelta(hours=2), registered_agent="Zoiper v5.6", seen_at=now
    )
    link = next(each for each in soup(browser.get(address)).select("a") if words(each) == "Replace a lost phone")
    page = browser.get(link["href"])
    assert "This disconnects Zoiper" in words(page)
    assert "connected since" in words(page)
    assert not Change.objects.exists()


def test_what_nobody_can_see_is_not_said_to_be_gone(sandbox, browser, phone, address, settings):
    settings.LIGHT_ONE_EVERY = settings.LIGHT_PAUSE = 0
    sandbox.faults.add("503", times=None)
    page = browser.get(f"{address}replace/")
    assert "We can’t see right now whether an app is connected. If one is" in words(page)
    at = timezone.now() - timedelta(minutes=3)
    Softphone.objects.update(registered=True, seen_at=at)
    page = soup(browser.get(f"{address}replace/")).select_one("#cut")
    assert "We can’t see right now whether an app is connected. One was, at" in words(page)
    assert page.select_one("time")["datetime"] == at.isoformat()
    sandbox.faults.clear()
    sandbox.register(phone.audian_id)
    moved = browser.get(page["hx-get"], headers=HTMX)
    assert "This disconnects the app that is connected now" in words(moved)
    assert not soup(moved).select("form")
    assert browser.get(soup(moved).select_one("#cut")["hx-get"], headers=HTMX).status_code == 204
    assert not Change.objects.exists()


def test_one_that_is_switched_off_while_its_page_is_open_is_said_to_be(browser, phone, address):
    page = browser.get(f"{address}replace/")
    Softphone.objects.update(enabled=False)
    moved = browser.get(soup(page).select_one("#cut")["hx-get"], headers=HTMX)
    assert words(moved) == "It is switched off, so no app can connect with it. Your helpdesk can switch it on again."


def test_a_lost_phone_is_cut_off_and_the_new_password_is_on_the_set_up_page(sandbox, browser, phone, address, drain, settings):
    settings.LIGHT_ONE_EVERY = 0
    sandbox.register(phone.audian_id)
    page = press(browser, browser.get(f"{address}replace/"), REPLACE)
    assert page.redirect_chain == [(address, 302)]
    assert "New password on its way" in words(card(page))
    assert "A new one is on its way." in words(soup(page).select_one(".reference"))
    drain()
    assert lights.watch(softphones=[again(phone)], now=timezone.now())[phone.pk].state == "not_connected"
    assert browser.get(card(page)["hx-get"], headers=HTMX)["HX-Refresh"] == "true"
    new = sandbox.device(phone.audian_id)["sip"]["password"]
    assert new != PASSWORD
    assert new in browser.post(f"{address}password/").text


def test_green_means_that_the_new_password_connected_and_not_the_lost_phone(sandbox, browser, phone, address, drain, settings):
    settings.LIGHT_ONE_EVERY = 0
    page = soup(browser.get(address))
    marks = {"opened": page.select_one("#opened")["value"], "looking": sign_now(phone.pk)}
    look = partial(browser.get, f"{address}light/", marks, headers=HTMX)
    look()
    sandbox.register(phone.audian_id)
    assert "Connected — you’re done" in words(look())
    press(browser, browser.get(f"{address}replace/"), REPLACE)
    assert not soup(browser.get(address)).select("#light")
    drain()
    sandbox.register(phone.audian_id, at=timezone.now().timestamp() - 60)  # as if the lost one were not flushed yet
    assert "Already connected in another app" in words(look())
    sandbox.unregister(phone.audian_id)
    look()
    sandbox.register(phone.audian_id)
    assert "Connected — you’re done" in words(look())


def test_while_a_new_password_is_on_its_way_no_act_reveals_one(browser, alice, phone, address, client):
    drawn = setup_links.draw(softphone=phone, user=alice, ip=None, now=timezone.now())
    press(browser, browser.get(f"{address}replace/"), REPLACE)
    # As if somebody had found the old one out again, say a look at Audian that was under way.
    Softphone.objects.update(password=PASSWORD)
    assert settings_for(again(phone)).password is None
    for act in ("password", "code", "link"):
        answer = browser.post(f"{address}{act}/", follow=True)
        assert answer.redirect_chain == [(f"{address}?app=zoiper5", 302)] or "New password on its way" in words(answer)
        assert PASSWORD not in answer.text
    assert not SetupLink.objects.filter(revoked_at=None).exists()
    SetupLink.objects.update(revoked_at=None)
    assert setup_links.look(token=drawn.token, now=timezone.now()) == "dead"
    assert client.get(f"/s/{drawn.token}", headers=LINPHONE).status_code == 404
    assert not AuditEvent.objects.filter(act__in=["password:shown", "link:fetched"]).exists()


def test_a_new_password_that_waits_for_the_company_is_not_on_its_way(sandbox, browser, address, drain):
    sandbox.faults.add("402", method="POST", path="/devices")
    press(browser, browser.get(f"{address}replace/"), REPLACE)
    drain()
    page = browser.get(address)
    assert "Waiting for your company" in words(card(page))
    assert "A new one was asked for, and is not there yet." in words(soup(page).select_one(".reference"))
    assert not soup(page).select("#light")
    for each in (page, browser.get("/")):
        assert "on its way" not in words(each)
    assert "New password not set yet" in words(browser.get("/"))


def test_pressed_twice_it_is_one_new_password(sandbox, browser, phone, address, drain):
    page, second_tab = browser.get(f"{address}replace/"), browser.get(f"{address}replace/")
    press(browser, page, REPLACE)
    press(browser, second_tab, REPLACE)
    drain()
    new = again(phone).password
    press(browser, page, REPLACE)
    drain()
    assert len(resets()) == 1
    assert again(phone).password == new


@pytest.mark.parametrize("key", ["a\0b", "9" * 5000])
def test_whatever_its_key_is_it_is_one_new_password(browser, phone, address, key):
    for _press in range(2):
        assert browser.post(f"{address}replace/", {"key": key}).status_code == 302
    assert len(resets()) == 1


def test_it_asks_for_fresh_proof(signed_in, alice, address):
    old = signed_in(alice, proven=False)
    answer = press(old, old.get(f"{address}replace/"), REPLACE, follow=False)
    assert answer["Location"].startswith("/confirm/?next=")
    assert not resets()


def test_five_new_passwords_a_day(browser, phone, address, drain, account):
    for _time in range(5):
        press(browser, browser.get(f"{address}replace/"), REPLACE)
        drain()
    page = browser.get(f"{address}replace/")
    sentence = (
        "You have asked for 5 new passwords within a day, and that is the most. Come back tomorrow, or ask your helpdesk:"
    )
    assert sentence in words(page)
    assert sentence in words(browser.post(f"{address}replace/", {"key": "old"}, follow=True))
    assert len(resets()) == 5


def test_giving_phones_away_refills_no_passwords(browser, account, owner, plant, drain):
    given, kept = plant(owner, username="user_given"), plant(owner, name="Alice's mobile", username="user_kept")
    for _time in range(3):
        press(browser, browser.get(f"/softphones/{given.pk}/replace/"), REPLACE)
        drain()
    other = make_owner(account, "bob@acme.example")
    changes.update(softphone=given, values={"owner_id": other.audian_id}, seen={}, by=None, now=timezone.now())
    drain()
    for _time in range(2):
        press(browser, browser.get(f"/softphones/{kept.pk}/replace/"), REPLACE)
        drain()
    assert "You have asked for 5 new passwords within a day" in words(browser.get(f"/softphones/{kept.pk}/replace/"))
    assert "You have asked for 5" in words(browser.post(f"/softphones/{kept.pk}/replace/", {"key": "old"}, follow=True))
    assert len(resets()) == 5


def test_what_helpdesk_reset_is_not_counted(browser, phone, address, drain):
    for _time in range(6):
        changes.reset_password(softphone=phone, by=None, now=timezone.now())
        drain()
    assert REPLACE in words(browser.get(f"{address}replace/"))


def test_a_reset_that_failed_says_so_and_can_be_tried_again(sandbox, browser, phone, address, drain, settings):
    settings.CHANGE_ATTEMPTS = 1
    sandbox.faults.add("500", method="POST", path="/devices")
    press(browser, browser.get(f"{address}replace/"), REPLACE)
    drain()
    page = browser.get(address)
    assert "The new password could not be set" in words(card(page))
    press(browser, page, "Try again")
    drain()
    assert card(browser.get(address)) is None
    assert again(phone).password == sandbox.device(phone.audian_id)["sip"]["password"] != PASSWORD


@pytest.fixture
def failed_reset(sandbox, browser, address, drain, settings) -> str:
    """Where a reset of Alice's own that failed is tried again. Audian goes on failing."""
    settings.CHANGE_ATTEMPTS = 1
    sandbox.faults.add("500", method="POST", path="/devices", times=None)
    press(browser, browser.get(f"{address}replace/"), REPLACE)
    drain()
    return f"/changes/{resets()[0].pk}/again/"


def test_trying_again_is_no_way_around_five_a_day(browser, failed_reset, drain):
    for _time in range(4):
        browser.post(failed_reset)
        assert drain().failed == 1
    assert "You have asked for 5 new passwords within a day" in words(browser.post(failed_reset, follow=True))
    assert resets()[0].state == "failed"


def test_nor_is_trying_many_again_at_once(account, alice, owner, plant, settings):
    settings.SELF_SERVICE_RESETS = 1
    phones = [plant(owner, f"Phone {number}", f"user_{number}") for number in range(6)]
    failed = [changes.reset_password(softphone=phone, by=alice, now=timezone.now()) for phone in phones]
    Change.objects.update(state="failed")

    def press(change):
        with suppress(self_service.Refused):
            self_service.try_again(change=change, user=alice, ip=None, now=timezone.now())

    at_once(*[partial(press, change) for change in failed])
    assert [each.state for each in resets()].count("queued") == 1


def test_what_staff_try_again_for_others_is_not_counted_as_their_own(browser, account, alice, phone, address, plant, settings):
    settings.SELF_SERVICE_RESETS = 1
    colleague = plant(make_owner(account, "bob@acme.example"), "Bob's laptop", "user_bob")
    failed = changes.reset_password(softphone=colleague, by=None, now=timezone.now())
    Change.objects.update(state="failed")
    changes.try_again(change=failed, by=alice, ip=None, now=timezone.now())
    press(browser, browser.get(f"{address}replace/"), REPLACE)
    assert phone.changes.filter(kind="reset_password").exists()


def test_nor_around_fresh_proof_nor_for_a_phone_that_is_switched_off(signed_in, browser, alice, phone, failed_reset):
    answer = signed_in(alice, proven=False).post(failed_reset)
    assert answer["Location"].startswith("/confirm/?next=")
    Softphone.objects.update(enabled=False)
    assert "is switched off" in words(browser.post(failed_reset, follow=True))
    assert resets()[0].state == "failed"


def test_a_phone_that_is_switched_off_is_not_replaced(browser, phone, address):
    Softphone.objects.update(enabled=False)
    assert REPLACE not in words(browser.get(f"{address}replace/"))
    assert "is switched off" in words(browser.post(f"{address}replace/", {"key": "0"}, follow=True))
    assert not resets()


def test_a_password_that_nobody_knows_can_be_had_anew(browser, phone, address):
    Softphone.objects.update(password=None)
    page = browser.get(address)
    link = next(each for each in soup(page).select("a") if words(each) == "Get a new password")
    assert REPLACE in words(browser.get(link["href"]))


# Whose


def test_phones_of_others_are_not_there(signed_in, phone, bob, mallory):
    for user in (bob, mallory):
        client = signed_in(user)
        assert client.get(f"/softphones/{phone.pk}/replace/").status_code == 404
        assert client.post(f"/softphones/{phone.pk}/replace/").status_code == 404
        assert client.post(f"/softphones/{phone.pk}/name/", {"name": "Mine"}).status_code == 404
    assert not Change.objects.exists()


def test_who_left_changes_nothing_any_more(browser, owner, phone, address):
    type(owner).objects.update(enabled=False)
    assert browser.post(f"{address}name/", {"name": "Mine"}).status_code == 404
    assert browser.post(f"{address}replace/").status_code == 404


def test_without_self_service_people_set_up_their_phones_and_that_is_all(browser, account, phone, address):
    account.self_service = False
    account.save()
    page = browser.get(address)
    assert soup(page).select(".steps")
    assert "Replace a lost phone" not in words(page)
    assert RENAME not in words(page)
    assert browser.get(f"{address}replace/").status_code == 404
    assert browser.post(f"{address}name/", {"name": "Mine"}).status_code == 404


def test_a_phone_of_a_colleague_with_the_same_address_stays_theirs(browser, account, plant):
    other = make_owner(account, "bob@acme.example", name="Bob Jones")
    theirs = plant(other, name="Bob's", username="user_bob")
    assert browser.get(f"/softphones/{theirs.pk}/replace/").status_code == 404
