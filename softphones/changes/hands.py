"""Threads that send: each with a database connection and clients of its own."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connections

from softphones.audian.client import AudianClient
from softphones.audian.errors import AudianError
from softphones.changes.recording import began, record
from softphones.changes.sending import Job, Outcome, Trouble, fault_of_ours, send
from softphones.connection import connect
from softphones.leases import Held, LeaseLost
from softphones.models import Account, Change
from softphones.pacing import Urgency

#: `step(name, change)`: called at each named step of the protocol. An exception there counts as the end of the process.
Step = Callable[[str, Change], object]


@dataclass(slots=True)
class Result:
    """How a job came out: how many wishes ended how, or why nothing could be written."""

    job: Job
    ended: Counter = field(default_factory=Counter)
    lost: BaseException | None = None


class Hands:
    """Threads, started as they are needed. `take_result` is what the caller waits on; close with `stop`.

    `crashed`: a step raised, so nothing may be tidied up behind it. `left_behind`: one of them goes on after `stop`.
    """

    def __init__(self, account: Account, lease: Held, step: Step) -> None:
        self._account, self._lease, self._step = account, lease, step
        # Not SimpleQueue: CPython 3.11's waits for ever where a thread loses its turn until after the timeout.
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._results: queue.Queue[Result] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._hands: list[_Hand] = []
        self.under_way: list[Job] = []
        self.crashed = self.left_behind = False

    def give(self, job: Job) -> None:
        job.came_on = time.monotonic()
        self.under_way.append(job)
        if len(self.under_way) > len(self._threads):
            # In a copy of our context, so that its log lines belong where ours do.
            hand = _Hand(self._account, self._lease, self.step)
            self._hands.append(hand)
            given = {"target": copy_context().run, "args": (self._work, hand), "daemon": True}
            thread = threading.Thread(name=f"changes-{len(self._threads) + 1}", **given)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(job)

    def take_result(self, timeout: float) -> Result | None:
        """A job that has come out, waiting `timeout` seconds at most."""
        try:
            result = self._results.get(block=timeout > 0, timeout=timeout)
        except queue.Empty:
            return None
        self.under_way.remove(result.job)
        return result

    def are_stuck(self) -> bool:
        """Whether a job has not come on for longer than calls can take: it hangs, or no thread has it."""
        return any(_hangs(job.came_on) for job in self.under_way)

    def stop(self) -> None:
        """Let the threads finish what they are doing. One that is stuck is left behind: it finds that its lease is lost."""
        for _thread in self._threads:
            self._jobs.put(None)
        began = time.monotonic()
        for thread, hand in zip(self._threads, self._hands, strict=True):
            while thread.is_alive() and not _hangs(hand.came_on or began):
                thread.join(0.5)
            self.left_behind = self.left_behind or thread.is_alive()

    def _work(self, hand: "_Hand") -> None:
        with hand:
            while (job := self._jobs.get()) is not None:
                try:
                    self._results.put(Result(job, ended=hand.carry_out(job)))
                except BaseException as error:  # whatever it is, the drain has to know
                    self._results.put(Result(job, lost=error))

    def step(self, name: str, change: Change) -> None:
        """Reach a step of the protocol. A crash there ends the other threads too, as the end of a process would."""
        if self.crashed:
            raise SystemExit
        try:
            self._step(name, change)
        except BaseException:
            self.crashed = True
            raise


class _Hand(ExitStack):
    """What one thread works with; when it closes, so do its connections."""

    def __init__(self, account: Account, lease: Held, step: Step) -> None:
        super().__init__()
        self.callback(connections.close_all)
        self._account, self._lease, self._step = account, lease, step
        self._clients: dict[Urgency, AudianClient] = {}
        self._job: Job | None = None

    @property
    def came_on(self) -> float | None:
        """When what it carries out came on last, by the monotonic clock; None while it carries out nothing."""
        job = self._job
        return job.came_on if job else None

    def carry_out(self, job: Job) -> Counter:
        """Send one job and record what came of it. Raises LeaseLost, and what the database did if nothing could be written."""
        self._job = job
        job.came_on = time.monotonic()
        try:
            return self._carry_out(job)
        finally:
            self._job = None

    def _carry_out(self, job: Job) -> Counter:
        outcome = self._outcome(job)
        self._step("answered", job.change)
        try:
            ended = self._record(outcome)
        except LeaseLost:
            raise
        except Exception as error:
            # What can't be recorded must not keep all others from going.
            ended = self._record(fault_of_ours(error))
        self._step("recorded", job.change)
        return ended

    def _record(self, outcome: Outcome) -> Counter:
        return record(self._job, outcome, self._lease, lambda: self._step("recording", self._job.change))

    def _outcome(self, job: Job) -> Outcome:
        try:
            return send(job, self._client(Urgency.PERSON if job.change.urgent else Urgency.BULK))
        except LeaseLost:
            raise
        except AudianError as error:
            return Trouble(error)
        except Exception as error:
            return fault_of_ours(error)

    def _client(self, urgency: Urgency) -> AudianClient:
        if urgency not in self._clients:
            client = connect(self._account, urgency=urgency, alive=self._before_call)
            self._clients[urgency] = self.enter_context(client)
        return self._clients[urgency]

    def _before_call(self) -> None:
        """While a call waits for its place, and just before it is made: is it still ours to make?"""
        began(self._job, self._lease)
        self._job.came_on = time.monotonic()
        self._step("calling", self._job.change)


def _hangs(came_on: float) -> bool:
    # Between two calls it may wait for its place, or for another process that logs in, and then for an answer.
    return time.monotonic() - came_on > settings.LEASE_SECONDS + 3 * settings.API_DEADLINE
