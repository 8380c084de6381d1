"""What people ask for, written down in their request's transaction. Nothing here calls Audian."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from softphones import audit, mirror, search, setup_links
from softphones.changes.drawing import free_username, new_password
from softphones.changes.sparing import WANTED
from softphones.changes.wishes import (
    ACTS,
    DELETED,
    TRIED_AGAIN,
    draws_password,
    end,
    family,
    means_password,
    recorded,
    unfinished,
)
from softphones.models import Account, Change, Owner, Softphone, User
from softphones.wake import wake

Kind, State = Change.Kind, Change.State

READ_AT_ONCE = 100  # softphones; the others are read by the next run of the mirror
FIELDS = frozenset({"name", "enabled", "owner_id", "caller_id_number", "caller_id_name"})


class NotPossible(Exception):
    """This can't be asked for now; `str()` is a sentence that says why."""


class NothingChanged(NotPossible):
    """What the visitor wants is what they saw, so nothing was asked for, and nothing is on record."""

    def __init__(self) -> None:
        super().__init__(_("Nothing changed: it is as you want it already."))


def create(
    *,
    account: Account,
    name: str,
    owner: Owner | None = None,
    by: User | None,
    enabled: bool = True,
    caller_id_number: str = "",
    caller_id_name: str = "",
    username: str = "",
    password: str = "",
    urgent: bool = True,
    key: str = "",
    batch: str = "",
    reason: str = "",
    ip: str | None = None,
    now: datetime,
) -> Change:
    """Ask for a softphone. Writes it (without an Audian id), and the wish, in the caller's transaction.

    An empty username or password is generated. The same `key` of the same asker gives back the same wish, here and in all
    other acts. `batch` names wishes that stop together when one of them would cost something. Only an urgent wish wakes a
    worker by itself: who asks for many wakes `push_changes` once.
    """

    def write() -> Change:
        chosen = username or free_username(account)
        softphone = Softphone.objects.create(
            account=account,
            name=name,
            owner=owner,
            owner_audian_id=owner.audian_id if owner else "",
            sip_username=chosen,
            username_folded=chosen.lower(),
            enabled=enabled,
            caller_id_number=caller_id_number,
            caller_id_name=caller_id_name,
        )
        search.add(account, [softphone])
        values = {
            "name": name,
            "enabled": enabled,
            "owner_id": softphone.owner_audian_id,
            "caller_id_number": caller_id_number,
            "caller_id_name": caller_id_name,
            "username": chosen,
            "username_generated": not username,
        }
        wish = _wish(softphone, Kind.CREATE, by, urgent, key, reason, now)
        wish.values, wish.password, wish.batch = values, password or new_password(), batch
        wish.save()
        _noted(wish, by, ip, now)
        return wish

    return _once(account, by, key, write)


def update(
    *,
    softphone: Softphone,
    values: Mapping[str, Any],
    seen: Mapping[str, Any],
    by: User | None,
    urgent: bool = True,
    key: str = "",
    batch: str = "",
    reason: str = "",
    ip: str | None = None,
    now: datetime,
) -> Change:
    """Ask for other values. Keys: name, enabled, owner_id (Audian's id, "" for nobody), caller_id_number, caller_id_name.

    `seen` is what the visitor saw: a value that they left as it was is not sent, and one that is another at Audian by
    then makes the wish fail, with both values. Disabling revokes the links; a new owner means a new password too.
    Raises NothingChanged where nothing is to be sent, NotPossible for a softphone that is gone or being deleted,
    ValueError for other keys.
    """
    if not FIELDS.issuperset({*values, *seen}):
        raise ValueError(f"Only {', '.join(sorted(FIELDS))} can be changed.")
    wanted = {field: value for field, value in values.items() if field not in seen or seen[field] != value}
    if not wanted:
        raise NothingChanged

    def write() -> Change:
        locked, waiting = _locked(softphone)
        wish = _wish(locked, Kind.UPDATE, by, urgent, key, reason, now)
        wish.values, wish.seen, wish.batch = wanted, {field: seen[field] for field in wanted if field in seen}, batch
        _refuse_if_ending(waiting)
        changes_owner = "owner_id" in wanted and _owners(locked, waiting) != {wanted["owner_id"]}
        if changes_owner:
            wish.password = new_password()
        carrier = _unsent(waiting, wish, lambda older: older.kind in (Kind.CREATE, Kind.UPDATE))
        _put(wish, carrier, locked, waiting)
        if changes_owner or wanted.get("enabled") is False:
            setup_links.revoke(softphone=locked, now=now)
        _noted(wish, by, ip, now)
        return wish

    return _once(softphone.account, by, key, write)


