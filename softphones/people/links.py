"""Which owner at Audian is which portal user: linked once, by proof of the address, and dropped when that no longer holds."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from softphones import audit
from softphones.models import Account, Membership, Owner, User


def claimable(address: str) -> list[Owner]:
    """The owners that whoever proves `address` (folded) may be linked to: at most one an account, oldest account first.

    An owner that was ever linked counts against another one with its address even after it left: the address may have
    been given to somebody new, and an admin has to look.
    """
    return claimable_of(Owner.objects.filter(email_folded=address).select_related("account")) if address else []


def claimable_of(owners: Iterable[Owner]) -> list[Owner]:
    """`claimable`, of all the owners that have one address."""
    by_account = defaultdict(list)
    for owner in sorted(owners, key=lambda owner: (owner.account_id, owner.pk)):
        if owner.linked_at or _is_there(owner):
            by_account[owner.account_id].append(owner)
    return [owners[0] for owners in by_account.values() if len(owners) == 1 and _is_free(owners[0])]


def opens(owner: Owner) -> bool:
    """Whether this owner lets a person in who is not yet in the owner's account."""
    domains = {str(domain).casefold().lstrip("@") for domain in owner.account.mail_domains}
    return owner.account.self_service and (not domains or owner.email_folded.rpartition("@")[2] in domains)


def link_owners(*, user: User, address: str, ip: str | None, now: datetime) -> list[Owner]:
    """Link what `user`, who has just proven `address` by code, may claim; with a `user` membership where self-service is on.

    Each owner is linked once in its life. Audits each membership and link. Returns the owners now linked.
    """
    linked = []
    for owner in claimable(address):
        with transaction.atomic():
            inside = Membership.objects.filter(user=user, account=owner.account).exists()
            if not inside and not opens(owner):
                continue
            free = Owner.objects.filter(
                pk=owner.pk, user=None, linked_at=None, hold="", enabled=True, gone_at=None, email_folded=address
            )
            if not free.update(user=user, linked_at=now):
                continue
            if not inside:
                membership, _ = Membership.objects.get_or_create(user=user, account=owner.account)
                data = {"user": user.pk, "role": membership.role, "membership": membership.pk}
                audit.record(act="person:joined", actor=user, account=owner.account, ip=ip, data=data, now=now)
            data = {"user": user.pk, "owner": owner.pk}
            audit.record(act="person:linked", actor=user, person=owner, account=owner.account, ip=ip, data=data, now=now)
            linked.append(owner)
    return linked


def check_links(account: Account, now: datetime) -> int:
    """Drop the links of this account that no longer hold, and hold their owners for an admin. Returns how many fell.

    A link holds while the owner is at Audian, is not held, and has an address that its person has proven.
    """
    proven = EmailAddress.objects.filter(user=OuterRef("user"), email=OuterRef("email_folded"), verified=True)
    linked = Owner.objects.filter(account=account, user__isnull=False).select_related("user")
    broken = linked.filter(Q(gone_at__isnull=False) | ~Q(hold="") | ~Exists(proven))
    return sum(_drop(owner, now) for owner in broken)


def _drop(owner: Owner, now: datetime) -> bool:
    if owner.gone_at:
        reason = "The person is no longer at Audian."
    elif owner.hold == Owner.Hold.ADDRESS_CHANGED:
        reason = "The address at Audian changed."
    else:
        reason = "The address at Audian is not one that this person has proven."
    with transaction.atomic():
        fallen = Owner.objects.filter(pk=owner.pk, user=owner.user)
        if not fallen.update(user=None, last_user=owner.user, hold=owner.hold or Owner.Hold.LINK_FELL):
            return False
        data = {"user": owner.user.pk, "owner": owner.pk}
        audit.record(act="person:unlinked", person=owner, account=owner.account, reason=reason, data=data, now=now)
    return True


def _is_there(owner: Owner) -> bool:
    return owner.enabled and owner.gone_at is None


def _is_free(owner: Owner) -> bool:
    # Case folding makes some letters outside ASCII equal to ones inside (U+212A is a "k"), which are other mailboxes.
    return _is_there(owner) and owner.linked_at is None and not owner.hold and owner.email.isascii()
