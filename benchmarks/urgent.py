"""How soon a new password is at Audian that somebody asks for while a large import is sent: `python -m benchmarks.urgent`.

Exit code 1 if one of them takes longer than 3 seconds, from the press until Audian has confirmed it and the portal says so.
Against the sandbox in a process of its own, with the token buckets of 100 and 10 a second and 50 ms of latency, on SQLite
unless `--database` names an empty one. The rows of the import are written and sent by processes of their own meanwhile.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import django

from benchmarks.mirror import Line
from benchmarks.stage import ROOT, stage

LIMIT, ROWS, PRESSES = 3, 5_000, 14
BETWEEN = 2.3  # seconds from one to the next: they meet the burst, the paced calls, and drains that hand over after 20 s
GIVES_UP = 60
WRITER = ("-m", "benchmarks.urgent", "--write")
SENDER = ("manage.py", "push_changes", "--json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows of the import ({ROWS})")
    parser.add_argument("--presses", type=int, default=PRESSES, help=f"new passwords that are asked for ({PRESSES})")
    parser.add_argument("--database", default="", help="address of an empty database (an SQLite file of its own)")
    parser.add_argument("--press", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.press or options.write:
        django.setup()
        print(json.dumps(press(options.rows) if options.press else write()))
        return 0
    with stage(devices=options.presses, latency_ms=50, database=options.database, rate_limit=True) as place:
        run = place.run("benchmarks.urgent", "--press", f"--rows={options.rows}")
    if not run["waiting"]:
        sys.exit(f"The run is no measure: {run}")
    detail = (
        f"{len(run['seconds'])} presses, median {run['median']:.2f} s; {run['waiting']:,} of {options.rows:,} rows still wait"
    )
    line = Line("seconds until a reset is at Audian, at most", max(run["seconds"]), LIMIT, detail=detail)
    print(line, flush=True)
    return 0 if line.kept else 1


def press(rows: int) -> dict:
    """Start an import, and reset one phone after the other while it is sent. Seconds that each took."""
    from django.utils import timezone

    from softphones import changes, imports, mirror
    from softphones.configuration import account_from_environment
    from softphones.models import Change, Import, Softphone

    account = account_from_environment()
    mirror.run(account, timezone.now())
    phones = list(Softphone.objects.present())
    file = ("name,extension\n" + "".join(f"Phone {n},{10_000 + n}\n" for n in range(rows))).encode()
    asked = {"by": None, "now": timezone.now()}
    imports.start(batch=imports.check(file=file, name="phones.csv", account=account, **asked), **asked)
    seconds = []
    with _beside(*WRITER), _beside(*SENDER):
        _wait_for(lambda: Change.objects.filter(state=Change.State.DONE).exists())
        for phone in phones:
            begun = time.perf_counter()
            wish = changes.reset_password(softphone=phone, by=None, now=timezone.now())
            _wait_for(lambda wish=wish: Change.objects.filter(pk=wish.pk, state=Change.State.DONE).exists())
            seconds.append(time.perf_counter() - begun)
            if seconds[-1] >= GIVES_UP:
                break
            time.sleep(BETWEEN)
        waiting = Import.objects.get().will - Change.objects.filter(kind=Change.Kind.CREATE, state=Change.State.DONE).count()
    return {"seconds": seconds, "median": sorted(seconds)[len(seconds) // 2], "waiting": waiting}


def write() -> dict:
    """Write what the start of the import left to write."""
    from django.utils import timezone

    from softphones import imports
    from softphones.models import Import

    imports.go_on(batch=Import.objects.get(), now=timezone.now())
    return {}


@contextmanager
def _beside(*command: str) -> Iterator[None]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, **quiet)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _wait_for(happens: Callable[[], bool]) -> None:
    """Until it happens, or nobody would wait any longer."""
    until = time.perf_counter() + GIVES_UP
    while not happens() and time.perf_counter() < until:
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
