"""Who has which role in an account, and what one admin may change about another."""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from softphones import audit, people
from softphones.models import Account, Membership, User

Role = Membership.Role
STAFF = (Role.HELPDESK, Role.ADMIN)


class NotAllowed(Exception):
    """This change of a role is not allowed; `str()` is a sentence that says why."""


def members(account: Account, *, text: str = "", role: str = "") -> QuerySet[Membership]:
    """The account's members, each with the `address` to order them by.

    Staff alone unless `text`, the beginning of a name or an address, or `role` asks for others.
    """
    found = Membership.objects.filter(account=account).select_related("user").annotate(address=F("user__email"))
    if role:
        found = found.filter(role=role)
    elif not text:
        found = found.filter(role__in=STAFF)
    for word in text.split():
        found = found.filter(Q(user__email__istartswith=word) | Q(user__name__icontains=word))
    return found


def change_role(*, membership: Membership, role: str, by: User, ip: str | None, now: datetime) -> bool:
    """Give a member another role. False if they had it already. Raises NotAllowed."""
    with transaction.atomic():
        before = _locked(membership, by)
        if before.role == role:
            return False
        if before.role in STAFF:
            _record("role:revoked", before, before.role, by, ip, now)
        if role in STAFF:
            _record("role:granted", before, role, by, ip, now)
        Membership.objects.filter(pk=before.pk).update(role=role)
    return True


def remove(*, membership: Membership, by: User, ip: str | None, now: datetime) -> bool:
    """End a member's access to the account. Returns whether it is until they sign in again: a code still lets them in.

    Raises NotAllowed.
    """
    with transaction.atomic():
        before = _locked(membership, by)
        _record("role:revoked", before, before.role, by, ip, now)
        before.delete()
    return membership.account_id in people.comes_in_again(membership.user)


def _locked(membership: Membership, by: User) -> Membership:
    """The membership as it is now, which another admin may change. So the last admin stays: nobody is left to do it.

    All admins of the account are locked with it, so that two can't demote each other.
    """
    account = membership.account
    locked = Membership.objects.select_for_update(of=("self",), no_key=True).filter(
        Q(pk=membership.pk) | Q(role=Role.ADMIN), account=account
    )
    rows = {each.pk: each for each in locked.select_related("user", "account").order_by("pk")}
    if membership.pk not in rows:
        raise NotAllowed(_("This person is no longer a member."))
    if membership.user_id == by.pk:
        raise NotAllowed(_("Nobody changes their own role. Another admin can."))
    if not any(each.user_id == by.pk and each.role == Role.ADMIN for each in rows.values()):
        raise NotAllowed(_("You are no longer an admin."))
    return rows[membership.pk]


def _record(act: str, membership: Membership, role: str, by: User, ip: str | None, now: datetime) -> None:
    data = {"user": membership.user_id, "membership": membership.pk, "role": role}
    audit.record(act=act, actor=by, person=membership.user, account=membership.account, ip=ip, data=data, now=now)
