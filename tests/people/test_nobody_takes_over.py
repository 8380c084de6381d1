"""Nobody gets somebody else's phone: not by claiming an address, sharing one, inheriting one or renaming one."""

import threading

import pytest
from allauth.account.models import EmailAddress
from django.core import mail as outbox
from django.db import connection
from django.utils import timezone

from softphones import people
from softphones.models import AuditEvent, Owner, Softphone, User
from tests.factories import make_account, make_owner, make_softphone, make_user
from tests.people.conftest import Visitor, newest_code

pytestmark = pytest.mark.django_db


def test_who_claims_the_ceos_address_gains_nothing_and_the_ceo_gets_a_user_of_their_own(ceo, ceo_owner, account, mallory):
    mallory.set_password("correct horse battery")
    mallory.save()
    EmailAddress.objects.create(user=mallory, email="ceo@acme.example", verified=False)

    hostile = Visitor("ceo@acme.example", ip="198.51.100.66")
    hostile.signs_in_with("correct horse battery")
    assert hostile.user_id is None

    ceo.signs_in()
    carla = User.objects.get(email="ceo@acme.example")
    assert carla != mallory
    assert ceo.user_id == carla.pk
    assert EmailAddress.objects.get(email="ceo@acme.example").user == carla
    assert Owner.objects.get(pk=ceo_owner.pk).user == carla
    assert not mallory.owners.exists()
    assert not mallory.memberships.filter(account=account).exists()
    hostile.signs_in_with("correct horse battery")
    assert hostile.user_id is None


def test_a_user_made_with_the_ceos_address_unproven_does_not_stand_in_the_way(ceo, ceo_owner):
    squatter = make_user("CEO@acme.example", verified=False, password="correct horse battery")
    hostile = Visitor("ceo@acme.example")
    hostile.signs_in_with("correct horse battery")
    assert hostile.user_id is None

    ceo.signs_in()
    assert ceo.user_id
    assert ceo.user_id != squatter.pk
    squatter.refresh_from_db()
    assert squatter.email == f"withdrawn-{squatter.pk}@address.invalid"
    assert AuditEvent.objects.filter(act="person:claim_withdrawn", data__user=squatter.pk).count() == 1


def test_an_unproven_claim_by_a_user_keeps_nobody_from_getting_a_code(ceo, mallory):
    EmailAddress.objects.create(user=mallory, email="ceo@acme.example", verified=False)
    ceo.asks_for_a_code()
    assert [each.to for each in outbox.outbox] == [["ceo@acme.example"]]


def test_nobody_can_add_or_change_their_own_address(ceo):
    ceo.signs_in()
    for path in ("/account/email/", "/accounts/email/", "/account/confirm-email/x/"):
        assert ceo.post(path, email="other@acme.example", action_add="1").status_code == 404
    assert EmailAddress.objects.count() == 1


def test_a_shared_address_lets_nobody_in_and_reveals_nothing(account):
    make_owner(account, "reception@acme.example", name="Alice")
    make_owner(account, "Reception@acme.example", name="Bob")
    visitor = Visitor("reception@acme.example")
    response = visitor.signs_in()
    assert "not the code" in response.content.decode() or "six digits" in response.content.decode()
    assert not outbox.outbox
    assert not User.objects.exists()


def test_a_portal_user_with_a_shared_address_signs_in_but_is_linked_to_nobody(account):
    make_owner(account, "reception@acme.example")
    make_owner(account, "reception@acme.example")
    make_user("reception@acme.example", account=account)
    visitor = Visitor("reception@acme.example")
    visitor.signs_in()
    assert visitor.user_id
    assert not Owner.objects.filter(user__isnull=False).exists()


@pytest.mark.parametrize("state", [{"enabled": False}, {"gone_at": timezone.now()}, {"hold": "address_changed"}])
def test_who_is_disabled_gone_or_held_at_audian_gets_no_code(account, state):
    make_owner(account, "ceo@acme.example", **state)
    Visitor("ceo@acme.example").asks_for_a_code()
    assert not outbox.outbox


