"""The queue of an account, as rows: what may be sent next, and what stops all of it."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet

from softphones import clock, mirror
from softphones.changes.wishes import family
from softphones.leases import Held
from softphones.models import Account, Change, Import, Pause, Softphone
from softphones.models.imports import batch_of

Kind, State = Change.Kind, Change.State


def waiting() -> list[int]:
    """The accounts in which something could be sent now, or was left behind by a drain that died, by their primary keys."""
    open_ones = Change.objects.filter(state__in=(State.QUEUED, State.SENDING)).filter(account=OuterRef("pk"))
    accounts = Account.objects.filter(Exists(open_ones)).order_by("pk")
    left = set(Change.objects.filter(state=State.SENDING).values_list("account", flat=True).distinct())
    return [account.pk for account in accounts if account.pk in left or could_go(account)]


def could_go(account: Account) -> bool:
    """Whether something could be sent at this moment."""
    now = clock.now()
    trouble = Pause.objects.filter(account=account).first()
    if trouble:
        return trouble.until <= now and ready(account).exists()
    return due(account, now).exists()


def ready(account: Account) -> QuerySet[Change]:
    """What its softphone lets go next, whenever it is due; what a person waits for comes first.

    That is the oldest wish for it, once none is on its way. One that was stopped keeps no other waiting, unless it makes
    the softphone; what others bring about meanwhile, it does not undo when it goes on (changes.parting).
    """
    blocked = _blocked(account)
    # By the softphone alone: named as well, the account leads databases to read all of its changes for each row.
    there = Change.objects.filter(softphone=OuterRef("softphone"), folded_into=None)
    before = Q(pk__lt=OuterRef("pk")) & (Q(kind=Kind.CREATE) | ~Q(batch__in=blocked))
    first = there.filter(Q(state=State.SENDING) | before, state__in=(State.QUEUED, State.SENDING))
    return _unstopped(account, blocked).exclude(Exists(first)).order_by("-urgent", "pk")


def going_before(carrier: Change, now: datetime) -> int:
    """How many go before this one as of now: not what waits for a decision, for the end of a pause, or for a later try."""
    first = Q(pk__lt=carrier.pk, urgent=carrier.urgent)
    if not carrier.urgent:
        first |= Q(urgent=True)
    # What was asked before for the same softphone goes first in any case.
    goes = _due(now) | Q(softphone=carrier.softphone_id)
    return _unstopped(carrier.account, _blocked(carrier.account)).filter(first & goes).count()


def _unstopped(account: Account, blocked: list[str]) -> QuerySet[Change]:
    """What is queued and waits for nobody's decision."""
    queued = Change.objects.filter(account=account, state=State.QUEUED, folded_into=None)
    stopped_here = Q(batch__in=blocked) & ~wanted_by_others()
    return queued.exclude(stopped_here).exclude(_behind_held(account))


def _blocked(account: Account) -> list[str]:
    """The batches that wait for somebody's decision."""
    return [*_asking(account), *stopped(account, *Import.STOPPED)]


def wanted_by_others() -> Q:
    """The deletions of a batch that somebody outside of it asks for too: they go, and end, whatever becomes of the batch."""
    folded = Change.objects.filter(kind=Kind.DELETE, state__in=Change.UNFINISHED, folded_into__isnull=False)
    others = folded.exclude(batch=F("folded_into__batch"))
    return Q(kind=Kind.DELETE, pk__in=others.values("folded_into"))


def waits_for_charges(change: Change) -> bool:
    """Whether this queued change goes only when somebody has decided about charges: for its batch, or what it builds upon."""
    if change.batch and change.batch in _asking(change.account):
        return True
    return Change.objects.filter(_behind_held(change.account), pk=change.pk).exists()


def paused_with(carrier: Change) -> bool:
    """Whether this queued change goes on only when bulk work is resumed: it is of it, or its softphone is made by it."""
    paused = stopped(carrier.account, Import.State.PAUSED)
    of_batch = Q(pk=carrier.pk) & ~wanted_by_others()
    makes_it = Q(softphone=carrier.softphone_id, kind=Kind.CREATE, pk__lt=carrier.pk, state=State.QUEUED, folded_into=None)
    waiting = Change.objects.filter(account=carrier.account_id, batch__in=paused)
    return waiting.filter(of_batch | makes_it).exists()


