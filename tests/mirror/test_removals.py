"""What is missing goes only after a complete listing, within the guard, and when its own GET says so."""

import pytest
from django.utils import timezone

from softphones import setup_links
from softphones.models import SearchWord, SetupLink, Softphone, SyncRun
from tests.factories import make_account, make_user
from tests.mirror.conftest import look, owner, phone, plant_person, plant_phone, plant_phones, present


def test_a_deleted_phone_leaves_a_tombstone_without_password_and_words(account, sandbox):
    stays, leaves = plant_phone(sandbox, "user_stays"), plant_phone(sandbox, "user_leaves")
    look(account)
    sandbox.remove_device(leaves)
    run = look(account)
    assert (run.state, run.gone) == ("complete", 1)
    assert present() == {stays}
    assert phone(leaves).gone_at
    assert phone(leaves).password is None
    assert not SearchWord.objects.filter(softphone=phone(leaves)).exists()


def test_a_phone_that_comes_back_is_the_same_row_with_its_password_and_words(account, sandbox):
    plant_phone(sandbox, "user_stays")
    device = plant_phone(sandbox)
    look(account)
    before, document = phone(device), sandbox.device(device)
    sandbox.remove_device(device)
    look(account)
    sandbox.add_device(**document)
    look(account)
    assert phone(device).pk == before.pk
    assert (phone(device).gone_at, phone(device).password) == (None, "wP7kq3hTz9mB")
    assert SearchWord.objects.filter(softphone=before, word="alice").exists()


def test_as_many_as_the_guard_allows_go_without_a_question(account, sandbox):
    planted = plant_phones(sandbox, 30)
    look(account)
    for device in planted[:10]:
        sandbox.remove_device(device)
    run = look(account)
    assert (run.state, run.gone) == ("complete", 10)


def test_one_more_is_held_and_named(account, sandbox):
    planted = plant_phones(sandbox, 30)
    look(account)
    for device in planted[:11]:
        sandbox.remove_device(device)
    sandbox.calls.clear()
    run = look(account)
    assert (run.state, run.gone) == ("held", 0)
    assert present() == set(planted)
    assert set(run.removals) == {phone(device).pk for device in planted[:11]}
    assert run.message.startswith("11 softphones would be removed")
    assert not [call for call in sandbox.calls if "/devices/" in call.below], "nobody was asked for before the guard spoke"


def test_in_a_large_account_a_share_may_go(account, sandbox):
    account.removal_guard_percent = 50
    account.save()
    planted = plant_phones(sandbox, 30)
    look(account)
    for device in planted[:15]:
        sandbox.remove_device(device)
    assert look(account).gone == 15


def test_new_and_changed_phones_arrive_although_removals_are_held(account, sandbox):
    planted = plant_phones(sandbox, 20)
    look(account)
    for device in planted[:15]:
        sandbox.remove_device(device)
    sandbox.change_device(planted[19], name="Renamed")
    new = plant_phone(sandbox, "user_new")
    assert look(account).state == "held"
    assert phone(planted[19]).name == "Renamed"
    assert new in present()


def test_an_empty_listing_removes_nothing(account, sandbox):
    planted = plant_phones(sandbox, 3)
    look(account)
    sandbox.faults.add("empty_listing", match="GET /devices$")
    run = look(account)
    assert (run.state, run.gone) == ("held", 0)
    assert "empty" in run.message
    assert present() == set(planted)


def test_a_later_good_run_ends_a_hold_by_itself(account, sandbox):
    planted = plant_phones(sandbox, 3)
    look(account)
    sandbox.faults.add("empty_listing", match="GET /devices$")
    look(account)
    run = look(account)
    assert (run.state, run.unchanged, run.removals) == ("complete", 3, [])
    assert present() == set(planted)


def test_accepted_removals_happen_and_no_others(account, sandbox):
    planted = plant_phones(sandbox, 40)
    look(account)
    for device in planted[:15]:
        sandbox.remove_device(device)
    held = look(account)
    for device in planted[15:30]:
        sandbox.remove_device(device)
    run = look(account, accept_removals=held.pk)
    assert (run.state, run.gone) == ("held", 15)
    assert present() == set(planted[15:])
    assert set(run.removals) == {phone(device).pk for device in planted[15:30]}


def test_an_account_that_was_emptied_on_purpose_can_be_accepted(account, sandbox):
    planted = plant_phones(sandbox, 3)
    look(account)
    for device in planted:
        sandbox.remove_device(device)
    held = look(account)
    run = look(account, accept_removals=held.pk)
    assert (held.state, run.state, present()) == ("held", "complete", set())


