"""A listing is not a snapshot: what moves while it runs is neither lost, nor doubled, nor overwritten."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones.models import Change, Softphone
from tests.mirror.conftest import look, phone, plant_phone, plant_phones, present


@pytest.fixture(autouse=True)
def _small_pages(settings):
    settings.API_PAGE_SIZE = 3


def at_page(sandbox, number, act):
    """Have `act` happen at Audian just before the page of this number is answered."""
    asked = iter(range(1, 1000))

    def watch(method, path):
        if path.endswith("/devices") and next(asked) == number:
            act()

    sandbox.on_request(watch)


def unfinished(softphone, kind=Change.Kind.UPDATE, state=Change.State.QUEUED) -> Change:
    return Change.objects.create(account=softphone.account, softphone=softphone, kind=kind, state=state)


@pytest.mark.parametrize("state", Change.UNFINISHED)
def test_a_phone_with_an_unfinished_change_is_left_alone(account, sandbox, state):
    device = plant_phone(sandbox)
    look(account)
    unfinished(phone(device), state=state)
    sandbox.change_device(device, name="Somebody else's name")
    run = look(account)
    assert phone(device).name == "Alice Smith - softphone"
    assert (run.updated, run.unchanged) == (0, 1)


def test_a_finished_change_holds_nothing_back(account, sandbox):
    device = plant_phone(sandbox)
    look(account)
    unfinished(phone(device), state=Change.State.DONE)
    sandbox.change_device(device, name="A new name")
    look(account)
    assert phone(device).name == "A new name"


def test_a_phone_written_since_the_run_began_is_left_alone(account, sandbox):
    device = plant_phone(sandbox)
    look(account)
    Softphone.objects.update(written_at=timezone.now() + timedelta(seconds=5))
    sandbox.change_device(device, name="An older name")
    look(account)
    assert phone(device).name == "Alice Smith - softphone"


@pytest.mark.parametrize("written", [True, False])
def test_a_missing_phone_with_a_change_or_written_just_now_is_left_alone(account, sandbox, written):
    stays, device = plant_phone(sandbox, "user_stays"), plant_phone(sandbox)
    look(account)
    if written:
        Softphone.objects.update(written_at=timezone.now() + timedelta(seconds=5))
    else:
        unfinished(phone(device))
    sandbox.remove_device(device)
    sandbox.calls.clear()
    assert look(account).gone == 0
    assert present() == {stays, device}
    assert f"/devices/{device}" not in [call.below for call in sandbox.calls], "nobody asks for it either"


def test_a_phone_created_while_the_listing_runs_is_there_after_the_next_run_at_the_latest(account, sandbox):
    planted = set(plant_phones(sandbox, 7))
    at_page(sandbox, 2, lambda: planted.add(plant_phone(sandbox, "user_new", id="f" * 32)))
    assert look(account).state == "complete"
    assert look(account).state == "complete"
    assert present() == planted
    assert Softphone.objects.count() == 8


def test_a_phone_renamed_while_the_listing_runs_is_one_phone(account, sandbox):
    planted = plant_phones(sandbox, 7)
    at_page(sandbox, 2, lambda: sandbox.change_device(planted[0], name="Renamed meanwhile"))
    look(account)
    look(account)
    assert present() == set(planted)
    assert phone(planted[0]).name == "Renamed meanwhile"


def test_phones_deleted_while_the_listing_runs_are_gone_after_the_next_run(account, sandbox):
    planted = sorted(plant_phones(sandbox, 7))
    look(account)
    at_page(sandbox, 2, lambda: [sandbox.remove_device(planted[0]), sandbox.remove_device(planted[-1])])
    look(account)
    run = look(account)
    assert run.state == "complete"
    assert present() == set(planted[1:-1])


def test_a_phone_that_a_shifted_page_left_out_is_kept(account, sandbox):
    planted = plant_phones(sandbox, 7)
    look(account)
    hidden = max(planted)  # lists go downwards, so it stands on the first page
    # It is out of the list while its page is read, as rows are when pages shift.
    at_page(sandbox, 1, lambda: sandbox.change_device(hidden, device_type="sip_device"))
    at_page(sandbox, 2, lambda: sandbox.change_device(hidden, device_type="softphone"))
    run = look(account)
    assert (run.state, run.gone) == ("complete", 0)
    assert hidden in present()
    assert "Kept" in run.message