def test_a_double_that_is_disabled_and_was_never_linked_does_not_count(ceo, ceo_owner, account):
    make_owner(account, "ceo@acme.example", enabled=False)
    ceo.signs_in()
    assert Owner.objects.get(user=ceo.user_id).pk == ceo_owner.pk


def test_an_address_given_to_somebody_new_waits_for_an_admin(account):
    """John left, and the next John gets his address: he does not become the old one's heir, nor linked by himself."""
    old = make_user("john@acme.example", account=account)
    make_owner(account, "john@acme.example", user=old, gone_at=timezone.now())
    new = make_owner(account, "john@acme.example")
    phone = make_softphone(account, new)

    visitor = Visitor("john@acme.example")
    visitor.signs_in()
    new.refresh_from_db()
    assert new.user is None
    assert phone not in Softphone.objects.visible_to(User.objects.get(pk=visitor.user_id))


def test_a_renamed_address_opens_nothing(ceo, ceo_owner, account):
    """Whoever can change an address at Audian to their own does not get the phone by it."""
    make_softphone(account, ceo_owner)
    ceo_owner.email = ceo_owner.email_folded = "mallory@evil.example"
    ceo_owner.hold = Owner.Hold.ADDRESS_CHANGED
    ceo_owner.save()
    people.check_links(account, timezone.now())

    hostile = Visitor("mallory@evil.example")
    hostile.signs_in()
    assert hostile.user_id is None
    assert not outbox.outbox

    mallory = make_user("mallory@evil.example", account=account)
    hostile.signs_in()
    assert hostile.user_id == mallory.pk
    assert not Softphone.objects.visible_to(mallory).exists()


def test_self_service_off_lets_only_those_in_who_are_members_already(account, ceo, ceo_owner):
    account.self_service = False
    account.save()
    ceo.asks_for_a_code()
    assert not outbox.outbox

    user = make_user("ceo@acme.example", account=account)
    ceo.signs_in()
    assert ceo.user_id == user.pk
    assert user.owners.get() == ceo_owner


def test_where_self_service_is_off_nobody_from_another_account_comes_in_either(account, ceo, ceo_owner):
    closed = make_account(slug="closed", self_service=False)
    owner = make_owner(closed, "ceo@acme.example")
    ceo.signs_in()
    owner.refresh_from_db()
    assert owner.user is None
    assert User.objects.get(pk=ceo.user_id).memberships.get().account == account


def test_the_accounts_mail_domains_decide_who_comes_in_by_themselves(account):
    account.mail_domains = ["Acme.example"]
    account.save()
    make_owner(account, "ceo@acme.example")
    make_owner(account, "ceo@acme.example.evil.example")
    make_owner(account, "ceo@notacme.example")
    for address in ("ceo@acme.example", "ceo@acme.example.evil.example", "ceo@notacme.example"):
        Visitor(address).asks_for_a_code()
    assert [each.to for each in outbox.outbox] == [["ceo@acme.example"]]


def test_another_company_cannot_take_the_ceos_phone_or_shut_them_out_by_listing_their_address(ceo, ceo_owner, account):
    evil = make_account(slug="evil", company_name="Evil")
    make_owner(evil, "ceo@acme.example")
    make_owner(evil, "ceo@acme.example")
    phone = make_softphone(account, ceo_owner)
    ceo.signs_in()
    carla = User.objects.get(pk=ceo.user_id)
    assert list(Softphone.objects.visible_to(carla)) == [phone]
    assert not carla.memberships.filter(account=evil).exists()


def test_one_person_with_phones_in_two_accounts_gets_both(ceo, ceo_owner):
    other = make_account(slug="second")
    make_owner(other, "ceo@acme.example")
    ceo.signs_in()
    assert User.objects.get().owners.count() == 2
    assert User.objects.get().memberships.count() == 2


