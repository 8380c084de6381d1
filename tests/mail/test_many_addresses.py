"""The addresses of many people at once are those of each of them alone."""

import itertools

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from softphones import mail
from softphones.models import Membership, Softphone
from tests.factories import make_account, make_owner, make_softphone, make_user

pytestmark = pytest.mark.django_db
_number = itertools.count(1)


def alone(phone: Softphone) -> str:
    try:
        return mail.address_of(phone.owner, softphone=phone)
    except mail.NoAddress as error:
        return str(error)


def together(phones) -> list[str]:
    found = mail.addresses_of(phones)
    return [str(found[phone.pk]) for phone in phones]


def all_kinds(account, other) -> list[Softphone]:
    """A softphone for each thing that decides about its person's address."""
    now, phones = timezone.now(), []

    def phone(account=account, email=None, user=None, **owner):
        email = f"p{next(_number)}@acme.example" if email is None else email
        phones.append(make_softphone(account, make_owner(account, email, user=user, **owner)))

    def proven(email, **more):
        return make_user(email, **more)

    phone()
    phone(enabled=False)
    phone(gone_at=now)
    phone(hold="address_changed")
    phone(linked_at=now)
    phone(email="")
    phone(email="no address")
    phone(email="Straße@acme.example")
    for _owner in range(2):
        phone(email="shared@acme.example")
    phone(email="left@acme.example", linked_at=now, gone_at=now)
    phone(email="left@acme.example")
    for account_ in (account, other):
        phone(account=account_, email="both@acme.example")
    phone(account=other)
    proven("proven@acme.example")
    phone(email="Proven@acme.example")
    proven("inside@acme.example", account=other, role="user")
    phone(account=other, email="inside@acme.example")
    proven("off@acme.example", is_active=False)
    phone(email="off@acme.example")
    phone(user=proven("linked@acme.example", account=account))
    phone(user=proven("gone@acme.example", account=account, is_active=False))
    return phones


@pytest.mark.parametrize("domains", [[], ["acme.example"], ["elsewhere.example"]])
def test_many_are_told_what_each_is_told(domains):
    account = make_account(self_service=True, mail_domains=domains)
    phones = all_kinds(account, make_account(self_service=False))
    phones.append(make_softphone(account, phones[0].owner, enabled=False))
    told = together(phones)
    assert told == [alone(phone) for phone in phones]
    assert len(set(told)) > 5
    assert Membership.objects.exists()
    nobodys = make_softphone(account, None)
    assert "belongs to nobody" in together([nobodys])[0]


def test_many_cost_no_more_queries_than_few():
    account = make_account(self_service=True)
    counts = []
    for people in (2, 20):
        phones = []
        for _person in range(people):
            user = make_user(f"u{next(_number)}@acme.example", account=account)
            phones.append(make_softphone(account, make_owner(account, user.email, user=user)))
            phones.append(make_softphone(account, make_owner(account, f"p{next(_number)}@acme.example")))
        with CaptureQueriesContext(connection) as queries:
            assert all("@" in address for address in together(phones))
        counts.append(len(queries))
    assert counts[0] == counts[1]
