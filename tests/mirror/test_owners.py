"""People at Audian: whose phone it is, who may come in, and whose address changed."""

import pytest
from django.utils import timezone

from softphones import search
from softphones.models import Owner
from tests.factories import make_user
from tests.mirror.conftest import look, owner, phone, plant_person, plant_phone


@pytest.fixture
def alice(account, sandbox):
    """Alice at Audian, linked to her portal user. Returns Audian's id."""
    plant_phone(sandbox, owner=(person := plant_person(sandbox)))
    look(account)
    user = make_user("alice@acme.example", account=account)
    Owner.objects.filter(audian_id=person).update(user=user, linked_at=timezone.now())
    return person


def test_a_phone_without_an_owner_is_nobodys(account, sandbox):
    device = plant_phone(sandbox)
    look(account)
    assert (phone(device).owner, phone(device).owner_audian_id) == (None, "")


def test_a_phone_whose_owner_is_not_there_waits_for_them(account, sandbox):
    person = "a" * 32
    device = plant_phone(sandbox, owner=person)
    look(account)
    assert (phone(device).owner, phone(device).owner_audian_id) == (None, person)
    plant_person(sandbox, id=person)
    look(account)
    assert phone(device).owner == owner(person)


def test_a_phone_that_changes_hands_follows(account, sandbox):
    first, second = plant_person(sandbox), plant_person(sandbox, "Bob")
    device = plant_phone(sandbox, owner=first)
    look(account)
    sandbox.change_device(device, owner_id=second)
    look(account)
    assert phone(device).owner == owner(second)


@pytest.mark.parametrize(
    ("presence_id", "number"), [("1001", "1001"), ("alice", ""), ("", ""), ("1001@acme", ""), ("١٠٠١", ""), ("9" * 65, "")]
)
def test_only_digits_are_a_number(account, sandbox, presence_id, number):
    person = plant_person(sandbox, presence_id=presence_id)
    look(account)
    assert owner(person).number == number


def test_a_disabled_person_is_disabled_here(account, sandbox, alice):
    sandbox.change_user(alice, enabled=False)
    look(account)
    assert owner(alice).enabled is False


@pytest.mark.parametrize("email", ["ceo@acme.example", None, "alice@other.example"])
def test_a_changed_address_holds_the_person_and_drops_the_link(account, sandbox, alice, email):
    sandbox.change_user(alice, email=email)
    look(account)
    assert (owner(alice).hold, owner(alice).user) == (Owner.Hold.ADDRESS_CHANGED, None)


def test_an_address_that_only_changed_its_case_changes_nothing(account, sandbox, alice):
    sandbox.change_user(alice, email="ALICE@Acme.Example")
    look(account)
    assert (owner(alice).hold, owner(alice).email_folded) == ("", "alice@acme.example")
    assert owner(alice).user


def test_a_first_address_holds_nobody(account, sandbox):
    person = plant_person(sandbox, email=None)
    look(account)
    sandbox.change_user(person, email="alice@acme.example")
    look(account)
    assert owner(person).hold == ""


def test_the_way_over_no_address_at_all_is_held_too(account, sandbox, alice):
    sandbox.change_user(alice, email=None)
    look(account)
    sandbox.change_user(alice, email="mallory@evil.example")
    look(account)
    assert owner(alice).hold == Owner.Hold.ADDRESS_CHANGED


def test_a_hold_stays_when_the_old_address_comes_back(account, sandbox, alice):
    sandbox.change_user(alice, email="other@acme.example")
    look(account)
    sandbox.change_user(alice, email="alice@acme.example")
    look(account)
    assert owner(alice).hold == Owner.Hold.ADDRESS_CHANGED


def test_a_link_falls_even_if_the_run_fails_after_the_people(account, sandbox, alice):
    sandbox.change_user(alice, email="ceo@acme.example")
    sandbox.faults.add("503", times=None, match="GET /devices")
    assert look(account).state == "failed"
    assert owner(alice).user is None


def test_who_left_loses_the_link(account, sandbox, alice):
    plant_person(sandbox, "Bob")
    sandbox.remove_user(alice)
    look(account)
    assert (owner(alice).user, owner(alice).hold) == (None, Owner.Hold.LINK_FELL)


def test_a_phone_that_went_to_another_person_finds_that_one_and_not_the_first(account, sandbox):
    first, second = plant_person(sandbox), plant_person(sandbox, "Bob", "Jones")
    device = plant_phone(sandbox, "user_x1", first, name="Laptop upstairs", caller_id={})
    look(account)
    assert search.find(account=account, text="upstairs laptop").owners == [owner(first).pk]
    sandbox.change_device(device, owner_id=second)
    look(account)
    assert search.find(account=account, text="upstairs laptop").owners == [owner(second).pk]
    assert search.find(account=account, text="jones upstairs").owners == [owner(second).pk]
    assert not search.find(account=account, text="alice upstairs")
    sandbox.change_device(device, owner_id=None)
    look(account)
    found = search.find(account=account, text="upstairs")
    assert (found.owners, found.softphones) == ([], [phone(device).pk])
