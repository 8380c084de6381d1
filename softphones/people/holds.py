"""What an admin decides where proof alone does not say who somebody is: shared, changed and recycled addresses.

Nobody decides about an address that is their own: whoever stands behind an owner sees its phones' passwords.
"""

from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from softphones import audit
from softphones.models import Account, Membership, Owner, User
from softphones.people.identity import fold, user_with


class NotYours(Exception):
    """This admin may not decide this; `str()` is a sentence that says why."""


class NotPossible(Exception):
    """This can't be decided as things are; `str()` is a sentence that says why."""


def is_waiting(owner: Owner) -> bool:
    """Whether the person behind this owner has to be confirmed: nobody is linked, and nobody will be by proof alone."""
    if owner.user_id or owner.gone_at or not owner.enabled or not fold(owner.email):
        return False
    return bool(owner.hold or owner.linked_at) or _is_shared(owner)


def confirm(*, owner: Owner, by: User, ip: str | None, now: datetime) -> User | None:
    """Let the person who has, or next proves, the owner's address at Audian be this owner. Returns them if they are linked.

    Raises NotYours where the address is the admin's own, NotPossible where nobody could be linked.
    """
    with transaction.atomic():
        locked = Owner.objects.select_for_update(no_key=True).get(pk=owner.pk)
        address = _decidable(locked, by)
        user = user_with(address)
        if user and user.is_active:
            _link(locked, user, by, ip, now)
            return user
        if _is_shared(locked):
            raise NotPossible(
                _("Several people at Audian have this address, and nobody has signed in with it. Ask them to sign in first.")
            )
        Owner.objects.filter(pk=locked.pk).update(hold="", linked_at=None, last_user=None)
        data = {"owner": locked.pk}
        audit.record(act="person:released", actor=by, person=locked, account=locked.account, ip=ip, data=data, now=now)
    return None


def unlink(*, owner: Owner, by: User, reason: str, ip: str | None, now: datetime) -> bool:
    """Take the owner's phones out of the hands of whoever is linked; an admin has to confirm the next. False if nobody was."""
    with transaction.atomic():
        locked = Owner.objects.select_for_update(no_key=True).get(pk=owner.pk)
        if locked.user_id is None:
            return False
        Owner.objects.filter(pk=locked.pk).update(user=None, hold=locked.hold or Owner.Hold.LINK_FELL)
        data = {"user": locked.user_id, "owner": locked.pk}
        audit.record(
            act="person:unlinked", actor=by, person=locked, account=locked.account, ip=ip, reason=reason, data=data, now=now
        )
    return True


def mistaken(*, user: User, account: Account) -> QuerySet[Owner]:
    """The owners that `user` was linked to, that left, and whose address is none of theirs: maybe never were them.

    A new address of one's own looks just like a wrong one that was put right, so nobody is let off without being asked.
    """
    theirs = EmailAddress.objects.filter(user=user, verified=True).values("email")
    was_theirs = Owner.objects.filter(account=account, user=None, last_user=user)
    return was_theirs.exclude(enabled=True, gone_at=None).exclude(email_folded__in=theirs)


def forget_mistaken(*, user: User, account: Account, reason: str, now: datetime) -> list[Owner]:
    """That these were never `user`, as whoever asks for it knows: that they left closes nothing to them any more."""
    with transaction.atomic():
        owners = list(mistaken(user=user, account=account))
        Owner.objects.filter(pk__in=[owner.pk for owner in owners]).update(last_user=None)
        for owner in owners:
            data = {"user": user.pk, "owner": owner.pk}
            audit.record(act="person:not_them", person=owner, account=account, reason=reason, data=data, now=now)
    return owners


def _decidable(owner: Owner, by: User) -> str:
    """The owner's address, folded."""
    if owner.user_id:
        raise NotPossible(_("Somebody is linked already. Unlink them first."))
    if owner.gone_at or not owner.enabled:
        raise NotPossible(_("This person is switched off or gone at Audian."))
    address = fold(owner.email)
    if not address:
        raise NotPossible(_("Audian has no usable e-mail address for this person. Add one there; it is here within minutes."))
    if EmailAddress.objects.filter(user=by, email__iexact=address).exists() or fold(by.email) == address:
        raise NotYours(_("This address is your own. Another administrator has to decide."))
    return address


def _link(owner: Owner, user: User, by: User, ip: str | None, now: datetime) -> None:
    Owner.objects.filter(pk=owner.pk).update(user=user, last_user=None, linked_at=now, hold="")
    membership, made = Membership.objects.get_or_create(user=user, account=owner.account)
    if made:
        data = {"user": user.pk, "role": membership.role, "membership": membership.pk}
        audit.record(act="role:granted", actor=by, person=user, account=owner.account, ip=ip, data=data, now=now)
    data = {"user": user.pk, "owner": owner.pk}
    audit.record(act="person:linked_by", actor=by, person=owner, account=owner.account, ip=ip, data=data, now=now)


def _is_shared(owner: Owner) -> bool:
    others = Owner.objects.filter(account=owner.account_id, email_folded=owner.email_folded).exclude(pk=owner.pk)
    return any(other.linked_at or (other.enabled and other.gone_at is None) for other in others)
