"""Who has which role, and who may change it."""

import threading
from functools import partial

import pytest
from django.db import connection, transaction
from django.utils import timezone

from softphones import members, people
from softphones.models import AuditEvent, Membership
from tests.factories import make_owner, make_softphone, make_user
from tests.pages.conftest import HTMX, soup, words
from tests.staffing import signed_in_as_staff

MEMBERS = "/acme/members/"


def membership(user):
    return user.memberships.get()


def shown(response) -> list[str]:
    return [words(row.small) for row in soup(response).select(".members > li")]


def change(client, user, role):
    return client.post(f"{MEMBERS}{membership(user).pk}/role/", {"role": role}, follow=True)


def remove(client, user):
    return client.post(f"{MEMBERS}{membership(user).pk}/remove/", follow=True)


def test_staff_are_listed_first_and_others_found(admin, helpdesk, alice, bob):
    assert shown(admin.get(MEMBERS)) == ["adam@acme.example", "helen@acme.example"]
    assert shown(admin.get(f"{MEMBERS}?role=admin")) == ["adam@acme.example"]
    assert shown(admin.get(f"{MEMBERS}?role=user")) == ["alice@acme.example", "bob@acme.example"]
    assert shown(admin.get(f"{MEMBERS}?text=jones", headers=HTMX)) == ["bob@acme.example"]
    assert "Nobody is found" in words(admin.get(f"{MEMBERS}?text=zzz"))


def test_a_role_is_given_and_taken(admin, bob):
    assert "Bob Jones is now helpdesk." in words(change(admin, bob, "helpdesk"))
    assert membership(bob).role == "helpdesk"
    change(admin, bob, "admin")
    change(admin, bob, "user")
    assert membership(bob).role == "user"
    told = AuditEvent.objects.filter(act__startswith="role:").order_by("pk").values_list("act", "data__role", "actor")
    me = admin.user.pk
    assert list(told) == [
        ("role:granted", "helpdesk", me),
        ("role:revoked", "helpdesk", me),
        ("role:granted", "admin", me),
        ("role:revoked", "admin", me),
    ]


def test_a_new_role_counts_at_the_next_request(admin, account, bob):
    change(admin, bob, "helpdesk")
    browser = signed_in_as_staff(bob)
    assert browser.get("/acme/").status_code == 200
    change(admin, bob, "user")
    assert browser.get("/acme/").status_code == 404


def test_removed_they_have_no_access(admin, account, bob, signed_in):
    phone = make_softphone(account, make_owner(account, "bob@acme.example", user=bob))
    browser = signed_in(bob)
    assert browser.get(f"/softphones/{phone.pk}/").status_code == 200
    assert "has no access any more" in words(remove(admin, bob))
    assert not bob.memberships.exists()
    assert browser.get(f"/softphones/{phone.pk}/").status_code == 404


def test_removed_they_may_come_in_again_where_audian_lists_them(admin, account, bob, signed_in, mirrored):
    owner = make_owner(account, "bob@acme.example")
    answer = words(remove(admin, bob))
    assert "has no access until they sign in again: Audian lists them. To keep them out, switch them off there." in answer
    assert "Sign in once more" in words(signed_in(bob).get("/"))
    people.arrive(address="bob@acme.example", ip=None, now=timezone.now())
    assert bob.memberships.get().account == owner.account


@pytest.mark.parametrize("role", ["user", "helpdesk"])
def test_nobody_changes_their_own_role(admin, account, role):
    make_user("other@acme.example", account=account, role="admin")
    assert "Nobody changes their own role" in words(change(admin, admin.user, role))
    assert "Nobody changes their own role" in words(remove(admin, admin.user))
    assert membership(admin.user).role == "admin"


@pytest.mark.parametrize("act", [partial(change, role="user"), partial(change, role="helpdesk"), remove])
def test_the_last_admin_stays(admin, bob, helpdesk, act):
    for client in (admin, helpdesk):
        act(client, admin.user)
    assert membership(admin.user).role == "admin"
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("act", "other_act"), [("remove", "remove"), ("remove", "demote"), ("demote", "demote")])
def test_of_two_admins_who_end_each_other_at_the_same_moment_one_stays(admin, account, act, other_act, first):
    """The second is at it before the first has committed, and finds then that they no longer may."""
    both = [admin.user, make_user("other@acme.example", account=account, role="admin")]
    quick, slow = both[first], both[1 - first]
    ends = {"remove": members.remove, "demote": partial(members.change_role, role="user")}
    given = {"ip": None, "now": timezone.now()}
    of_quick, refused = membership(quick), []

    def second():
        try:
            ends[other_act](membership=of_quick, by=slow, **given)
        except members.NotAllowed as reason:
            refused.append(str(reason))
        finally:
            connection.close()

    meanwhile = threading.Thread(target=second)
    with transaction.atomic():
        ends[act](membership=membership(slow), by=quick, **given)
        meanwhile.start()
        meanwhile.join(0.2)  # it waits for this commit, or it would be through by now
    meanwhile.join()
    assert refused == ["You are no longer an admin."]
    assert list(Membership.objects.filter(account=account, role="admin").values_list("user", flat=True)) == [quick.pk]


def test_an_admin_who_was_demoted_meanwhile_demotes_nobody(admin, account):
    """Two admins demote each other at the same moment: the second finds that they no longer may."""
    other = make_user("other@acme.example", account=account, role="admin")
    Membership.objects.filter(user=admin.user).update(role="user")
    assert change(admin, other, "user").status_code == 404
    assert membership(other).role == "admin"


def test_what_is_no_role_changes_nothing(admin, bob):
    change(admin, bob, "king")
    assert membership(bob).role == "user"
    assert not AuditEvent.objects.exists()


def test_helpdesk_and_strangers_see_and_change_nothing(helpdesk, alice, bob, mallory, signed_in):
    elsewhere = signed_in_as_staff(make_user("a@evil.example", account=membership(mallory).account, role="admin"))
    for client in (helpdesk, elsewhere, signed_in(alice)):
        assert client.get(MEMBERS).status_code == 404
        assert change(client, bob, "admin").status_code == 404
        assert remove(client, bob).status_code == 404
    assert membership(bob).role == "user"


def test_members_of_another_account_are_not_found(admin, mallory):
    assert change(admin, mallory, "admin").status_code == 404
    assert remove(admin, mallory).status_code == 404


def test_many_members_come_a_page_at_a_time(admin, account, django_assert_max_num_queries):
    for number in range(120):
        make_user(f"u{number:03}@acme.example", account=account)
    seen, address = [], f"{MEMBERS}?role=user"
    while address:
        with django_assert_max_num_queries(20):
            response = admin.get(address)
        seen += shown(response)
        link = soup(response).select_one("a[rel=next]")
        address = MEMBERS + link["href"] if link else None
    assert seen == [f"u{number:03}@acme.example" for number in range(120)]