def reset_password(
    *,
    softphone: Softphone,
    by: User | None,
    reason: str = "",
    urgent: bool = True,
    key: str = "",
    batch: str = "",
    ip: str | None = None,
    now: datetime,
) -> Change:
    """Ask for a new password, which nobody is told here. Revokes all links in the same transaction.

    From now on the portal does not know the softphone's password, until Audian confirmed the new one. Raises NotPossible
    for a softphone that is gone or being deleted.
    """

    def write() -> Change:
        locked, waiting = _locked(softphone)
        _refuse_if_ending(waiting)
        wish = _wish(locked, Kind.RESET_PASSWORD, by, urgent, key, reason, now)
        wish.password, wish.batch = new_password(), batch
        carrier = _unsent(waiting, wish, _takes_reset)
        _put(wish, carrier, locked, waiting)
        setup_links.revoke(softphone=locked, now=now)
        _noted(wish, by, ip, now)
        return wish

    return _once(softphone.account, by, key, write)


def delete(
    *,
    softphone: Softphone,
    by: User | None,
    reason: str = "",
    urgent: bool = True,
    key: str = "",
    batch: str = "",
    unless_used: bool = False,
    ip: str | None = None,
    now: datetime,
) -> Change:
    """Ask for its end. Revokes all links; what was asked before and is unsent is not sent any more.

    A softphone that Audian was never told of is gone at once. `unless_used`: it is looked at once more right before it is
    sent, and kept if somebody uses it (`kept`), unless somebody else asks for its end without this; until then its links
    stay. Raises NotPossible for one that is gone already, and with `unless_used` where something else is on its way.
    """

    def write() -> Change:
        locked, waiting = _locked(softphone)
        if unless_used and any(older.kind != Kind.DELETE for older in waiting):
            raise NotPossible(_(WANTED))
        wish = _wish(locked, Kind.DELETE, by, urgent, key, reason, now)
        wish.values, wish.batch = {"unless_used": True} if unless_used else {}, batch
        ending = next((older for older in waiting if older.kind == Kind.DELETE and not older.folded_into_id), None)
        unsent = [older for older in waiting if _is_unsent(older) and older.kind != Kind.DELETE]
        never_made = any(older.kind == Kind.CREATE for older in unsent) or _was_refused(locked)
        _put(wish, ending, locked, waiting)
        end(family(*unsent).order_by("pk"), State.REPLACED, now, password=None, error=DELETED)
        if not unless_used:
            setup_links.revoke(softphone=locked, now=now)
        _noted(wish, by, ip, now)
        if never_made:
            mirror.forget(locked, now)
            end([wish], State.DONE, now)
        return wish

    return _once(softphone.account, by, key, write)


def asked(*, account: Account, by: User | None, key: str) -> Change | None:
    """The wish that the same asker asked for with the same key, if there is one."""
    return Change.objects.filter(account=account, key=key_of(by, key)).first() if key else None


def try_again(*, change: Change, by: User | None, mine_anyway: bool = False, ip: str | None = None, now: datetime) -> Change:
    """Send a failed wish once more; `mine_anyway` whatever Audian has by now. Returns the wish.

    Raises NotPossible if it has not failed, or if its softphone is gone or being deleted.
    """
    with transaction.atomic():
        softphone, waiting = _locked(change.softphone)
        carrier = Change.objects.select_for_update(no_key=True).get(pk=change.folded_into_id or change.pk)
        if carrier.state != State.FAILED:
            raise NotPossible(_("This has not failed, so there is nothing to try again."))
        if carrier.kind != Kind.DELETE:
            _refuse_if_ending(waiting)
        again = {"state": State.QUEUED, "urgent": True, "attempts": 0, "troubles": 0, "next_attempt_at": None, "error": ""}
        again |= {"conflict": {}, "finished_at": None, "quote": None, "accepted": None, "tried_by": by}
        if carrier.kind != Kind.CREATE:
            again["tried_at"] = None  # whatever became of it, the next try looks first; what a create made must be found
        if mine_anyway:
            again["seen"] = {}
        family(carrier).update(**again)
        renews = carrier.kind != Kind.CREATE and any(map(means_password, family(carrier)))
        if renews:
            carrier.password = new_password()
            carrier.save(update_fields=["password"])
            mirror.forget_password(softphone)
        ends = carrier.kind == Kind.DELETE or family(carrier).filter(kind=Kind.UPDATE, values__enabled=False).exists()
        if renews or ends:
            setup_links.revoke(softphone=softphone, now=now)
        change.refresh_from_db()
        kind = Kind.RESET_PASSWORD if draws_password(carrier) else carrier.kind
        _record(TRIED_AGAIN, change, by, ip, now, kind=str(kind))
        wake("push_changes", account_id=change.account_id)
    return change