def stopped(account: Account, *states: Import.State) -> list[str]:
    """The batches of bulk work in one of these states."""
    found = Import.objects.filter(account=account, state__in=states)
    return [batch_of(pk) for pk in found.values_list("pk", flat=True)]


def _asking(account: Account) -> list[str]:
    """The batches of which one is held."""
    held = Change.objects.filter(account=account, state=State.HELD)
    return list(held.exclude(batch="").values_list("batch", flat=True).distinct())


def _behind_held(account: Account) -> Q:
    """An open question about charges stops what builds upon its answer, and neither a new password nor the end.

    One about bulk work stops that batch, and otherwise only what its softphone has to be made for.
    """
    held = Change.objects.filter(account=account, state=State.HELD, folded_into=None)
    older = held.filter(softphone=OuterRef("softphone"), pk__lt=OuterRef("pk"))
    of_create = Q(Exists(older.filter(kind=Kind.CREATE)), kind__in=(Kind.UPDATE, Kind.RESET_PASSWORD))
    return of_create | Q(Exists(older.filter(batch="")), kind=Kind.UPDATE)


def due(account: Account, now: datetime) -> QuerySet[Change]:
    return ready(account).filter(_due(now))


def next_due(account: Account) -> datetime | None:
    """When the next one of those that wait for their time is due."""
    return ready(account).aggregate(next=Min("next_attempt_at"))["next"]


def claim(account: Account, lease: Held, *, most: int, bulk: int, probing: bool, now: datetime) -> list[Change]:
    """Take up to `most` rows, of those up to `bulk` that nobody waits for. Nobody else can take them then. Raises LeaseLost.

    `probing`: one row finds out whether the account's trouble is over. The one that ran into trouble least often goes,
    whether it is due or not, so that no single row can keep the others waiting.
    """
    with lease.writing():
        if probing:
            rows = list(ready(account).order_by("troubles", "-urgent", "pk")[:1])
        else:
            rows = list(due(account, now)[:most])
            people = [row for row in rows if row.urgent]
            rows = people + rows[len(people) : len(people) + max(bulk, 0)]
        taken = []
        for row in rows:
            # Somebody may just be folding into it, or ending it.
            if Change.objects.filter(pk=row.pk, state=State.QUEUED).update(state=State.SENDING, epoch=lease.epoch):
                Change.objects.filter(folded_into=row).update(state=State.SENDING)
                taken.append(row.pk)
        return list(Change.objects.filter(pk__in=taken).select_related("softphone").order_by("-urgent", "pk"))


def take_back(account: Account, lease: Held) -> None:
    """Queue what a drain that died was sending. Whether it arrived is in doubt if `tried_at` is set."""
    left = Change.objects.filter(account=account, state=State.SENDING, folded_into=None).exclude(epoch=lease.epoch)
    for change in left:
        with lease.writing():
            family(change).filter(state=State.SENDING).update(state=State.QUEUED, next_attempt_at=None)


def pause(account: Account, reason: str, now: datetime, *, wait: float = 0, probing: bool) -> None:
    """Stop the account's queue, in the caller's transaction: first for a few seconds, then twice as long each time.

    `wait` is what Audian asked for, in seconds.
    """
    found = Pause.objects.filter(account=account).first()
    if found and not probing:
        return  # a call that was under way when the trouble began
    found = found or Pause(account=account, since=now, probes=-1)
    found.probes = min(found.probes + 1, 100)
    found.reason = reason
    found.until = now + max(backoff(settings.PAUSE_FIRST, found.probes + 1), timedelta(seconds=wait))
    found.save()


def go_on(account: Account) -> None:
    """The trouble is over."""
    Pause.objects.filter(account=account).delete()


def backoff(first: float, times: int) -> timedelta:
    """How long to wait after it failed so many times in a row."""
    return timedelta(seconds=min(settings.RETRY_MOST, first * 2 ** (min(times, 30) - 1)))


def hide_password(softphone: Softphone) -> None:
    """While a new password is on its way, the old one is not shown to anybody."""
    on_its_way = Change.objects.filter(softphone=softphone, state__in=Change.UNFINISHED, password__isnull=False)
    if on_its_way.exclude(kind=Kind.CREATE).exists():
        mirror.forget_password(softphone)


def _due(now: datetime) -> Q:
    return Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)
