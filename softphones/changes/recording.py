"""What an outcome means for the rows: one transaction, which only the holder of the lease can commit."""

from collections import Counter
from collections.abc import Callable

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from softphones import clock, mirror
from softphones.changes.parting import end_overtaken, fail_in_conflict, part_resets
from softphones.changes.queue import backoff, go_on, hide_password, pause
from softphones.changes.sending import Again, Asks, Done, Failed, Job, Kept, Later, Outcome, Trouble, answered
from softphones.changes.sparing import spares
from softphones.changes.wishes import DELETED, end, family, is_replaced, unfinished
from softphones.leases import Held, LeaseLost
from softphones.models import Change, Pause, Softphone

Kind, State = Change.Kind, Change.State


def began(job: Job, lease: Held) -> None:
    """Just before a call: what may be carried out from now on is noted. Raises LeaseLost."""
    with lease.writing():
        mine = Change.objects.filter(pk=job.change.pk, state=State.SENDING, epoch=lease.epoch)
        written = mine.update(tried_at=clock.now()) if job.writes else mine.exists()
        if not written:
            raise LeaseLost(lease.name)


def record(job: Job, outcome: Outcome, lease: Held, before_commit: Callable[[], object]) -> Counter:
    """Write down what came of it. Returns how many wishes ended how. Raises LeaseLost, and then nothing is written."""
    with lease.writing():
        softphones = Softphone.objects.select_related("account")
        softphone = softphones.select_for_update(of=("self",), no_key=True).get(pk=job.change.softphone_id)
        mine = Change.objects.select_for_update(no_key=True).filter(pk=job.change.pk, state=State.SENDING, epoch=lease.epoch)
        if not mine.exists():
            raise LeaseLost(lease.name)
        ended = _RECORDERS[type(outcome)](job, outcome, softphone)
        if job.probing and answered(outcome):
            go_on(softphone.account)
        before_commit()
    return ended


def _done(job: Job, outcome: Done, softphone: Softphone) -> Counter:
    now = timezone.now()
    if outcome.document is None:
        return _deleted(job, softphone)
    if softphone.audian_id is None:
        _give_id(softphone, outcome.document.id)
    row = mirror.absorb(softphone.account, outcome.document, now)
    if job.change.password and not outcome.document.complete:
        mirror.confirm_password(row, job.change.password)
    replaced = [wish for wish in job.wishes if is_replaced(wish, job.values)]
    fulfilled = [wish for wish in job.wishes if wish not in replaced]
    ended = end(replaced, State.REPLACED, now, password=None, error="")
    ended += end(fulfilled, State.DONE, now, password=None, error="")
    ended += end_overtaken(job.change, job.values, now)
    _tell_later_ones(job)
    hide_password(row)
    return ended


def _deleted(job: Job, softphone: Softphone) -> Counter:
    now = timezone.now()
    mirror.forget(softphone, now)
    ended = end(_joined(job), State.DONE, now, error="")
    return ended + end(unfinished(softphone).order_by("pk"), State.REPLACED, now, error=DELETED, password=None)


def _failed(job: Job, outcome: Failed, softphone: Softphone) -> Counter:
    if outcome.document:
        mirror.absorb(softphone.account, outcome.document, timezone.now())
    if outcome.conflict:
        return _in_conflict(job, outcome, softphone)
    # A create keeps its password: a device that some try made may be known by it.
    forget = {} if job.change.kind == Kind.CREATE else {"password": None}
    _unless_doubtful(job, outcome.doubtful)
    ended = end(_joined(job), State.FAILED, timezone.now(), error=outcome.sentence, **forget)
    hide_password(softphone)
    return ended


def _in_conflict(job: Job, outcome: Failed, softphone: Softphone) -> Counter:
    _unless_doubtful(job, outcome.doubtful)
    ended, rest = fail_in_conflict(job.change, outcome.conflict, outcome.sentence, timezone.now())
    Change.objects.filter(pk__in=[wish.pk for wish in rest]).update(state=State.QUEUED, next_attempt_at=None)
    hide_password(softphone)
    return ended


