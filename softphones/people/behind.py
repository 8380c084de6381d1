"""Who stands, or stood, behind people who left: what they are signed in with, and may do, ends with them."""

from collections.abc import Iterable

from allauth.account.models import EmailAddress

from softphones.models import Owner, User


def who_left(owners: Iterable[Owner]) -> dict[int, list[User]]:
    """The portal users behind these owners of one account who left, by the owner's primary key; in a few queries.

    By the link, by the link that the owner had, or by an address that a user has proven. Nobody who comes in there as
    another owner, who is enabled and there.
    """
    owners = list(owners)
    by_address: dict[str, set[int]] = {}
    addresses = {owner.email_folded for owner in owners} - {""}
    for address, user in _proven().filter(email__in=addresses).values_list("email", "user"):
        by_address.setdefault(address, set()).add(user)
    behind = {
        owner.pk: {owner.user_id or owner.last_user_id, *by_address.get(owner.email_folded, ())} - {None} for owner in owners
    }
    found = User.objects.in_bulk({user for users in behind.values() for user in users})
    stay = _still_there(owners, found)
    return {pk: [found[user] for user in sorted(users) if user not in stay] for pk, users in behind.items()}


def _still_there(owners: list[Owner], users: Iterable[int]) -> set[int]:
    """Which of these users another owner of the account lets in."""
    if not users:
        return set()
    there = Owner.objects.filter(account=owners[0].account_id, enabled=True, gone_at=None)
    linked = set(there.filter(user__in=users).values_list("user", flat=True))
    addresses = dict(_proven().filter(user__in=users).values_list("email", "user"))
    # One that is held may be somebody new with the address.
    shared = there.filter(email_folded__in=addresses, hold="").values_list("email_folded", flat=True)
    return linked | {addresses[address] for address in shared}


def _proven():
    return EmailAddress.objects.filter(verified=True)
