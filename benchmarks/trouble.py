"""What goes wrong while a file is sent: workers that die, and an Audian that fails. Each at a random call, one at a time."""

import random
import signal
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from softphones.audian.sandbox import Sandbox
from softphones.audian.sandbox.faults import Fault

KILL = "kill -9"
#: What each kind of trouble is called; a line without one of `DEMANDED` shows nothing.
DEMANDED = {KILL: "kill -9", "cut_after": "cut after the commit", "503": "503", "html_502": "HTML 502"}
NAMES = DEMANDED | {"cut_before": "cut before it"}
# Each kills as many workers, and has a fault for as many rows, but each kind of fault once at least.
MOST_KILLS, ROWS_PER_KILL, ROWS_PER_FAULT = 4, 20, 25
# Of so many calls at the end none is chosen: enough has to be left to do, so that the last trouble is met too.
QUIET_END = 40
DIES_WITHIN = 0.1  # seconds after the call
FAILED = (0, 502, 503)


class Troubles:
    """Disturbs what is sent to a sandbox in this process: as many kills and faults as so many rows deserve.

    Moments are counted in calls for devices, so that a slow machine meets what a fast one does. The next trouble waits
    until the last fault was answered to a worker that lives: so each is met, and no call meets two.
    """

    def __init__(self, sandbox: Sandbox, *, rows: int, chance: random.Random):
        self.kills = 0
        self._sandbox, self._chance = sandbox, chance
        self._lock = threading.Lock()
        self._calls = 0
        self._ordered: list[Fault] = []
        self._worker: subprocess.Popen | None = None
        faults = [name for name in NAMES if name != KILL]
        kinds = [KILL] * min(MOST_KILLS, max(1, rows // ROWS_PER_KILL))
        kinds += [faults[n % len(faults)] for n in range(max(len(faults), rows // ROWS_PER_FAULT))]
        chance.shuffle(kinds)
        last = max(1, rows // 2, rows - QUIET_END)
        self._left = deque(zip(sorted(chance.randint(1, last) for _ in kinds), kinds, strict=True))
        sandbox.on_request(self._hear)

    def disturb(self, worker: Callable[[], subprocess.Popen], *, seconds: float) -> bool:
        """Have one worker after the other send, until one comes to its end. Returns whether that was in time."""
        until = time.monotonic() + seconds
        while True:
            process = worker()
            with self._lock:
                self._worker = process
            try:
                status = process.wait(max(0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return False
            if status != -signal.SIGKILL:
                return True
            self.kills += 1

    @property
    def met(self) -> Counter[str]:
        """How often each kind happened: faults that a call took at the sandbox, and workers that a kill ended."""
        return Counter(fault.name for fault in self._ordered if not fault.times) + Counter({KILL: self.kills})

    def _hear(self, method: str, path: str) -> None:
        """A call came in, and is not carried out yet."""
        if "/devices" not in path:
            return
        with self._lock:
            self._calls += 1
            if self._worker and self._left and self._calls >= self._left[0][0] and self._is_over():
                self._happen(self._left.popleft()[1])

    def _is_over(self) -> bool:
        return sum(call.status in FAILED for call in self._sandbox.calls) >= len(self._ordered)

    def _happen(self, kind: str) -> None:
        if kind == KILL:
            threading.Timer(self._chance.uniform(0, DIES_WITHIN), self._worker.kill).start()
            self._worker = None
        else:
            # What is cut off after a look says nothing of commits.
            match = "PUT /devices" if kind == "cut_after" else "/devices"
            self._ordered.append(self._sandbox.faults.add(kind, match=match))


def told(met: Counter[str]) -> list[str]:
    """What happened how often, and what is demanded and never happened."""
    said = [f"{met[kind]} {name}" for kind, name in NAMES.items() if met[kind]]
    return said + [f"no {name}" for kind, name in DEMANDED.items() if not met[kind]]