@pytest.mark.django_db(transaction=True)
def test_arriving_in_two_browsers_at_once_makes_one_user(ceo, ceo_owner):
    start = threading.Barrier(3)
    visitors = [ceo, Visitor(ceo.address), Visitor(ceo.address)]
    codes = []
    for visitor in visitors:
        visitor.asks_for_a_code()
        codes.append(newest_code(ceo.address))

    def enter(visitor, code):
        try:
            start.wait()
            visitor.enters(code)
        finally:
            connection.close()

    threads = [threading.Thread(target=enter, args=pair) for pair in zip(visitors, codes, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    user = User.objects.get()
    assert [visitor.user_id for visitor in visitors] == [user.pk] * 3
    assert user.memberships.count() == 1
    assert AuditEvent.objects.filter(act="person:linked").count() == 1


def test_a_password_links_nothing(ceo_owner, account):
    make_user("ceo@acme.example", account=account, password="correct horse battery")
    visitor = Visitor("ceo@acme.example")
    visitor.signs_in_with("correct horse battery")
    assert visitor.user_id
    ceo_owner.refresh_from_db()
    assert ceo_owner.user is None


def test_an_owner_is_linked_once_in_its_life(ceo, ceo_owner, account):
    ceo.signs_in()
    Owner.objects.filter(pk=ceo_owner.pk).update(user=None)
    ceo.post("/sign-out/")
    ceo.signs_in()
    assert ceo.user_id
    assert Owner.objects.get(pk=ceo_owner.pk).user is None


def test_what_an_operator_took_away_does_not_come_back_by_signing_in(ceo, account):
    ceo.signs_in()
    User.objects.get().memberships.all().delete()
    ceo.post("/sign-out/")
    ceo.signs_in()
    assert ceo.user_id
    assert not User.objects.get().memberships.exists()


class TestLinksFall:
    @pytest.fixture
    def linked(self, ceo, ceo_owner, account):
        make_softphone(account, ceo_owner)
        ceo.signs_in()
        return User.objects.get(pk=ceo.user_id)

    def fell(self, owner, account, user):
        assert people.check_links(account, timezone.now()) == 1
        owner.refresh_from_db()
        assert owner.user is None
        assert not Softphone.objects.visible_to(user).exists()
        event = AuditEvent.objects.get(act="person:unlinked")
        assert event.account == account
        assert event.data == {"user": user.pk, "owner": owner.pk}
        assert people.check_links(account, timezone.now()) == 0
        return owner.hold

    def test_when_the_address_changed_at_audian(self, linked, ceo_owner, account):
        Owner.objects.filter(pk=ceo_owner.pk).update(email="x@acme.example", email_folded="x@acme.example")
        assert self.fell(ceo_owner, account, linked) == "link_fell"

    def test_when_the_mirror_held_the_owner(self, linked, ceo_owner, account):
        Owner.objects.filter(pk=ceo_owner.pk).update(hold="address_changed")
        assert self.fell(ceo_owner, account, linked) == "address_changed"

    def test_when_the_owner_is_gone(self, linked, ceo_owner, account):
        Owner.objects.filter(pk=ceo_owner.pk).update(gone_at=timezone.now())
        assert self.fell(ceo_owner, account, linked) == "link_fell"

    def test_when_the_user_no_longer_has_the_address(self, linked, ceo_owner, account):
        EmailAddress.objects.filter(user=linked).update(verified=False)
        assert self.fell(ceo_owner, account, linked) == "link_fell"

    def test_not_while_everything_is_as_it_was(self, linked, ceo_owner, account, django_assert_num_queries):
        with django_assert_num_queries(1):
            assert people.check_links(account, timezone.now()) == 0
        assert Softphone.objects.visible_to(linked).exists()

    def test_and_a_disabled_owner_keeps_the_link_but_shows_nothing(self, linked, ceo_owner, account):
        Owner.objects.filter(pk=ceo_owner.pk).update(enabled=False)
        assert people.check_links(account, timezone.now()) == 0
        assert not Softphone.objects.visible_to(linked).exists()
