"""Many phones are looked at once, before something is done that depends on who is connected."""

import pytest

from softphones import lights
from softphones.models import Lease, Softphone

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 430


@pytest.fixture
def phones(world):
    return [world.phone(f"phone.{number:04}") for number in range(MANY)]


def states() -> dict[bool | None, int]:
    seen = list(Softphone.objects.values_list("registered", flat=True))
    return {state: seen.count(state) for state in (True, False, None)}


def test_all_of_them_are_seen_with_as_many_calls_as_it_takes(world, phones):
    for phone in phones[::100]:
        world.register(phone, ago=60)
    lights.survey(account=world.account, softphones=phones, now=world.now)
    assert states() == {True: 5, False: MANY - 5, None: 0}
    assert len(world.calls()) == 3


def test_what_audian_does_not_tell_stays_as_it_was(world):
    was = world.phone("was", registered=True)
    never = world.phone("never")
    world.sandbox.faults.add("html_502", path="/devices", times=10)
    lights.survey(account=world.account, softphones=[was, never], now=world.now)
    assert states() == {True: 1, False: 0, None: 1}


def test_it_waits_until_nobody_else_is_in_the_door_but_not_for_ever(world, settings):
    settings.LIGHT_SURVEY_DEADLINE = 0.5
    phone = world.phone()
    lights.leases.take(f"lights:{world.account.pk}", 60)
    lights.survey(account=world.account, softphones=[phone], now=world.now)
    assert states() == {True: 0, False: 0, None: 1}
    Lease.objects.all().delete()
    lights.survey(account=world.account, softphones=[phone], now=world.now)
    assert states() == {True: 0, False: 1, None: 0}


def test_phones_that_can_not_connect_cost_no_call(world):
    off = world.phone(enabled=False)
    lights.survey(account=world.account, softphones=[off], now=world.now)
    assert world.calls() == []
