"""Resets that were sent along with other wishes, which then failed or wait: the old password ends all the same."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones.models import Change
from softphones.views.setup_page import began
from tests.changes.conftest import PASSWORD, again
from tests.factories import make_owner

State = Change.State
GIVEN_AWAY = {"owner_id": "f" * 32}


def password_of(sandbox, phone) -> str:
    return sandbox.device(phone.audian_id)["sip"]["password"]


def test_a_reset_that_is_tried_again_with_a_renaming_draws_another_password(sandbox, phone, ask, drain, settings):
    settings.CHANGE_ATTEMPTS = 1
    ask.update(phone, GIVEN_AWAY, {"owner_id": "e" * 32})  # somebody else was there first
    renaming, reset = ask.rename(phone, "Lobby"), ask.reset(phone)
    sandbox.faults.add("500", method="POST", times=None)
    drain()
    assert again(reset).state == again(renaming).state == State.FAILED
    sandbox.faults.clear()
    ask.try_again(reset)
    drain()
    assert again(reset).state == again(renaming).state == State.DONE
    assert password_of(sandbox, phone) != PASSWORD
    assert again(phone).password == password_of(sandbox, phone)


@pytest.fixture
def drain_asked_once(sandbox, drain):
    """Send what waits; Audian asks for charges for the first of it alone."""
    sandbox.faults.add("402", method="POST")
    return lambda: drain(step=lambda step, _change: sandbox.faults.clear() if step == "recorded" else None)


@pytest.mark.parametrize("asked_before", [True, False], ids=["before_the_question", "after_it"])
def test_a_lost_phone_does_not_wait_for_the_charges_of_something_else(
    sandbox, phone, ask, drain, drain_asked_once, asked_before
):
    gift = ask.update(phone, GIVEN_AWAY)
    reset = ask.reset(phone) if asked_before else None
    drain_asked_once()
    assert again(gift).state == State.HELD
    reset = reset or ask.reset(phone)
    drain()
    assert (again(gift).state, again(reset).state) == (State.HELD, State.DONE)
    between = password_of(sandbox, phone)
    assert between != PASSWORD
    ask.accept(gift)
    drain()
    assert again(gift).state == State.DONE
    assert password_of(sandbox, phone) not in (PASSWORD, between), "whom it is given to shares no password with the one before"


def test_declined_charges_end_what_they_were_for_and_no_reset(sandbox, phone, ask, drain_asked_once):
    gift, reset = ask.update(phone, GIVEN_AWAY), ask.reset(phone)
    drain_asked_once()
    ask.decline(gift)
    assert (again(gift).state, again(reset).state) == (State.FAILED, State.DONE)
    assert password_of(sandbox, phone) != PASSWORD


@pytest.mark.parametrize("act", ["reset", "give away"])
def test_a_set_up_begins_anew_with_each_new_password(account, phone, ask, drain, act):
    opened_at = timezone.now() - timedelta(minutes=1)
    assert began(phone, opened_at) == opened_at
    change = (
        ask.reset(phone)
        if act == "reset"
        else ask.update(phone, {"owner_id": make_owner(account, "bob@acme.example").audian_id})
    )
    drain()
    assert began(phone, opened_at) == again(change).finished_at
