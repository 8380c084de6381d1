"""Processes started for the demo never outlive it, whatever happens to it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from softphones.demo.processes import Child

ROOT = Path(__file__).parent.parent.parent
# Starts a grandchild that ignores SIGTERM, and says its process id.
PARENT_OF_A_STUBBORN_ONE = """
import subprocess, sys, time
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def start(tmp_path):
    children = []

    def start(source: str) -> Child:
        child = Child("thing", [sys.executable, "-u", "-c", source], log=tmp_path / "log" / "thing.log", env=os.environ)
        children.append(child)
        return child

    yield start
    for child in children:
        child.stop(grace=0)


def wait_until(what, seconds: float = 60):
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
    return found


def runs(pid: int) -> bool:
    """A zombie that nobody has reaped yet does not run any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_that_ends_well_is_left_the_time_to_do_so(start):
    child = start(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), print('done'), sys.exit(3)))\n"
        "print('up'); time.sleep(600)"
    )
    wait_until(lambda: "up" in child.tail())
    assert child.stop(grace=60) == 3
    assert child.tail() == "up\ndone"


def test_a_child_that_will_not_end_is_killed_after_its_grace(start):
    child = start("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)")
    wait_until(lambda: "up" in child.tail())
    assert child.stop(grace=0.3) == -signal.SIGKILL


def test_what_a_child_has_started_ends_with_it(start):
    child = start(PARENT_OF_A_STUBBORN_ONE)
    grandchild = int(wait_until(child.tail))
    child.stop(grace=5)
    wait_until(lambda: not runs(grandchild))


def test_what_a_child_has_started_ends_even_if_the_child_was_killed(start):
    child = start(PARENT_OF_A_STUBBORN_ONE)
    grandchild = int(wait_until(child.tail))
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: not child.alive())
    child.stop()
    wait_until(lambda: not runs(grandchild))


def test_a_child_that_died_is_told_of_with_the_end_of_its_log(start):
    child = start("print('one'); print('two'); raise SystemExit('no more paper')")
    assert child.wait(60)
    told = str(child.died())
    assert told.startswith("The thing has stopped. The end of ")
    assert told.endswith("\n\none\ntwo\nno more paper")


def test_a_child_is_still_alive_until_it_is_not(start):
    child = start("import time; time.sleep(600)")
    assert child.alive()
    assert not child.wait(0.2)
    child.stop()
    assert not child.alive()


def test_a_program_that_is_not_there_is_told_of(tmp_path):
    child = Child("thing", ["/nowhere/thing"], log=tmp_path / "log", env=os.environ)
    assert child.wait(60)
    assert str(child.died()).endswith("/nowhere/thing can't be started: No such file or directory.")
    assert child.stop() == 1


def test_the_kernel_ends_a_child_whose_parent_was_killed(tmp_path):
    script = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from softphones.demo.processes import Child\n"
        f"child = Child('thing', ['sleep', '600'], log=Path({str(tmp_path / 'log')!r}), env=os.environ)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with parent:
        child = int(parent.stdout.readline())
        assert runs(child)
        parent.kill()
    wait_until(lambda: not runs(child))