def _kept(job: Job, outcome: Kept, softphone: Softphone) -> Counter:
    if not spares(job.change):
        # Somebody asked for its end meanwhile, whoever uses it.
        _requeue(job, doubtful=False)
        return Counter()
    return end(_joined(job), State.REPLACED, timezone.now(), error=outcome.why, outcome="kept")


def _joined(job: Job) -> QuerySet[Change]:
    """The wishes of the job as of now: a second deletion joins one that is on its way already."""
    return family(job.change).order_by("pk")


def _again(job: Job, outcome: Again, softphone: Softphone) -> Counter:
    attempts = job.change.attempts + 1
    if attempts >= settings.CHANGE_ATTEMPTS:
        family(job.change).update(attempts=attempts)
        return _failed(job, Failed(outcome.sentence, document=outcome.document, doubtful=outcome.doubtful), softphone)
    _requeue(
        job,
        doubtful=outcome.doubtful,
        attempts=attempts,
        error=outcome.sentence,
        next_attempt_at=clock.now() + backoff(settings.CHANGE_RETRY, attempts),
    )
    return Counter()


def _later(job: Job, outcome: Later, softphone: Softphone) -> Counter:
    _requeue(job, doubtful=False, next_attempt_at=outcome.at)
    if job.probing and not outcome.answered:
        # A row that probes goes whether it is due or not.
        Pause.objects.filter(account=softphone.account, until__lt=outcome.at).update(until=outcome.at)
    return Counter()


def _asks(job: Job, outcome: Asks, softphone: Softphone) -> Counter:
    _unless_doubtful(job, doubtful=False)
    waiting, resets = part_resets(job.change)
    for wishes, state, quote in ((waiting, State.HELD, outcome.quote), (resets, State.QUEUED, None)):
        rows = Change.objects.filter(pk__in=[wish.pk for wish in wishes])
        rows.update(state=state, quote=quote, next_attempt_at=None, error="")
    return Counter()


def _trouble(job: Job, outcome: Trouble, softphone: Softphone) -> Counter:
    troubles, now = min(job.change.troubles + 1, 100), clock.now()
    next_attempt_at = now + backoff(settings.PAUSE_FIRST, troubles)
    _requeue(job, doubtful=outcome.doubtful, troubles=troubles, next_attempt_at=next_attempt_at)
    pause(softphone.account, str(outcome.error), now, wait=outcome.error.retry_after or 0, probing=job.probing)
    return Counter()


def _requeue(job: Job, *, doubtful: bool, **values) -> None:
    """Let it wait again."""
    family(job.change).update(state=State.QUEUED, **values)
    _unless_doubtful(job, doubtful)


def _unless_doubtful(job: Job, doubtful: bool) -> None:
    """Unless this try may have been carried out, the wish is as unsent as before."""
    if not doubtful:
        Change.objects.filter(pk=job.change.pk).update(tried_at=job.change.tried_at)


def _give_id(softphone: Softphone, audian_id: str) -> None:
    """Audian's id of the device that was made. A mirror that did not recognise it may have made a row for it."""
    other = Softphone.objects.filter(account=softphone.account_id, audian_id=audian_id).first()
    if other:
        mirror.forget(other, timezone.now())
        Softphone.objects.filter(pk=other.pk).update(audian_id=None)
    softphone.audian_id = audian_id
    softphone.save(update_fields=["audian_id"])


def _tell_later_ones(job: Job) -> None:
    """Who asked for something later saw what was there before, or what this makes of it: now that is what is there."""
    later = Change.objects.filter(
        account=job.change.account_id,
        softphone=job.change.softphone_id,
        state__in=Change.UNFINISHED,
        kind=Kind.UPDATE,
    )
    for wish in later:
        seen = dict(wish.seen)
        for field, value in job.values.items():
            if field in seen and seen[field] == job.expected.get(field, seen[field]):
                seen[field] = value
        if seen != wish.seen:
            wish.seen = seen
            wish.save(update_fields=["seen"])


_RECORDERS = {Done: _done, Failed: _failed, Kept: _kept, Again: _again, Later: _later, Asks: _asks, Trouble: _trouble}
