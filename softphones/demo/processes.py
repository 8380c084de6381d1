"""Processes that never outlive the one that started them.

Each child leads a process group of its own, so that what it starts in turn ends with it, and a Ctrl-C in the terminal
reaches only us: we then stop the children in order. Should we be killed without a chance to do so, the kernel tells them
(`tether.py`; outside of Linux they then go on).
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")
POLL = 0.05


class ChildDied(Exception):
    """A child ended although nobody asked it to. The text names it and quotes the end of its log."""


class Child:
    """A running process whose output goes to `log`, which starts empty.

    `user` (a name, for a process started by root) is who it runs as. A program that can't be started is one that ended:
    its log says why. Start children from the main thread: the kernel takes the end of that thread for the parent's.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str],
        cwd: Path | None = None,
        user: str | None = None,
    ):
        self.name = name
        self.log = log
        self._asked = self._stopped = False
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603  (our own programs, no shell)
                [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), user or "", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        """Leaves a dead child unreaped where the system can tell without, so that its group's id stays ours until `stop`."""
        if self.process.returncode is not None:
            return False
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self.process.poll() is None
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def wait(self, seconds: float) -> bool:
        """True as soon as the process has ended, False after `seconds`."""
        until = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > until:
                return False
            time.sleep(POLL)
        return True

    def ask_to_end(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal, once. `stop` does the rest."""
        if not self._asked and self.alive():
            os.kill(self.pid, with_signal)
            self._asked = True

    def stop(self, *, grace: float = 10, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, wait `grace` seconds, then end it and everything it started. Returns its exit status."""
        if self._stopped:
            return self.process.returncode
        self.ask_to_end(with_signal)
        self.wait(grace)
        self._stopped = True
        # macOS answers EPERM for a group of which only the unreaped leader is left
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.process.wait()

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def died(self) -> ChildDied:
        return ChildDied(f"The {self.name} has stopped. The end of {self.log}:\n\n{self.tail() or '(nothing)'}")
