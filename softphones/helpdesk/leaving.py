"""Leavers: people who are switched off, gone, or unknown at Audian, while a phone of theirs still works. And closing it."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, Min, OuterRef, Prefetch, Q, QuerySet

from softphones import audit, changes, members, people
from softphones.models import Account, Membership, Owner, Softphone, User
from softphones.paging import Page, page_through

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


@dataclass(frozen=True, slots=True)
class Closed:
    """How many phones, sessions and staff roles were ended; `kept` says why a role was not."""

    phones: int
    sessions: int = 0
    roles: int = 0
    kept: str = ""


def leavers(account: Account) -> QuerySet[Softphone]:
    """The phones that still work although their person has left."""
    return _working(account).filter(Q(owner__in=_left(account)) | _DANGLING)


def people_leaving(account: Account) -> int:
    """How many people have left and still have a phone that works."""
    # Two counts, since one with OR would read all phones of the account.
    return _known(account).count() + _working(account).filter(_DANGLING).values("owner_audian_id").distinct().count()


def _working(account: Account) -> QuerySet[Softphone]:
    return Softphone.objects.present().filter(account=account, enabled=True, audian_id__isnull=False, sip_username__gt="")


def _left(account: Account) -> QuerySet[Owner]:
    return Owner.objects.filter(_LEFT, account=account)


def _known(account: Account) -> QuerySet[Owner]:
    """Those of them whom Audian has, or had."""
    return _left(account).filter(Exists(_working(account).filter(owner=OuterRef("pk"))))


def leaving(account: Account, *, after: str = "", before: str = "", size: int = 50) -> Page:
    """Those people with the phones that still work, a page at a time: by name, and then those whom Audian does not have."""
    phones = Prefetch("softphones", _working(account).defer("password").order_by("name", "id"), to_attr="phones")
    # By their keys, so that no database walks along the names of all people for the few who left.
    known = Owner.objects.filter(pk__in=_known(account).values("pk")).select_related("account").prefetch_related(phones)
    page = page_through("name", [known, _first_of_each(account)], after=after, before=before, size=size)
    dangling = _dangling(account, [row.owner_audian_id for row in page.rows if isinstance(row, Softphone)])
    rows = [
        Leaver(row.audian_id, row, row.phones)
        if isinstance(row, Owner)
        else Leaver(row.owner_audian_id, None, dangling[row.owner_audian_id])
        for row in page.rows
    ]
    # Meanwhile somebody's last phone may have been switched off.
    return replace(page, rows=[each for each in rows if each.phones])


def _first_of_each(account: Account) -> QuerySet[Softphone]:
    """One phone for each person whom Audian does not have."""
    dangling = _working(account).filter(_DANGLING)
    first = dangling.order_by().values("owner_audian_id").annotate(first=Min("pk")).values("first")
    return Softphone.objects.filter(pk__in=first).defer("password")


def _dangling(account: Account, audian_ids: list[str]) -> dict[str, list[Softphone]]:
    """The phones that name these owners, whom Audian does not have; the first of each as `_first_of_each` finds it."""
    found = _working(account).filter(_DANGLING, owner_audian_id__in=audian_ids).select_related("account").defer("password")
    phones = defaultdict(list)
    for phone in found.order_by("id") if audian_ids else ():
        phones[phone.owner_audian_id].append(phone)
    return phones


def one_leaving(owner: Owner) -> Leaver:
    """This person, left or not, and all their phones."""
    return Leaver(owner.audian_id, owner, _all_of(owner.account, owner=owner))


def one_dangling(softphone: Softphone) -> Leaver:
    """The person whom this phone names, and whom Audian does not have, and all phones that name them."""
    named = softphone.owner_audian_id
    return Leaver(named, None, _all_of(softphone.account, owner=None, owner_audian_id=named))


def _all_of(account: Account, **theirs) -> list[Softphone]:
    present = Softphone.objects.present().filter(account=account, **theirs).select_related("account", "owner")
    return list(present.defer("password").order_by("name", "id"))


def roles_of(account: Account, leaving: Iterable[Leaver]) -> dict[str, Membership]:
    """The staff roles that people who left still have in the account, by their `audian_id`."""
    owners = {each.audian_id: each.owner for each in leaving if each.owner}
    behind = people.who_left(owners.values())
    users = {user.pk for found in behind.values() for user in found}
    staff = Membership.objects.filter(account=account, user__in=users, role__in=members.STAFF) if users else ()
    roles = {each.user_id: each for each in staff}
    found = {key: [roles[user.pk] for user in behind[owner.pk] if user.pk in roles] for key, owner in owners.items()}
    return {key: each[0] for key, each in found.items() if each}


def close(*, leaver: Leaver, by: User, reason: str, key: str, ip: str | None, now: datetime) -> Closed:
    """Switch this person's phones off, give each a new password that nobody is told, end their links, sessions and staff role.

    All in one transaction. The same `key` asks Audian once. A role that its actor may not end stays, and the answer says
    why. Raises NotLeft, also for somebody who came back meanwhile.
    """
    closed = 0
    with transaction.atomic():
        owner = _locked_if_left(leaver)
        # One after the other, so that the second press finds what the first asked for.
        phones = Softphone.objects.filter(pk__in=[phone.pk for phone in leaver.phones])
        list(phones.select_for_update(no_key=True).order_by("pk"))
        if _asked_before(leaver, by, key):
            return Closed(len(leaver.phones))
        for phone in leaver.phones:
            asked = {"softphone": phone, "by": by, "reason": reason, "ip": ip, "now": now}
            keys = [f"{key}:{phone.pk}:{what}" if key else "" for what in ("off", "reset")]
            with suppress(changes.NotPossible), transaction.atomic():  # it is going, or gone, already
                changes.update(**asked, values={"enabled": False}, seen={}, key=keys[0])
                changes.reset_password(**asked, key=keys[1])
                closed += 1
        behind = people.who_left([owner])[owner.pk] if owner else []
        ended = sum(people.end_sessions(user) for user in behind)
        roles, kept = _end_roles(leaver.account, behind, by, ip, now)
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
    return Closed(closed, ended, roles, kept)


def _end_roles(account: Account, users: list[User], by: User, ip: str | None, now: datetime) -> tuple[int, str]:
    """How many staff roles of these users ended, and why one did not."""
    ended, kept = 0, ""
    for each in Membership.objects.filter(account=account, user__in=users, role__in=members.STAFF).order_by("pk"):
        try:
            ended += members.change_role(membership=each, role=Membership.Role.USER, by=by, ip=ip, now=now)
        except members.NotAllowed as reason:
            kept = str(reason)
    return ended, kept


def _locked_if_left(leaver: Leaver) -> Owner | None:
    """The owner as it is now. Raises NotLeft."""
    if leaver.owner is None:
        return None
    owner = Owner.objects.select_for_update(no_key=True).get(pk=leaver.owner.pk)
    if not replace(leaver, owner=owner).has_left:
        raise NotLeft(str(owner))
    return owner


def _asked_before(leaver: Leaver, by: User, key: str) -> bool:
    keys = [f"{key}:{phone.pk}:off" for phone in leaver.phones] if key else []
    return any(changes.asked(account=leaver.account, by=by, key=each) for each in keys)
