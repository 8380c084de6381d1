"""The page of a change in flight says what is really so, by itself, to whom it concerns."""

import json

import pytest
from django.utils import timezone

from softphones import changes, leases, vitals
from softphones.models import Change, Lease, Pause
from tests.pages.conftest import soup, words
from tests.self_service.conftest import HTMX, press
from tests.staffing import staff_browser


@pytest.fixture(autouse=True)
def one_attempt(settings):
    settings.CHANGE_ATTEMPTS = 1


@pytest.fixture
def rename(phone, alice):
    """Alice asks for another name."""
    return lambda name="Alice's laptop", **more: changes.update(
        softphone=phone, values={"name": name}, seen={"name": phone.name}, **{"by": alice, "now": timezone.now()} | more
    )


def card(response):
    return soup(response).select_one(".change")


def test_one_that_waits_says_its_place_and_looks_again_by_itself(browser, account, rename, plant):
    for number in range(3):
        other = plant(None, name=f"Phone {number}", username=f"user_{number}")
        changes.reset_password(softphone=other, by=None, now=timezone.now())
    change = rename()
    found = card(browser.get(f"/changes/{change.pk}/"))
    assert "Waiting: 3 changes go first." in words(found)
    assert found["hx-get"].startswith(f"/changes/{change.pk}/?shown=")
    assert found["hx-trigger"].startswith("every ")
    assert words(found.select_one("noscript a")) == "Look again"


def test_it_answers_nothing_while_nothing_is_new_then_says_that_audian_confirmed_it(browser, rename, drain):
    change = rename()
    address = card(browser.get(f"/changes/{change.pk}/"))["hx-get"]
    assert browser.get(address, headers=HTMX).status_code == 204
    drain()
    answer = browser.get(address, headers=HTMX)
    assert "The change is saved Done: Audian confirmed it." in words(answer)
    assert "hx-get" not in card(answer).attrs
    assert json.loads(answer["HX-Trigger"]) == {"say": "The change is saved. Done: Audian confirmed it."}


def test_one_whose_worker_died_is_not_said_to_be_sent(browser, rename, account, drain):
    change = rename()
    Change.objects.update(state="sending")
    page = f"/changes/{change.pk}/"
    with_lease = leases.take(f"changes:{account.pk}")
    assert "Being sent to Audian." in words(browser.get(page))
    with_lease.release()
    assert "Sending it was interrupted. It goes on by itself" in words(browser.get(page))
    Lease.objects.filter(name=vitals.SWEPT).delete()
    assert "The change is not saved yet Changes don’t get through right now." in words(card(browser.get(page)))
    Change.objects.update(state="queued")
    assert "The change is not saved yet Changes don’t get through right now." in words(card(browser.get(page)))
    drain()
    assert "Done: Audian confirmed it." in words(browser.get(page))


def test_one_that_fails_says_why_and_goes_on_when_told_to(sandbox, browser, phone, rename, drain):
    sandbox.faults.add("500", method="POST", path="/devices")
    change = rename()
    drain()
    page = browser.get(f"/changes/{change.pk}/")
    assert "The change could not be saved" in words(card(page))
    assert change.__class__.objects.get(pk=change.pk).error in words(card(page))
    sandbox.faults.clear()
    again = press(browser, page, "Try again", follow=False)
    assert (again.status_code, again["Location"]) == (302, f"/softphones/{phone.pk}/")
    drain()
    assert "The change is saved" in words(browser.get(f"/changes/{change.pk}/"))
    assert sandbox.device(phone.audian_id)["name"] == "Alice's laptop"


def test_a_second_press_of_try_again_changes_nothing(sandbox, browser, rename, drain):
    sandbox.faults.add("500", method="POST", path="/devices")
    change = rename()
    drain()
    page = browser.get(f"/changes/{change.pk}/")
    press(browser, page, "Try again")
    second = browser.post(f"/changes/{change.pk}/again/", headers=HTMX)
    assert "The change is being saved" in words(second)
    drain()
    assert browser.post(f"/changes/{change.pk}/again/", headers=HTMX).status_code == 200
    change.refresh_from_db()
    assert change.state == "done"


def test_what_somebody_else_changed_meanwhile_is_shown_beside_it_and_overwritten_only_on_purpose(
    sandbox, browser, phone, rename, drain
):
    sandbox.change_device(phone.audian_id, name="Reception")
    change = rename()
    drain()
    page = browser.get(f"/changes/{change.pk}/")
    cells = [words(cell) for cell in card(page).select("dd")]
    assert cells == ["Alice's laptop", "Alice Smith - softphone", "Reception"]
    press(browser, page, "Apply mine anyway")
    drain()
    assert sandbox.device(phone.audian_id)["name"] == "Alice's laptop"


