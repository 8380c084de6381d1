"""A person gets a softphone by themselves: once, up to their quota, and not without end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import requests
import time_machine
from django.conf import settings
from django.utils import timezone

from softphones import changes
from softphones.models import Change, Import, Owner, Softphone, SyncRun
from tests.changes.conftest import softphones_of
from tests.factories import make_account, make_owner, make_user
from tests.pages.conftest import soup, words
from tests.self_service.conftest import HTMX, creates, press

GET = "Get my softphone"
ANOTHER = "Get another softphone"


def buttons(response) -> list[str]:
    return [words(button) for button in soup(response).select("main button")]


def card(response):
    return soup(response).select_one(".change")


def test_a_person_without_a_phone_gets_one_and_lands_on_its_set_up_page(sandbox, browser, owner, drain):
    page = press(browser, browser.get("/"), GET)
    [phone] = Softphone.objects.all()
    assert page.redirect_chain == [(f"/softphones/{phone.pk}/", 302)]
    assert "The softphone is being made" in words(card(page))
    assert not soup(page).select(".steps, .field"), "there is nothing to set up yet"
    drain()
    assert browser.get(card(page)["hx-get"], headers=HTMX)["HX-Refresh"] == "true"
    ready = browser.get(f"/softphones/{phone.pk}/")
    assert card(ready) is None
    assert soup(ready).select(".steps")
    [device] = softphones_of(sandbox)
    assert device["name"] == "Alice Smith - softphone"
    assert device["owner_id"] == owner.audian_id
    assert device["caller_id"]["internal"] == {"number": "1001", "name": "Alice Smith"}


def test_opening_the_address_of_the_button_asks_for_nothing_and_leads_to_it(browser):
    page = browser.get("/softphones/new/", follow=True)
    assert page.redirect_chain == [("/", 302)]
    assert GET in buttons(page)
    assert not creates()


def test_its_password_is_on_no_page_before_audian_has_it(browser, drain):
    page = press(browser, browser.get("/"), GET)
    phone = Softphone.objects.get()
    secret = Change.objects.get().password
    for act in ("password", "code", "link"):
        answer = browser.post(f"/softphones/{phone.pk}/{act}/", follow=True)
        assert secret not in answer.text
    assert secret not in page.text
    drain()
    assert secret in browser.post(f"/softphones/{phone.pk}/password/").text


def test_pressing_twice_reload_back_and_a_second_tab_get_one(sandbox, browser, drain):
    first, second_tab = browser.get("/"), browser.get("/")
    press(browser, first, GET)
    press(browser, first, GET)
    press(browser, second_tab, GET)
    drain()
    landed = press(browser, first, GET)  # Back, long after it was made
    assert landed.redirect_chain[0][0] == f"/softphones/{Softphone.objects.get().pk}/"
    drain()
    assert len(softphones_of(sandbox)) == len(creates()) == 1


@pytest.fixture
def over_the_wire(live_server, browser):
    """Alice's browser in front of a real server: `get("/")`, and `post(path, values)` as her pages send it."""

    class Wire:
        def __init__(self):
            self.url = live_server.url
            self.cookies = {name: morsel.value for name, morsel in browser.cookies.items()}
            self.cookies[settings.CSRF_COOKIE_NAME] = self.get("/").cookies[settings.CSRF_COOKIE_NAME]

        def get(self, path):
            return requests.get(self.url + path, cookies=self.cookies, timeout=30)

        def post(self, path, values):
            values |= {"csrfmiddlewaretoken": self.cookies[settings.CSRF_COOKIE_NAME]}
            headers = {"Referer": self.url + "/"}
            return requests.post(self.url + path, values, cookies=self.cookies, headers=headers, timeout=30)

    return Wire()


def all_at_once(press, presses=16) -> list:
    together = Barrier(presses)

    def come(number: int):
        together.wait(30)
        return press(number)

    with ThreadPoolExecutor(presses) as pool:
        return list(pool.map(come, range(presses)))


