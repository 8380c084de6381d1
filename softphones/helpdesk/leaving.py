"""Leavers: people who are switched off, gone, or unknown at Audian, while a phone of theirs still works. And closing it."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from softphones import audit, changes, people
from softphones.models import Account, Owner, Softphone, User

_LEFT = Q(enabled=False) | Q(gone_at__isnull=False)
# It names an owner whom Audian does not have.
_DANGLING = Q(owner=None) & ~Q(owner_audian_id="")


class NotLeft(Exception):
    """This person is switched on at Audian: they could sign in and set a phone up again, so nothing would be closed."""


@dataclass(frozen=True, slots=True)
class Leaver:
    """Somebody who left: `owner`, or None where Audian does not have them, and their phones. `audian_id` names them."""

    audian_id: str
    owner: Owner | None
    phones: list[Softphone]

    @property
    def account(self) -> Account:
        return self.owner.account if self.owner else self.phones[0].account

    @property
    def has_left(self) -> bool:
        return self.why != "here"

    @property
    def why(self) -> str:
        """off, gone, dangling; `here` for somebody who has not left."""
        if self.owner is None:
            return "dangling"
        return "gone" if self.owner.gone_at else "here" if self.owner.enabled else "off"


def leavers(account: Account) -> QuerySet[Softphone]:
    """The phones that still work although their person has left."""
    return _working(account).filter(Q(owner__in=_left(account)) | _DANGLING)


def people_leaving(account: Account) -> int:
    """How many people have left and still have a phone that works."""
    # Two counts, since one with OR would read all phones of the account.
    known = _left(account).filter(Exists(_working(account).filter(owner=OuterRef("pk")))).count()
    return known + _working(account).filter(_DANGLING).values("owner_audian_id").distinct().count()


def _working(account: Account) -> QuerySet[Softphone]:
    return Softphone.objects.present().filter(account=account, enabled=True, audian_id__isnull=False, sip_username__gt="")


def _left(account: Account) -> QuerySet[Owner]:
    return Owner.objects.filter(_LEFT, account=account)


def leaving(account: Account, *, most: int = 200) -> list[Leaver]:
    """Those people with the phones that still work, by name; at most so many phones."""
    phones = leavers(account).select_related("owner", "account").defer("password").order_by("owner__name", "name", "id")[:most]
    groups: dict[str, list[Softphone]] = {}
    for phone in phones:
        groups.setdefault(phone.owner_audian_id or phone.owner.audian_id, []).append(phone)
    return [Leaver(audian_id, found[0].owner, found) for audian_id, found in groups.items()]


def one_leaving(account: Account, audian_id: str) -> Leaver | None:
    """The person with this id at Audian, left or not, and all their phones; None if there is nothing of them."""
    owner = Owner.objects.filter(account=account, audian_id=audian_id).select_related("account", "user").first()
    theirs = Q(owner=owner) if owner else Q(owner=None, owner_audian_id=audian_id)
    present = Softphone.objects.present().filter(theirs, account=account).select_related("account", "owner")
    phones = list(present.defer("password").order_by("name", "id"))
    return Leaver(audian_id, owner, phones) if owner or phones else None


def close(*, leaver: Leaver, by: User, reason: str, key: str, ip: str | None, now: datetime) -> tuple[int, int]:
    """Switch this person's phones off, give each a new password that nobody is told, end their links and sessions.

    All in one transaction. The same `key` asks Audian once. Returns how many phones and how many sessions that were.
    Raises NotLeft, also for somebody who came back meanwhile.
    """
    closed = 0
    with transaction.atomic():
        _refuse_who_is_here(leaver)
        # One after the other, so that the second press finds what the first asked for.
        list(Softphone.objects.select_for_update().filter(pk__in=[phone.pk for phone in leaver.phones]).order_by("pk"))
        if _asked_before(leaver, by, key):
            return len(leaver.phones), 0
        for phone in leaver.phones:
            asked = {"softphone": phone, "by": by, "reason": reason, "ip": ip, "now": now}
            keys = [f"{key}:{phone.pk}:{what}" if key else "" for what in ("off", "reset")]
            with suppress(changes.NotPossible), transaction.atomic():  # it is going, or gone, already
                changes.update(**asked, values={"enabled": False}, seen={}, key=keys[0])
                changes.reset_password(**asked, key=keys[1])
                closed += 1
        user = leaver.owner.user if leaver.owner else None
        ended = people.end_sessions(user) if user else 0
        audit.record(
            act="person:closed",
            actor=by,
            person=leaver.owner,
            account=leaver.account,
            ip=ip,
            reason=reason,
            data={"count": closed},
            now=now,
        )
    return closed, ended


def _refuse_who_is_here(leaver: Leaver) -> None:
    if leaver.owner:
        owner = Owner.objects.select_for_update().get(pk=leaver.owner.pk)
        if not replace(leaver, owner=owner).has_left:
            raise NotLeft(str(owner))


def _asked_before(leaver: Leaver, by: User, key: str) -> bool:
    keys = [f"{key}:{phone.pk}:off" for phone in leaver.phones] if key else []
    return any(changes.asked(account=leaver.account, by=by, key=each) for each in keys)