def test_trouble_of_the_account_is_told_plainly_to_its_people_and_in_full_to_its_staff(
    sandbox, browser, account, rename, drain
):
    sandbox.faults.add("403", times=None, path="/devices")
    change = rename()
    drain(seconds=0.1)
    assert Pause.objects.get().reason
    own = words(card(browser.get(f"/changes/{change.pk}/")))
    assert "The change is not saved yet Changes don’t get through right now. Nothing is lost" in own
    assert Pause.objects.get().reason not in own
    assert Pause.objects.get().reason in words(staff_browser(account, "helpdesk").get(f"/acme/changes/{change.pk}/"))


def test_one_that_costs_something_waits_for_the_company(sandbox, browser, account, rename, drain):
    sandbox.faults.add("402", method="POST", path="/devices")
    change = rename()
    drain()
    assert "Your company has to agree to a charge for this first" in words(card(browser.get(f"/changes/{change.pk}/")))
    for role, decides in (("admin", True), ("helpdesk", False)):
        page = staff_browser(account, role).get(f"/acme/changes/{change.pk}/")
        assert "accept or decline" in words(card(page))
        assert ("See what it costs" in words(card(page))) == decides


def test_a_page_that_asked_for_it_is_loaded_anew_when_the_change_has_ended(browser, rename, drain):
    change = rename()
    address = f"/changes/{change.pk}/?then=refresh&shown=x"
    assert "then=refresh" in card(browser.get(address, headers=HTMX))["hx-get"]
    drain()
    assert browser.get(address, headers=HTMX)["HX-Refresh"] == "true"


def test_a_decision_of_others_is_waited_for_more_slowly_and_turns_the_page_once(sandbox, browser, rename, drain):
    change = rename()
    sandbox.faults.add("402", method="POST", path="/devices")
    drain()
    address = f"/changes/{change.pk}/?then=refresh"
    assert browser.get(f"{address}&shown=waiting-1", headers=HTMX)["HX-Refresh"] == "true"
    held = card(browser.get(address))
    assert held["hx-trigger"].startswith("every 10s")
    assert browser.get(held["hx-get"], headers=HTMX).status_code == 204
    changes.accept(change=change, by=change.asked_by, now=timezone.now())
    assert browser.get(held["hx-get"], headers=HTMX)["HX-Refresh"] == "true"


def test_nobody_else_learns_that_it_exists(signed_in, rename, bob, mallory, account):
    change = rename()
    for user in (bob, mallory):
        client = signed_in(user)
        for address in (f"/changes/{change.pk}/", f"/acme/changes/{change.pk}/"):
            assert client.get(address).status_code == 404
            assert client.post(f"{address}again/").status_code == 404


def test_staff_of_another_account_do_not_find_it(rename, mallory):
    change = rename()
    client = staff_browser(mallory.memberships.get().account, "admin", "eve@evil.example")
    assert client.get(f"/evil/changes/{change.pk}/").status_code == 404
    assert client.get(f"/acme/changes/{change.pk}/").status_code == 404


def test_helpdesk_sends_again_what_it_could_have_asked_for_and_nothing_else(sandbox, account, phone, alice, drain):
    admin = staff_browser(account, "admin")
    sandbox.faults.add("500", method="POST", path="/devices", times=2)
    caller = {"values": {"caller_id_number": "1009"}, "seen": {}}
    of_admin = changes.update(softphone=phone, by=admin.user, now=timezone.now(), **caller)
    drain()
    reset = changes.reset_password(softphone=phone, by=admin.user, now=timezone.now())
    drain()
    helpdesk = staff_browser(account, "helpdesk")
    assert "Try again" not in words(helpdesk.get(f"/acme/changes/{of_admin.pk}/"))
    assert helpdesk.post(f"/acme/changes/{of_admin.pk}/again/").status_code == 404
    assert "Try again" in words(helpdesk.get(f"/acme/changes/{reset.pk}/"))
    assert helpdesk.post(f"/acme/changes/{reset.pk}/again/").status_code == 302
    assert admin.post(f"/acme/changes/{of_admin.pk}/again/").status_code == 302


def test_people_do_not_send_again_what_others_asked_for(sandbox, browser, phone, account, drain):
    sandbox.faults.add("500", method="POST", path="/devices")
    change = changes.update(softphone=phone, values={"name": "Other"}, seen={}, by=None, now=timezone.now())
    drain()
    assert "Try again" not in words(browser.get(f"/changes/{change.pk}/"))
    assert browser.post(f"/changes/{change.pk}/again/").status_code == 404


def test_a_name_that_stays_does_not_hide_what_failed_before(sandbox, account, browser, phone, owner, rename, drain):
    sandbox.faults.add("500", method="POST", path="/devices")
    rename()
    drain()
    page = press(browser, browser.get(f"/softphones/{phone.pk}/"), "Rename")
    assert "Nothing changed: it is as you want it already." in words(page)
    helen = staff_browser(account, "helpdesk")
    assert "The change could not be saved" in words(browser.get(f"/softphones/{phone.pk}/"))
    assert "The last change did not come about." in words(helen.get(f"/acme/people/{owner.pk}/"))
    assert "1 change failed" in words(helen.get("/acme/"))
    assert phone.name in words(helen.get("/acme/softphones/?trouble=failed"))
