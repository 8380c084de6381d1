"""What the pages before a cut say of the app that is connected: what is so now, as far as anybody can see."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from softphones.models import Change, Owner, Softphone
from tests.helpdesk.conftest import times_in
from tests.pages.conftest import HTMX, soup, words

UNSEEN = "We can’t see whether an app is connected with it."
NOBODY = "No app is connected with it now."


@pytest.fixture(params=["softphones/{phone}/reset/", "softphones/{phone}/off/", "people/{person}/close/"])
def address(request, alices_owner, alices_phone):
    Owner.objects.update(enabled=False)  # so that her phones can be closed, too
    return "/acme/" + request.param.format(phone=alices_phone.pk, person=alices_owner.pk)


@pytest.fixture
def look(helpdesk, address):
    """What the page says it cuts; `again` as it does by itself while it is open, from the part that it shows."""

    def what(again=None):
        path = soup(again).select_one("#cut")["hx-get"] if again else address
        return helpdesk.get(path, headers=HTMX if again else {})

    return what


@pytest.fixture
def audian_is_silent(sandbox):
    return lambda: sandbox.faults.add("503", times=None)


def said(page) -> str:
    return words(soup(page).select_one("#cut"))


def ends(text: str, page) -> bool:
    """The page of a leaver names each phone first."""
    return said(page).endswith(text)


def moved_from(page, look):
    """The part as it is once it shows something else."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        if (answer := look(again=page)).status_code == 200:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"It never said anything but {said(page)}")


def seen(registered: bool, minutes: float, **more):
    at = timezone.now() - timedelta(minutes=minutes)
    Softphone.objects.update(registered=registered, seen_at=at, **more)
    return at


def times(page) -> list:
    return times_in(soup(page).select_one("#cut"))


def test_an_app_that_nobody_looked_for_yet_is_found_and_soon_named(look, sandbox, alices_phone, settings):
    settings.LIGHT_ONE_EVERY = 0.2
    began = timezone.now().replace(microsecond=0) - timedelta(hours=2)
    sandbox.register(alices_phone.audian_id, user_agent="Zoiper v5.6.4", at=began.timestamp())
    page = look()
    assert ends("This disconnects the app that is connected now.", page)
    page = moved_from(page, look)
    assert "This disconnects Zoiper v5.6.4, connected since" in said(page)
    assert times(page) == [began]


def test_where_none_is_that_is_said(look):
    assert ends(NOBODY, look())


def test_what_nobody_can_see_is_not_said_to_be_gone(look, audian_is_silent):
    audian_is_silent()
    assert ends(UNSEEN, look())


def test_what_was_seen_a_while_ago_is_told_with_its_time(look, audian_is_silent):
    audian_is_silent()
    at = seen(True, minutes=3, registered_agent="Zoiper v5.6.4")
    page = look()
    assert f"{UNSEEN} One was, at" in said(page)
    assert times(page) == [at]
    at = seen(False, minutes=3)
    page = look()
    assert f"{UNSEEN} None was, at" in said(page)
    assert times(page) == [at]


def test_what_was_seen_a_while_ago_is_looked_at_anew(look, sandbox, alices_phone):
    seen(False, minutes=3)
    sandbox.register(alices_phone.audian_id)
    assert "This disconnects" in said(look())


def test_a_phone_that_is_switched_off_has_nobody(look):
    seen(True, minutes=3, enabled=False)
    assert "switched off" in said(look()).lower()
    assert "see" not in said(look())


def test_an_open_page_moves_by_itself_and_its_form_stays(look, sandbox, alices_phone):
    page = look()
    assert look(again=page).status_code == 204
    sandbox.register(alices_phone.audian_id)
    moved = look(again=page)
    assert "This disconnects" in said(moved)
    assert not soup(moved).select("form, h1")
    sandbox.unregister(alices_phone.audian_id)
    assert ends(NOBODY, look(again=moved))


def test_a_page_that_was_left_open_stops_looking_and_claims_nothing(look, sandbox, alices_phone, time_machine_at):
    sandbox.register(alices_phone.audian_id)
    page = look()
    with time_machine_at(timezone.now() + timedelta(minutes=16)):
        stopped = look(again=page)
        assert f"{UNSEEN} One was, at" in said(stopped)
        assert ends("We stopped looking. Look again", stopped)
        assert "hx-trigger" not in stopped.text


def test_a_page_that_nobody_opened_is_not_looked_at_for_ever(helpdesk, address, look, sandbox, alices_phone):
    look()
    sandbox.register(alices_phone.audian_id)
    for looking in ("", "forged", "1234567890:1abcde:signature"):
        answer = helpdesk.get(f"{address}?looking={looking}", headers=HTMX)
        assert "We stopped looking." in said(answer)
        assert NOBODY in said(answer) or UNSEEN in said(answer)


class TestSeveralPhonesOfALeaver:
    """Their page says of each phone what closing cuts off."""

    @pytest.fixture
    def second(self, plant, alices_owner, alices_phone, settings):
        settings.LIGHT_LIST_EVERY = 0
        Owner.objects.update(enabled=False)
        return plant(alices_owner, "Alice's mobile", "user_alice_2")

    @pytest.fixture
    def page(self, helpdesk, alices_owner, second):
        return helpdesk.get(f"/acme/people/{alices_owner.pk}/close/")

    def test_each_is_looked_at(self, helpdesk, sandbox, alices_owner, second):
        sandbox.register(second.audian_id)
        page = helpdesk.get(f"/acme/people/{alices_owner.pk}/close/")
        assert (
            said(page)
            == f"Alice's laptop · 1001 {NOBODY} Alice's mobile · 1001 This disconnects the app that is connected now."
        )

    def test_what_becomes_of_any_is_told(self, page, helpdesk, sandbox, second):
        sandbox.register(second.audian_id)
        assert "This disconnects" in said(helpdesk.get(soup(page).select_one("#cut")["hx-get"], headers=HTMX))

    def test_it_goes_on_looking_when_a_phone_appears_that_comes_first(self, page, helpdesk, plant, alices_owner):
        plant(alices_owner, "A desk phone", "user_alice_3")
        moved = helpdesk.get(soup(page).select_one("#cut")["hx-get"], headers=HTMX)
        assert said(moved).startswith("A desk phone")
        assert "stopped looking" not in said(moved)

    def test_what_one_page_was_given_opens_no_other(self, page, helpdesk, alices_phone):
        query = soup(page).select_one("#cut")["hx-get"].partition("?")[2]
        other = helpdesk.get(f"/acme/softphones/{alices_phone.pk}/reset/?{query}", headers=HTMX)
        assert "We stopped looking." in said(other)


def test_also_where_it_could_see_nothing_before(look, audian_is_silent, time_machine_at):
    audian_is_silent()
    page = look()
    with time_machine_at(timezone.now() + timedelta(minutes=16)):
        assert said(look(again=page)) == f"{said(page)} We stopped looking. Look again"


def test_a_form_that_a_script_sends_is_not_taken_for_a_look(helpdesk, address):
    helpdesk.post(address, {"key": "one"}, headers=HTMX)
    assert Change.objects.exists()


def test_looking_again_goes_on(helpdesk, look, sandbox, alices_phone, time_machine_at):
    page = look()
    sandbox.register(alices_phone.audian_id)
    with time_machine_at(timezone.now() + timedelta(minutes=16)):
        link = soup(look(again=page)).select_one("#cut a")["hx-get"]
        goes_on = helpdesk.get(link, headers=HTMX)
        assert "This disconnects" in said(goes_on)
        assert soup(goes_on).select_one("#cut")["hx-trigger"]