def accept(*, change: Change, by: User, ip: str | None = None, now: datetime) -> int:
    """Agree to the charges that Audian asks for this wish and all others of its batch. Returns how many go on.

    None of them costs more than this quote without somebody being asked again. Raises NotPossible if nothing is asked.
    """
    with transaction.atomic():
        held = _held(change)
        going = _asked_together(held)
        going.update(accepted=held.quote, decided_by=by, decided_at=now)
        number = going.filter(folded_into=None).count()
        going.filter(state=State.HELD).update(state=State.QUEUED, quote=None, next_attempt_at=None)
        _record("charges:accepted", change, by, ip, now, count=number)
        wake("push_changes", account_id=change.account_id)
    change.refresh_from_db()
    return number


def decline(*, change: Change, by: User, ip: str | None = None, now: datetime) -> int:
    """Refuse the charges that Audian asks for this wish, and for all others of its batch. Returns how many end.

    Raises NotPossible if nothing is asked.
    """
    with transaction.atomic():
        # What is on its way, or may have arrived, has to be looked after first.
        unsent = Q(folded_into=None) | Q(folded_into__tried_at=None)
        may_end = Q(state=State.HELD) | Q(unsent, state=State.QUEUED, tried_at=None)
        together = _asked_together(_held(change)).filter(may_end)
        ending = list(together.select_for_update(of=("self",), no_key=True).order_by("pk"))
        number = sum(wish.folded_into_id is None for wish in ending)
        look_at(change.account_id, (wish for wish in ending if wish.kind != Kind.CREATE and wish.password))
        decided = {"decided_by": by, "decided_at": now, "quote": None, "accepted": None}
        end(ending, State.FAILED, now, error=_("The charges were declined."), **decided)
        drawn = Change.objects.filter(pk__in=[wish.pk for wish in ending]).exclude(kind=Kind.CREATE)
        drawn.update(password=None)
        _record("charges:declined", change, by, ip, now, count=number)
    change.refresh_from_db()
    return number


def look_at(account_id: int, wishes: Iterable[Change]) -> None:
    """What will not be sent leaves a softphone the password it has, which nobody knows here any more: a GET tells.

    `wishes`: those that hid it.
    """
    ids = sorted({wish.softphone_id for wish in wishes})[:READ_AT_ONCE]
    if ids:
        wake("read_softphones", account_id=account_id, softphone_ids=ids)


def _held(change: Change) -> Change:
    held = Change.objects.select_for_update(no_key=True).get(pk=change.folded_into_id or change.pk)
    if held.state != State.HELD:
        raise NotPossible(_("Nobody waits for a decision about this any more."))
    return held


def _asked_together(held: Change):
    if not held.batch:
        return family(held)
    unfinished_ones = Change.objects.filter(account=held.account_id, state__in=Change.UNFINISHED)
    return unfinished_ones.filter(Q(batch=held.batch) | Q(folded_into__batch=held.batch))


def _once(account: Account, by: User | None, key: str, write: Callable[[], Change]) -> Change:
    """What `write` wrote, or what the same asker with the same key asked before."""
    same = Change.objects.filter(account=account, key=key_of(by, key))
    if key and (before := same.first()):
        return before
    try:
        with transaction.atomic():
            return write()
    except IntegrityError:
        # Another press of the same button came first; it is committed by now.
        if key and (before := same.first()):
            return before
        raise


