"""Who an address is: a portal user who proved it, or somebody at Audian who may become one. A mere claim counts for nothing."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.db.models import Q

from softphones import audit
from softphones.models import Account, Membership, Owner, User
from softphones.people.links import claimable, claimable_of, link_owners, opens

IN_ONE_QUERY = 1000


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


def _batched(values: list) -> Iterator[list]:
    """The values in lists that a query can take."""
    for start in range(0, len(values), IN_ONE_QUERY):
        yield values[start : start + IN_ONE_QUERY]


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
    user = user_with(address)
    inside = set(user.memberships.values_list("account", flat=True)) if user else set()
    return owner in claimable(address) and _is_let_in(owner, user, inside)


def _is_let_in(owner: Owner, user: User | None, inside: Container[int]) -> bool:
    """Whether a claimable owner lets in who has its address: `user`, if one has proven it, is `inside` these accounts."""
    if user is None:
        return opens(owner)
    return user.is_active and (opens(owner) or owner.account_id in inside)


def let_in(owners: Iterable[Owner]) -> set[int]:
    """The primary keys of those of these owners that `lets_in` lets in by their own address. A few queries for all of them."""
    by_address = defaultdict(set)
    for owner in owners:
        by_address[fold(owner.email)].add(owner.pk)
    found = set()
    for addresses in _batched(sorted(set(by_address) - {""})):
        users, inside, alike = _with_addresses(addresses)
        for address in addresses:
            user = users.get(address)
            there = [owner for owner in claimable_of(alike[address]) if owner.pk in by_address[address]]
            found |= {owner.pk for owner in there if _is_let_in(owner, user, inside[user.pk] if user else ())}
    return found


def own_addresses(users: Iterable[User]) -> dict[int, str]:
    """`own_address` of each of these users, by primary key; who has none is missing."""
    found = {}
    for keys in _batched(sorted({user.pk for user in users})):
        proven = EmailAddress.objects.filter(user__in=keys, verified=True).order_by("primary", "-pk")
        found |= dict(proven.values_list("user", "email"))
    return found


def inside(users: Iterable[User]) -> set[tuple[int, int]]:
    """In which accounts these users have a membership, as pairs of their primary keys."""
    found = set()
    for keys in _batched(sorted({user.pk for user in users})):
        found |= set(Membership.objects.filter(user__in=keys).values_list("user", "account"))
    return found


def comes_in_again(user: User) -> set[int]:
    """The accounts, by primary key, where a code mailed to an address of `user` makes them a member, if they are none."""
    proven = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    return {owner.account_id for address in proven for owner in claimable(address) if user.is_active and opens(owner)}


def _with_addresses(addresses: list[str]) -> tuple[dict[str, User], dict[int, set[int]], dict[str, list[Owner]]]:
    """Who has proven each of these addresses, in which accounts each of them is, and all owners that have each."""
    proven = EmailAddress.objects.filter(email__in=addresses, verified=True).select_related("user").order_by("-pk")
    users, inside, alike = {each.email: each.user for each in proven}, defaultdict(set), defaultdict(list)
    memberships = Membership.objects.filter(user__in=[user.pk for user in users.values()])
    for user, account in memberships.values_list("user", "account"):
        inside[user].add(account)
    accounts = Account.objects.in_bulk()
    for owner in Owner.objects.filter(email_folded__in=addresses):
        owner.account = accounts[owner.account_id]
        alike[owner.email_folded].append(owner)
    return users, inside, alike


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
