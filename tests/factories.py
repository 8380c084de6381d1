"""Rows for tests: each function makes one believable thing and takes what the test is about."""

import itertools

from allauth.account.models import EmailAddress
from django.utils import timezone

from softphones import vitals
from softphones.models import Account, Membership, Owner, Softphone, User

_number = itertools.count(1)


def make_account(**fields) -> Account:
    n = next(_number)
    given = {
        "slug": f"acme-{n}",
        "api_url": "http://127.0.0.1:9/v2",
        "audian_id": f"{n:032x}",
        "api_key": "k" * 64,
        "api_realm": "acme.sip.audian.com",
        "company_name": "Acme Dental",
        "helpdesk_email": "helpdesk@acme.example",
        "helpdesk_phone": "+1 555 0100",
    }
    return Account.objects.create(**given | fields)


def worker_sweeps() -> None:
    """A worker is there: it has just swept."""
    vitals.note_sweep()


def make_user(email: str, *, account: Account | None = None, role: str = "user", verified: bool = True, **fields) -> User:
    user = User.objects.create_user(email=email, **fields)
    EmailAddress.objects.create(user=user, email=email, verified=verified, primary=verified)
    if account:
        Membership.objects.create(user=user, account=account, role=role)
    return user


def make_owner(account: Account, email: str = "", *, user: User | None = None, **fields) -> Owner:
    n = next(_number)
    given = {
        "audian_id": f"{n:032x}",
        "name": "Alice Smith",
        "email": email,
        "email_folded": email.casefold(),
        "number": "1001",
        "user": user,
        "linked_at": timezone.now() if user else None,
    }
    return Owner.objects.create(account=account, **given | fields)


def make_softphone(account: Account, owner: Owner | None = None, **fields) -> Softphone:
    n = next(_number)
    username = fields.get("sip_username", f"user_{n:010d}")
    given = {
        "audian_id": f"{n:032x}",
        "owner": owner,
        "owner_audian_id": owner.audian_id if owner else "",
        "name": "Alice Smith - softphone",
        "sip_username": username,
        "username_folded": username.lower(),
        "password": "wP7kq3hTz9mB",
        "caller_id_number": "1001",
    }
    return Softphone.objects.create(account=account, **given | fields)