def key_of(by: User | None, key: str) -> str:
    """The key as it is stored: each asker has their own."""
    return f"{by.pk if by else ''}:{key}"[:200] if key else ""


def _wish(softphone: Softphone, kind: Kind, by: User | None, urgent: bool, key: str, reason: str, now: datetime) -> Change:
    return Change(
        account_id=softphone.account_id,
        softphone=softphone,
        kind=kind,
        asked_by=by,
        urgent=urgent,
        key=key_of(by, key),
        reason=reason[:300],
        created_at=now,
    )


def _locked(softphone: Softphone) -> tuple[Softphone, list[Change]]:
    """The softphone and its unfinished wishes, oldest first, locked until the commit. Raises NotPossible if it is gone."""
    locked = Softphone.objects.select_for_update(no_key=True).get(pk=softphone.pk)
    if locked.gone_at:
        raise NotPossible(_("This softphone no longer exists at Audian."))
    return locked, list(unfinished(locked).select_for_update(no_key=True).order_by("pk"))


def _owners(softphone: Softphone, waiting: list[Change]) -> set[str]:
    """Whose it is, or will be on the way: all of them may come to know its password."""
    return {softphone.owner_audian_id, *(older.values["owner_id"] for older in waiting if "owner_id" in older.values)}


def _refuse_if_ending(waiting: list[Change]) -> None:
    if any(older.kind == Kind.DELETE for older in waiting):
        raise NotPossible(_("This softphone is being deleted."))


def _is_unsent(older: Change) -> bool:
    return older.folded_into_id is None and older.tried_at is None and older.state in (State.QUEUED, State.HELD)


def _unsent(waiting: list[Change], wish: Change, fits: Callable[[Change], bool]) -> Change | None:
    """What `wish` is folded into: the newest that fits, if it is of the same batch or makes the softphone.

    Another batch may be stopped; and what is folded past a newer wish would go before it, and be undone by it.
    """
    carriers = (older for older in reversed(waiting) if older.folded_into_id is None and fits(older))
    newest = next(carriers, None)
    goes_along = newest and _is_unsent(newest) and (newest.kind == Kind.CREATE or newest.batch == wish.batch)
    return newest if goes_along else None


def _takes_reset(older: Change) -> bool:
    """Whether a reset can go along. A lost phone does not wait for somebody who decides about the charges of something else."""
    return older.password is not None and (older.state != State.HELD or older.kind != Kind.UPDATE)


def _was_refused(softphone: Softphone) -> bool:
    """Whether nobody ever made it: its create failed, and no try of it is in doubt."""
    create = Change.objects.filter(account=softphone.account_id, softphone=softphone, kind=Kind.CREATE).order_by("-pk").first()
    return not softphone.audian_id and create is not None and create.state == State.FAILED and create.tried_at is None


def _put(wish: Change, carrier: Change | None, softphone: Softphone, waiting: list[Change]) -> None:
    """Store a wish: in the queue, or folded into an older unsent one, which then carries its password too."""
    password = wish.password
    if carrier:
        wish.folded_into, wish.password, wish.state = carrier, None, carrier.state
        if password:
            carrier.password = password
            carrier.save(update_fields=["password"])
    wish.save()
    if carrier and carrier.state == State.HELD:
        # Another question now: it is asked again.
        family(carrier).update(state=State.QUEUED, quote=None, next_attempt_at=None)
        wish.state = State.QUEUED
    if wish.urgent:
        # Whoever waits for this wish waits for those before it.
        Change.objects.filter(pk__in=[older.pk for older in waiting], urgent=False).update(urgent=True)
        wake("push_changes", account_id=wish.account_id)
    if password and softphone.audian_id:
        mirror.forget_password(softphone)


def _noted(wish: Change, by: User | None, ip: str | None, now: datetime) -> None:
    _record(ACTS[wish.kind], wish, by, ip, now, outcome="asked")
    if wish.kind == Kind.CREATE and wish.urgent:
        wake("push_changes", account_id=wish.account_id)


def _record(act: str, change: Change, by: User | None, ip: str | None, now: datetime, outcome: str = "done", **data) -> None:
    audit.record(
        act=act,
        actor=by,
        softphone=change.softphone,
        ip=ip,
        reason=change.reason,
        outcome=outcome,
        data={**recorded(change), **data},
        now=now,
    )
