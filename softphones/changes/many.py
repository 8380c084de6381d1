"""Many wishes at once: as `create` writes one, and as they end when nobody wants the rest of them any more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_noop

from softphones import audit, mirror, search
from softphones.changes.asking import key_of, look_at
from softphones.changes.drawing import generated_username, new_password
from softphones.changes.queue import wanted_by_others
from softphones.changes.wishes import ACTS, finished, means_password, recorded
from softphones.models import Account, Change, Owner, Softphone, User

Kind, State = Change.Kind, Change.State

CANCELLED = gettext_noop("Cancelled before it was sent.")
_FETCH = ("softphone__owner__user", "asked_by", "tried_by")
_SECRETS = ("password", "softphone__password")


@dataclass(frozen=True, slots=True)
class NewPhone:
    """A softphone to be asked for, as `create` takes it. `instead_of`: one that could not be made, and becomes this one."""

    name: str
    owner: Owner | None = None
    enabled: bool = True
    caller_id_number: str = ""
    caller_id_name: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    key: str = ""
    instead_of: int | None = None


def create_many(
    *, account: Account, phones: Sequence[NewPhone], by: User | None, batch: str, ip: str | None = None, now: datetime
) -> list[Change]:
    """Ask for all these softphones, in their order, as `create` asks for one that is not urgent. In one transaction.

    Costs a few statements, not a few for each. A `key` that was used before raises IntegrityError and nothing is asked.
    Whoever calls it wakes `push_changes`.
    """
    with transaction.atomic():
        usernames = _usernames(account, [phone.username for phone in phones])
        failed = _failed(account, [phone.instead_of for phone in phones if phone.instead_of])
        rows = [_softphone(account, phone, name) for phone, name in zip(phones, usernames, strict=True)]
        made = [row for row, phone in zip(rows, phones, strict=True) if phone.instead_of not in failed]
        Softphone.objects.bulk_create(made)
        search.add(account, made)
        wishes = []
        for row, phone in zip(rows, phones, strict=True):
            before = failed.get(phone.instead_of)
            wishes.append(_anew(before, phone, row, by, batch) if before else _wish(row, phone, by, batch, now))
        Change.objects.bulk_create([wish for wish in wishes if wish.pk is None])
        audit.record_many(
            act=ACTS[Kind.CREATE],
            softphones=[(wish.softphone, recorded(wish)) for wish in wishes],
            actor=by,
            ip=ip,
            outcome="asked",
            now=now,
        )
    return wishes


def cancel_unsent(*, account: Account, batch: str, now: datetime, most: int) -> int:
    """End up to `most` wishes of this batch that are still unsent. Returns how many it found; fewer: none is left.

    What is on its way, or may have arrived, goes on: it has to be looked after. Stop the batch before, or some of it is
    sent meanwhile.
    """
    with transaction.atomic():
        unsent = Change.objects.filter(account=account, batch=batch, tried_at=None, folded_into=None)
        unsent = unsent.filter(state__in=(State.QUEUED, State.HELD)).exclude(wanted_by_others()).defer(*_SECRETS)
        first = dict(unsent.order_by("pk").values_list("pk", "softphone")[:most])
        _lock(first.values())
        locked = unsent.filter(pk__in=first).select_for_update(of=("self",), no_key=True)
        chunk = list(locked.select_related(*_FETCH).order_by("pk"))
        # Somebody asked for more meanwhile, in the same call: that ends with it.
        folded = Change.objects.filter(folded_into__in=[change.pk for change in chunk]).defer(*_SECRETS).order_by("pk")
        ending = [*chunk, *folded.select_related(*_FETCH)]
        _cancel(account, ending, now)
        look_at(account.pk, filter(means_password, ending))
        return len(first)


def _cancel(account: Account, wishes: list[Change], now: datetime) -> None:
    for wish in wishes:
        wish.account = wish.softphone.account = account
    ended = {"state": State.REPLACED, "finished_at": now, "error": CANCELLED}
    Change.objects.filter(pk__in=[wish.pk for wish in wishes]).update(**ended, password=None, quote=None)
    mirror.forget_all([wish.softphone for wish in wishes if wish.kind == Kind.CREATE], now)
    alike = groupby(sorted(wishes, key=_sort), key=_sort)
    for (kind, _asker), same in alike:
        same = list(same)
        told = [(wish.softphone, recorded(wish)) for wish in same]
        audit.record_many(act=ACTS[kind], softphones=told, actor=same[0].pressed_by, outcome=str(State.REPLACED), now=now)
    for wish in wishes:
        for name, value in ended.items():
            setattr(wish, name, value)
        finished.send(sender=Change, change=wish)


def _sort(wish: Change) -> tuple[str, int]:
    return wish.kind, wish.tried_by_id or wish.asked_by_id or 0


def _usernames(account: Account, chosen: Sequence[str]) -> list[str]:
    """The usernames that were chosen, and where none was, one that nobody has."""
    missing = sum(not username for username in chosen)
    fresh: set[str] = set()
    while len(fresh) < missing:
        drawn = {generated_username() for _place in range(missing - len(fresh))} - fresh
        taken = Softphone.objects.filter(account=account, username_folded__in=drawn)
        fresh |= drawn - set(taken.values_list("username_folded", flat=True))
    left = iter(fresh)
    return [username or next(left) for username in chosen]


def _softphone(account: Account, phone: NewPhone, username: str) -> Softphone:
    return Softphone(
        account=account,
        name=phone.name,
        owner=phone.owner,
        owner_audian_id=phone.owner.audian_id if phone.owner else "",
        sip_username=username,
        username_folded=username.lower(),
        enabled=phone.enabled,
        caller_id_number=phone.caller_id_number,
        caller_id_name=phone.caller_id_name,
    )


def _wish(softphone: Softphone, phone: NewPhone, by: User | None, batch: str, now: datetime) -> Change:
    return Change(
        account=softphone.account,
        softphone=softphone,
        kind=Kind.CREATE,
        asked_by=by,
        urgent=False,
        key=key_of(by, phone.key),
        batch=batch,
        created_at=now,
        password=phone.password or new_password(),
        values={
            "name": softphone.name,
            "enabled": softphone.enabled,
            "owner_id": softphone.owner_audian_id,
            "caller_id_number": softphone.caller_id_number,
            "caller_id_name": softphone.caller_id_name,
            "username": softphone.sip_username,
            "username_generated": not phone.username,
        },
    )


def _failed(account: Account, softphones: Iterable[int]) -> dict[int, Change]:
    """The creates of these softphones that failed, by softphone."""
    failed = Change.objects.filter(account=account, kind=Kind.CREATE, state=State.FAILED, folded_into=None)
    there = Q(softphone__gone_at=None, softphone__audian_id=None)
    failed = failed.filter(there, softphone__in=_lock(softphones)).select_related("softphone")
    rows = failed.select_for_update(of=("self",), no_key=True).order_by("pk")
    return {change.softphone_id: change for change in rows}


def _lock(softphones: Iterable[int]) -> list[int]:
    """These softphones until the commit, before their wishes: everybody locks in this order."""
    rows = Softphone.objects.select_for_update(no_key=True).filter(pk__in=list(softphones)).order_by("pk")
    return list(rows.values_list("pk", flat=True))


def _anew(change: Change, phone: NewPhone, wanted: Softphone, by: User | None, batch: str) -> Change:
    """The create that failed, as it is wanted now. It keeps its mark, and if a try of it is in doubt its password too, so that
    what it made in spite of all is found."""
    softphone = change.softphone
    same_username = not phone.username or phone.username.lower() == softphone.username_folded
    fields = ["name", "owner", "owner_audian_id", "enabled", "caller_id_number", "caller_id_name"]
    fields += [] if same_username else ["sip_username", "username_folded"]
    for name in fields:
        setattr(softphone, name, getattr(wanted, name))
    softphone.save(update_fields=fields)
    search.remove(Softphone, [softphone.pk])
    search.add(softphone.account, [softphone])
    generated = change.values.get("username_generated", False) and same_username
    values = _wish(softphone, phone, by, batch, change.created_at).values
    # On its own from now on: what is folded goes, and comes true, with its carrier.
    Change.objects.filter(folded_into=change).update(
        state=State.REPLACED, password=None, folded_into=None, error="", conflict={}
    )
    change.values = values | {"username_generated": generated}
    before = change.password if change.tried_at else ""
    change.password = phone.password or before or new_password()
    change.state, change.urgent, change.batch, change.asked_by = State.QUEUED, False, batch, by
    change.attempts = change.troubles = 0
    change.next_attempt_at = change.finished_at = change.quote = change.accepted = change.tried_by = None
    change.error, change.conflict = "", {}
    change.save()
    return change
