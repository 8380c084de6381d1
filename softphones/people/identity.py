"""Who an address is: a portal user who proved it, or somebody at Audian who may become one. A mere claim counts for nothing."""

from dataclasses import dataclass
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.db.models import Q

from softphones import audit
from softphones.models import Account, Owner, User
from softphones.people.links import claimable, link_owners, opens


@dataclass(frozen=True)
class Entrance:
    """The way in that an address has. `account` is the one whose name and helpdesk a mail shows; it may be None."""

    account: Account | None
    user: User | None = None
    name: str = ""


def fold(address: str) -> str:
    """The address as it is compared and mailed to; "" for one outside ASCII, whose case folding may name another mailbox."""
    address = address.strip()
    return address.lower() if address.isascii() and "@" in address else ""


def user_with(address: str) -> User | None:
    """The portal user who has proven this (folded) address, active or not."""
    found = EmailAddress.objects.filter(email=address, verified=True).select_related("user").first()
    return found.user if found else None


def own_address(user: User) -> str:
    """The address to which a code for this user goes; "" if none is proven."""
    found = EmailAddress.objects.get_verified(user)
    return found.email if found else ""


def way_in(address: str) -> Entrance | None:
    """What lets the owner of this mailbox in now: being an active user, or one enabled owner where self-service is on."""
    user = user_with(address)
    if user:
        membership = user.memberships.select_related("account").order_by("id").first()
        return Entrance(account=membership and membership.account, user=user) if user.is_active else None
    owner = next((owner for owner in claimable(address) if opens(owner)), None) if address else None
    return Entrance(account=owner.account, name=owner.name) if owner else None


def lets_in(owner: Owner, address: str) -> bool:
    """Whether somebody who is not linked yet would see the phones of `owner` after a code mailed to `address` (folded)."""
    entrance = way_in(address)
    if entrance is None or owner not in claimable(address):
        return False
    return opens(owner) or bool(entrance.user and entrance.user.memberships.filter(account=owner.account_id).exists())


def arrive(*, address: str, ip: str | None, now: datetime) -> User | None:
    """The user for somebody who has just proven `address` by code, made if need be, with memberships and links.

    None if the address has no way in (any more).
    """
    try:
        return _arrive(address, ip, now)
    except IntegrityError:  # the same person arrived in another browser at the same moment
        return _arrive(address, ip, now)


@transaction.atomic
def _arrive(address: str, ip: str | None, now: datetime) -> User | None:
    entrance = way_in(address)
    if entrance is None:
        return None
    user = entrance.user or make_user(address=address, name=entrance.name, now=now)
    link_owners(user=user, address=address, ip=ip, now=now)
    return user


def make_user(*, address: str, name: str = "", now: datetime) -> User:
    """A new user with `address` as proven. Whoever merely claimed it loses the claim."""
    claims = EmailAddress.objects.filter(email__iexact=address, verified=False)
    for claimant in User.objects.filter(Q(email__iexact=address) | Q(pk__in=claims.values("user"))):
        if claimant.email.lower() == address:
            claimant.email = f"withdrawn-{claimant.pk}@address.invalid"
            claimant.save(update_fields=["email"])
        reason = "Somebody else proved the address."
        audit.record(act="person:claim_withdrawn", person=claimant, reason=reason, data={"user": claimant.pk}, now=now)
    claims.delete()
    user = User.objects.create_user(email=address, name=name)
    EmailAddress.objects.create(user=user, email=address, verified=True, primary=True)
    return user