@pytest.mark.parametrize("tabs", [1, 16])
def test_a_double_click_over_a_real_server_gets_one(over_the_wire, sandbox, drain, tabs):
    """Sixteen presses at the same moment, in one tab or in as many."""
    forms = [soup(over_the_wire.get("/")).select_one("form.get") for _tab in range(tabs)] * (16 // tabs)
    values = [{each["name"]: each["value"] for each in form.select("input[name]")} for form in forms]
    answers = all_at_once(lambda number: over_the_wire.post("/softphones/new/", values[number]))
    [phone] = Softphone.objects.all()
    assert {answer.url for answer in answers} == {f"{over_the_wire.url}/softphones/{phone.pk}/"}
    drain()
    assert len(softphones_of(sandbox)) == 1


def test_keys_forged_to_differ_do_not_pass_the_quota_together(over_the_wire, account, owner):
    answers = all_at_once(lambda number: over_the_wire.post("/softphones/new/", {"owner": owner.pk, "key": f"forged-{number}"}))
    assert {answer.status_code for answer in answers} == {200}
    assert len(creates()) == account.quota


def test_a_second_device_gets_a_softphone_of_its_own_with_a_name_that_tells(sandbox, browser, plant, owner, drain):
    plant(owner)
    page = browser.get("/")
    assert soup(page).select_one("input[name=name]")["value"] == "Alice Smith - mobile"
    press(browser, page, ANOTHER, name="  Alice's \n tablet ")
    drain()
    assert sorted(device["name"] for device in softphones_of(sandbox)) == ["Alice Smith - softphone", "Alice's tablet"]


def test_the_quota_counts_what_staff_made_and_what_is_not_made_yet(sandbox, browser, account, owner, plant):
    plant(owner)
    press(browser, browser.get("/"), ANOTHER)
    assert len(creates()) == 1
    page = browser.get("/")
    assert ANOTHER not in buttons(page)
    stale = browser.post("/softphones/new/", {"owner": owner.pk, "key": "old"}, follow=True)
    assert "You have all 2 softphones that your company gives each person." in words(stale)
    assert "+1 555 0100" in words(stale)
    assert len(creates()) == 1


def test_three_a_day_and_deleting_refills_nothing(browser, account, owner, drain):
    account.quota = 10
    account.save()
    for button in (GET, ANOTHER, ANOTHER):
        press(browser, browser.get("/"), button)
    drain()
    for phone in Softphone.objects.all():
        changes.delete(softphone=phone, by=None, now=timezone.now())
    drain()
    page = browser.get("/")
    assert GET not in buttons(page)
    sentence = (
        "You have asked for 3 new softphones within a day, and that is the most. Come back tomorrow, or ask your helpdesk:"
    )
    assert sentence in words(page)
    stale = browser.post("/softphones/new/", {"owner": owner.pk, "key": "old"}, follow=True)
    assert sentence in words(stale)
    assert len(creates()) == 3
    with time_machine.travel(timezone.now() + timedelta(hours=24, minutes=1)):
        browser.force_login(owner.user)
        assert GET in buttons(browser.get("/"))


def test_giving_phones_away_refills_nothing(browser, account, owner, drain):
    account.quota = 10
    account.save()
    other = make_owner(account, "bob@acme.example")
    for button in (GET, GET, GET):
        press(browser, browser.get("/"), button)
        drain()
        phone = Softphone.objects.get(owner=owner)
        changes.update(softphone=phone, values={"owner_id": other.audian_id}, seen={}, by=None, now=timezone.now())
        drain()
    assert Softphone.objects.filter(owner=other).count() == 3
    page = browser.get("/")
    assert GET not in buttons(page)
    assert "You have asked for 3 new softphones within a day" in words(page)
    assert "You have asked for 3 new softphones" in words(
        browser.post("/softphones/new/", {"owner": owner.pk, "key": "99"}, follow=True)
    )
    assert len(creates()) == 3


def test_what_staff_made_for_others_is_not_counted_as_their_own(browser, account, alice, owner):
    other = make_owner(account, "bob@acme.example")
    for number in range(5):
        changes.create(account=account, name=f"Phone {number}", owner=other, by=alice, now=timezone.now())
    assert GET in buttons(browser.get("/"))


def test_where_the_account_does_not_allow_it_nothing_is_offered_and_nothing_works(browser, account, owner):
    account.self_service = False
    account.save()
    page = browser.get("/")
    assert GET not in buttons(page)
    assert "Ask your helpdesk for one" in words(page)
    assert browser.post("/softphones/new/", {"owner": owner.pk, "key": "0"}).status_code == 404


@pytest.mark.parametrize("values", [{"enabled": False}, {"gone_at": timezone.now()}, {"user": None}])
def test_whoever_left_gets_none(browser, owner, values):
    page = browser.get("/")
    Owner.objects.filter(pk=owner.pk).update(**values)
    assert press(browser, page, GET).status_code == 404
    assert GET not in buttons(browser.get("/"))
    assert not Change.objects.exists()


def test_nobody_gets_one_in_the_name_of_another(signed_in, owner, bob, mallory):
    for user in (bob, mallory):
        assert signed_in(user).post("/softphones/new/", {"owner": owner.pk, "key": "0"}).status_code == 404
    assert signed_in(bob).post("/softphones/new/", {"owner": "x", "key": "0"}).status_code == 404
    assert not Change.objects.exists()


@pytest.mark.parametrize("owner", ["", "9" * 19, "9" * 20, "9" * 5000, "-1", "a\0b", "²"])
def test_what_can_be_nobody_gets_none(browser, owner):
    assert browser.post("/softphones/new/", {"owner": owner}).status_code == 404
    assert not creates()


def test_nobody_gets_one_before_audian_was_read_to_its_end(browser, owner):
    page = browser.get("/")
    SyncRun.objects.update(state="failed")
    assert GET not in buttons(browser.get("/"))
    assert "has not read your company’s phones" in words(press(browser, page, GET))
    assert not Change.objects.exists()


def test_who_has_two_companies_is_asked_for_which(browser, alice, account):
    other = make_account(slug="other", company_name="Other Inc", quota=1)
    make_user("boss@other.example", account=other)
    other.memberships.create(user=alice, role="user")
    make_owner(other, "alice@acme.example", user=alice)
    now = timezone.now()
    SyncRun.objects.create(account=other, state=SyncRun.State.COMPLETE, started_at=now, finished_at=now)
    page = browser.get("/")
    assert {"Get my softphone at Acme Dental", "Get my softphone at Other Inc"} <= set(buttons(page))
    press(browser, page, "at Other Inc")
    assert Softphone.objects.get().account == other


def test_one_that_could_not_be_made_says_why_and_can_be_tried_again(sandbox, browser, drain, settings):
    settings.CHANGE_ATTEMPTS = 1
    sandbox.faults.add("500", method="PUT", path="/devices")
    press(browser, browser.get("/"), GET)
    drain()
    phone = Softphone.objects.get()
    assert "Could not be made" in words(browser.get("/"))
    page = browser.get(f"/softphones/{phone.pk}/")
    assert "The softphone could not be made" in words(card(page))
    assert Change.objects.get().error in words(card(page))
    again = press(browser, page, "Try again")
    assert "The softphone is being made" in words(card(again))
    drain()
    drain()
    assert soup(browser.get(f"/softphones/{phone.pk}/")).select(".steps")
    assert len(softphones_of(sandbox)) == 1


def test_one_that_costs_something_waits_for_the_company_to_agree(sandbox, browser, drain):
    sandbox.faults.add("402", method="PUT", path="/devices")
    press(browser, browser.get("/"), GET)
    drain()
    phone = Softphone.objects.get()
    assert "Waiting for your company" in words(browser.get("/"))
    page = browser.get(f"/softphones/{phone.pk}/")
    assert "Your company has to agree to a charge for this first. An administrator decides: ask your helpdesk." in words(page)


def test_one_that_waits_for_the_phone_system_is_not_said_to_be_on_its_way(sandbox, browser, drain):
    sandbox.faults.add("423", times=None)
    press(browser, browser.get("/"), GET)
    drain(seconds=0.1)
    assert "Not made yet" in words(browser.get("/"))
    assert "Being made" not in words(browser.get("/"))
    shown = words(card(browser.get(f"/softphones/{Softphone.objects.get().pk}/")))
    assert "The softphone is not made yet Changes don’t get through right now. Nothing is lost" in shown


def test_one_of_a_paused_import_is_not_said_to_be_on_its_way(browser, account, owner):
    now = timezone.now()
    batch = Import.objects.create(account=account, name="phones.csv", sha256="0" * 64, state="paused", created_at=now)
    changes.create(account=account, name="Alice's", owner=owner, by=None, urgent=False, batch=batch.batch, now=now)
    assert "Not made yet" in words(browser.get("/"))
    shown = words(card(browser.get(f"/softphones/{Softphone.objects.get().pk}/")))
    assert "The softphone is not made yet Your company has paused this. Nothing is lost: it goes on later." in shown


def test_of_an_import_that_costs_something_every_phone_waits_for_the_company(sandbox, browser, account, owner, drain, settings):
    settings.DRAIN_WIDTH = settings.DRAIN_BULK_WIDTH = 1
    sandbox.faults.add("402", times=None)
    for number in range(2):
        wish = {"owner": owner, "by": None, "urgent": False, "batch": "import:7", "now": timezone.now()}
        changes.create(account=account, name=f"Phone {number}", **wish)
    drain()
    assert words(browser.get("/")).count("Waiting for your company") == 2


def test_one_that_is_made_switched_off_is_first_of_all_not_made(browser, account, owner):
    changes.create(account=account, name="Alice's", owner=owner, by=None, enabled=False, now=timezone.now())
    assert "Being made…" in words(browser.get("/"))
    assert "The softphone is being made" in words(card(browser.get(f"/softphones/{Softphone.objects.get().pk}/")))


def test_where_nobody_can_try_again_the_helpdesk_is_named(browser, sandbox, account, owner, drain):
    admin = make_user("adam@acme.example", account=account, role="admin")
    sandbox.faults.add("402", method="PUT", path="/devices")
    change = changes.create(account=account, name="Alice's", owner=owner, by=admin, now=timezone.now())
    drain()
    changes.decline(change=change, by=admin, now=timezone.now())
    page = browser.get(f"/softphones/{change.softphone_id}/")
    assert "Your helpdesk can see why" in words(page)
    assert "try again" not in words(soup(page).main)


def test_one_whose_charges_were_declined_is_no_phone_and_can_be_asked_for_anew_but_not_for_ever(
    sandbox, browser, account, owner, drain
):
    account.quota = 1
    account.save()
    admin = make_user("adam@acme.example", account=account, role="admin")
    sandbox.faults.add("402", method="PUT", path="/devices", times=None)
    for _time in range(3):
        press(browser, browser.get("/"), GET)
        drain()
        [phone] = Softphone.objects.present()
        create = Change.objects.get(softphone=phone)
        changes.decline(change=create, by=admin, now=timezone.now())
        page = words(browser.get(f"/softphones/{phone.pk}/"))
        assert "The charges were declined." in page
        assert "Try again" not in page
        assert browser.post(f"/changes/{create.pk}/again/").status_code == 404
    assert "You have asked for 3 new softphones within a day" in words(browser.get("/"))
    assert softphones_of(sandbox) == []


def test_a_press_after_the_session_ended_leads_back_to_the_page(client, owner):
    answer = client.post("/softphones/new/", {"owner": owner.pk}, headers={"Referer": "http://testserver/"})
    assert answer["Location"] == "/sign-in/?next=%2F"