def test_an_accepted_phone_that_is_still_at_audian_stays(account, sandbox):
    planted = plant_phones(sandbox, 3)
    look(account)
    sandbox.faults.add("empty_listing", match="GET /devices$", times=2)
    held = look(account)
    run = look(account, accept_removals=held.pk)
    assert (held.state, run.state, run.gone) == ("held", "complete", 0)
    assert present() == set(planted)


def test_the_hold_of_another_account_releases_nothing(account, sandbox):
    planted = plant_phones(sandbox, 3)
    look(account)
    foreign = SyncRun.objects.create(
        account=make_account(),
        started_at=timezone.now(),
        state="held",
        removals=list(Softphone.objects.values_list("pk", flat=True)),
    )
    sandbox.faults.add("empty_listing", match="GET /devices$")
    assert look(account, accept_removals=foreign.pk).state == "held"
    assert present() == set(planted)


@pytest.mark.parametrize("fault", ["503", "html_502", "429", "cut_before", "403"])
def test_a_listing_that_breaks_off_removes_nothing(account, sandbox, settings, fault):
    settings.API_PAGE_SIZE = 2
    planted = plant_phones(sandbox, 6)
    look(account)
    sandbox.remove_device(planted[0])
    pages = iter(range(1, 100))

    def break_at_the_second_page(method, path):
        if path.endswith("/devices") and next(pages) == 2:
            sandbox.faults.add(fault, times=None, match="GET /devices")

    sandbox.on_request(break_at_the_second_page)
    assert look(account).state == "failed"
    assert present() == set(planted)


@pytest.mark.parametrize("fault", ["500", "503", "html_502", "html_200", "truncated_body"])
def test_only_a_good_answer_to_its_own_get_makes_a_missing_phone_gone(account, sandbox, fault):
    stays, device = plant_phone(sandbox, "user_stays"), plant_phone(sandbox)
    look(account)
    sandbox.remove_device(device)
    sandbox.faults.add(fault, times=None, match=f"GET /devices/{device}")
    look(account)
    assert present() == {stays, device}
    sandbox.faults.clear()
    look(account)
    assert present() == {stays}


def test_the_links_of_a_phone_that_is_gone_are_dead(account, sandbox):
    plant_phone(sandbox, "user_stays")
    device = plant_phone(sandbox)
    look(account)
    user = make_user("alice@acme.example", account=account)
    drawn = setup_links.draw(softphone=phone(device), user=user, ip=None, now=timezone.now())
    sandbox.remove_device(device)
    look(account)
    assert SetupLink.objects.get(pk=drawn.link.pk).revoked_at
    assert setup_links.look(token=drawn.token, now=timezone.now()) == "dead"


@pytest.mark.parametrize(
    ("change", "dies"),
    [
        ({"sip.password": "another9Secret"}, True),
        ({"enabled": False}, True),
        ({"owner_id": "0" * 32}, True),
        ({"name": "Only a name"}, False),
    ],
)
def test_a_link_ends_when_what_it_shows_has_changed(account, sandbox, change, dies):
    device = plant_phone(sandbox)
    look(account)
    user = make_user("alice@acme.example", account=account)
    drawn = setup_links.draw(softphone=phone(device), user=user, ip=None, now=timezone.now())
    sandbox.change_device(device, **change)
    look(account)
    assert bool(SetupLink.objects.get(pk=drawn.link.pk).revoked_at) is dies


def test_a_person_who_left_is_gone_and_comes_back_as_the_same(account, sandbox):
    plant_person(sandbox, "Bob")
    person = plant_person(sandbox)
    device = plant_phone(sandbox, owner=person)
    look(account)
    document, before = sandbox.user(person), owner(person)
    sandbox.remove_user(person)
    assert look(account).state == "complete"
    assert owner(person).gone_at
    assert phone(device).owner == before
    sandbox.add_user(**document)
    look(account)
    assert (owner(person).pk, owner(person).gone_at) == (before.pk, None)


def test_an_empty_list_of_people_removes_nobody(account, sandbox):
    person = plant_person(sandbox)
    look(account)
    sandbox.faults.add("empty_listing", match="GET /users$")
    run = look(account)
    assert (run.state, run.removed_owners) == ("held", [owner(person).pk])
    assert "1 person would be removed" in run.message
    assert owner(person).gone_at is None
    assert look(account).state == "complete"
