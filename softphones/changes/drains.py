"""Sending what waits in one account: one drain at a time, several softphones side by side, for a while."""

import logging
import time
from collections import Counter
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count
from django.utils.translation import gettext as _

from softphones import clock, leases
from softphones.changes import queue
from softphones.changes.hands import Hands, Step
from softphones.changes.sending import Job
from softphones.changes.telling import paused
from softphones.models import Account, Change, Pause

logger = logging.getLogger(__name__)

State = Change.State

# How often a drain looks for what came in meanwhile, in seconds.
LOOKS_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Drained:
    """What one drain did: how many wishes ended how, how many are `held`, and how many are `left` in the account.

    `more`: something could go at once, so another drain is wanted. `busy`: another drain is at work; this one did nothing.
    """

    done: int
    failed: int
    held: int
    left: int
    message: str
    more: bool = False
    busy: bool = False


def drain(*, account: Account, seconds: float | None = None, step: Step | None = None) -> Drained:
    """Send what waits, for `seconds` (DRAIN_SECONDS unless given), then hand over. Not in a transaction.

    Returns at once if another process is at it. Whatever Audian answers ends up in the rows; only faults of the portal
    are raised. `step(name, change)` is called between the steps of the protocol: claimed, calling, answered, recording,
    recorded. A call that hangs for longer than calls can take is left behind: the lease lapses, and another drain sees to it.
    """
    lease = leases.take(f"changes:{account.pk}")
    if lease is None:
        return _drained(account, Counter(), busy=True)
    work = _Drain(account, lease, settings.DRAIN_SECONDS if seconds is None else seconds, step or _nothing)
    try:
        work.run()
    finally:
        if not (work.hands.crashed or work.hands.left_behind):
            lease.release()
    # Asked only now: whoever came while we held the lease has gone away again.
    return _drained(account, work.ended, more=queue.could_go(account))


def _nothing(name: str, change: Change) -> None:
    """What happens at a step when nobody watches."""


class _Drain:
    def __init__(self, account: Account, lease: leases.Held, seconds: float, step: Step) -> None:
        self.account, self.lease = account, lease
        self.hands = Hands(account, lease, step)
        self.ended: Counter = Counter()
        self._until = time.monotonic() + seconds
        # What people wait for still goes while the last bulk calls come to their end.
        self._closes = self._until + settings.API_DEADLINE
        self._renewed = time.monotonic()

    def run(self) -> None:
        try:
            queue.take_back(self.account, self.lease)
            while self._turn() and not self.hands.are_stuck():
                self._stay_alive()
        except leases.LeaseLost:
            # Somebody took over. What is under way here finds that out by itself, and writes nothing.
            return
        finally:
            self.hands.stop()
        if self.hands.left_behind or self.hands.under_way:
            logger.error("A change of %s hangs, so this drain ends and leaves it to the next one.", self.account.slug)

    def _turn(self) -> bool:
        """Hand out what may go now, then wait for something to happen. Returns whether there is more to do."""
        now = clock.now()
        trouble = Pause.objects.filter(account=self.account).first()
        stopped = trouble is not None and trouble.until > now
        if not stopped:
            self._hand_out(now, probing=trouble is not None)
        if self.hands.under_way:
            self._take_results(LOOKS_EVERY)
            return True
        wait = self._wait_for_next(now, trouble.until if stopped else None)
        if wait is None:
            return False
        time.sleep(wait)
        return True

    def _hand_out(self, now, *, probing: bool) -> None:
        under_way = self.hands.under_way
        over = time.monotonic() >= self._until
        if (probing and under_way) or (over and (not under_way or time.monotonic() >= self._closes)):
            return
        free = 1 if probing else settings.DRAIN_WIDTH - len(under_way)
        bulk = sum(not job.change.urgent for job in under_way)
        bulk = 0 if over else settings.DRAIN_BULK_WIDTH - bulk
        if free < 1:
            return
        for change in queue.claim(self.account, self.lease, most=free, bulk=bulk, probing=probing, now=now):
            self.hands.step("claimed", change)
            self.hands.give(Job.of(change, probing=probing))

    def _take_results(self, wait: float) -> None:
        while result := self.hands.take_result(wait):
            if result.lost is not None:
                raise result.lost
            self.ended += result.ended
            wait = 0

    def _wait_for_next(self, now, trouble_until) -> float | None:
        """Seconds until the next look; None if there is nothing to stay for."""
        left = self._until - time.monotonic()
        if left <= 0 or (trouble_until and not queue.ready(self.account).exists()):
            return None
        next_due = trouble_until or queue.next_due(self.account)
        if next_due is None:
            return None
        wait = max((next_due - now).total_seconds(), 0)
        if wait > min(left, settings.DRAIN_LINGER):
            return None
        return min(wait, LOOKS_EVERY) or 0.01

    def _stay_alive(self) -> None:
        now = time.monotonic()
        if now - self._renewed > settings.LEASE_SECONDS / 4:
            self.lease.renew()
            self._renewed = now


def _drained(account: Account, ended: Counter, *, more: bool = False, busy: bool = False) -> Drained:
    unfinished = Change.objects.filter(account=account, state__in=Change.UNFINISHED)
    counts = Counter(dict(unfinished.values_list("state").annotate(Count("pk"))))
    left, held = counts[State.QUEUED] + counts[State.SENDING], counts[State.HELD]
    done, failed = ended[State.DONE], ended[State.FAILED]
    message = _("%(done)d done, %(failed)d failed, %(held)d held, %(left)d left.")
    message %= {"done": done, "failed": failed, "held": held, "left": left}
    if busy:
        message = _("Another process is sending the changes of this account. %(counts)s") % {"counts": message}
    elif trouble := paused(account):
        message = f"{message} {trouble.reason}"
    return Drained(done, failed, held, left, message, more=more, busy=busy)
