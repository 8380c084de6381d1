"""An admin decides who somebody is where proof alone does not say it; nobody decides about an address of their own."""

import pytest

from softphones import people
from softphones.models import AuditEvent, Change, Membership, Owner
from tests.factories import make_owner, make_user
from tests.pages.conftest import words


def again(row):
    row.refresh_from_db()
    return row


@pytest.fixture
def held(account, plant):
    """Bob, whose address at Audian was changed."""
    owner = make_owner(account, "bob@acme.example", name="Bob Jones", hold=Owner.Hold.ADDRESS_CHANGED)
    plant(owner, username="user_bob")
    return owner


def confirm(client, owner, **data):
    return client.post(f"/acme/people/{owner.pk}/confirm/", data, follow=True)


def test_the_page_of_somebody_held_says_so_and_asks_only_admins(helpdesk, admin, held):
    assert "An administrator has to confirm who it is." in words(helpdesk.get(f"/acme/people/{held.pk}/"))
    asked = words(admin.get(f"/acme/people/{held.pk}/"))
    assert "The address at Audian was changed. Is •••@acme.example really theirs?" in asked
    assert "Confirm this person" in asked


def test_helpdesk_can_neither_confirm_nor_unlink(helpdesk, held, alices_phone, alices_owner):
    assert helpdesk.post(f"/acme/people/{held.pk}/confirm/").status_code == 404
    assert helpdesk.post(f"/acme/people/{alices_owner.pk}/unlink/").status_code == 404
    assert again(held).hold
    assert again(alices_owner).user


def test_confirming_links_whoever_has_proven_the_address(admin, account, held, bob):
    assert "Bob Jones is confirmed." in words(confirm(admin, held))
    assert (again(held).user, held.hold) == (bob, "")
    assert not Change.objects.exists()
    assert AuditEvent.objects.get(act="person:linked_by").actor == admin.user


def test_a_new_password_keeps_out_who_knew_the_old_one(admin, held, bob):
    confirm(admin, held, reset="on")
    assert Change.objects.get().kind == "reset_password"


def test_somebody_who_has_not_signed_in_yet_is_let_in_next_time(admin, account, held):
    assert "Whoever proves the address of Bob Jones next is let in." in words(confirm(admin, held))
    user = people.arrive(address="bob@acme.example", ip=None, now=held.account.created_at)
    assert again(held).user == user


def test_one_of_several_with_the_same_address_is_linked_by_an_admin(admin, account, bob):
    first, second = (make_owner(account, "bob@acme.example", name=name) for name in ("Bob Jones", "Bob Senior"))
    confirm(admin, first)
    assert again(first).user == bob
    assert again(second).user is None


def test_for_a_shared_address_that_nobody_proved_nothing_is_opened(admin, account):
    first, _second = (make_owner(account, "desk@acme.example", name=name) for name in ("Desk One", "Desk Two"))
    assert "Ask them to sign in first." in words(confirm(admin, first))


def test_who_is_linked_from_elsewhere_becomes_a_mere_user(admin, account, held):
    user = make_user("bob@acme.example")
    confirm(admin, held)
    assert Membership.objects.get(user=user, account=account).role == "user"


def test_nobody_confirms_an_address_of_their_own(admin, account):
    owner = make_owner(account, "adam@acme.example", name="Shared Desk", hold=Owner.Hold.LINK_FELL)
    assert "This address is your own. Another administrator has to decide." in words(confirm(admin, owner))
    assert (again(owner).user, owner.hold) == (None, Owner.Hold.LINK_FELL)


def test_unlinking_ends_the_persons_access_until_somebody_is_confirmed(admin, signed_in, alice, alices_owner, alices_phone):
    browser = signed_in(alice)
    assert browser.get(f"/softphones/{alices_phone.pk}/").status_code == 200
    admin.post(f"/acme/people/{alices_owner.pk}/unlink/")
    assert browser.get(f"/softphones/{alices_phone.pk}/").status_code == 404
    people.arrive(address="alice@acme.example", ip=None, now=alices_owner.account.created_at)
    assert again(alices_owner).user is None
    confirm(admin, alices_owner)
    assert browser.get(f"/softphones/{alices_phone.pk}/").status_code == 200
