"""Runs every test that this machine can run: `make test`, or `python -m tests.run [--strict] [arguments for pytest]`.

First the lint, then the tests on SQLite with a file broker, then the same tests on PostgreSQL with Redis, then once
those to which the pair makes no difference: they need a browser, SIP software or a portal of their own, or no server at
all (tests/once.py). Those marked `both_databases` belong to the pairs. Ends with what ran where, what did not run and
why. With `--strict`, as in CI, what did not run is a failure.
"""

# ruff: noqa: T201  (it is a command: its output is what it is for)

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from tests import pairs

ROOT = Path(__file__).parent.parent
ON_BOTH = "not (e2e or sip or once) or both_databases"
ONCE = "(e2e or sip or once) and not both_databases"
ONLY_ONCE = "Once: browser, SIP, demo, and what needs no database"
NOTHING_COLLECTED = 5


@dataclass
class Outcome:
    """What one run of pytest did: its exit status, the ids of the tests that ran, and those that did not with the reason."""

    title: str
    status: int
    ran: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.status in {0, NOTHING_COLLECTED}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.run", description=__doc__.splitlines()[0])
    parser.add_argument("--strict", action="store_true", help="a test that can't run here is a failure")
    options, given = parser.parse_known_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    complaints = lint()
    outcomes, missing = [], []
    plan = [
        ("SQLite and files", pairs.sqlite_and_files, ON_BOTH),
        ("PostgreSQL and Redis", pairs.postgresql_and_redis, ON_BOTH),
        (ONLY_ONCE, pairs.sqlite_and_files, ONCE),
    ]
    for title, servers, selection in plan:
        with tempfile.TemporaryDirectory(prefix="softphone-portal-run-") as folder:
            try:
                outcomes.append(run(title, servers(Path(folder)), selection, given, Path(folder)))
            except pairs.NoServer as reason:
                missing.append(f"{title}: {reason}.")

    complaints += [
        f"{outcome.title}: pytest failed (exit status {outcome.status})." for outcome in outcomes if not outcome.passed
    ]
    complaints += differences(outcomes)
    if options.strict:
        complaints += missing
        complaints += [f"{outcome.title}: {len(outcome.skipped)} tests did not run." for outcome in outcomes if outcome.skipped]
    report(outcomes, missing, complaints)
    return 1 if complaints else 0


def run(title: str, servers: AbstractContextManager, selection: str, given: list[str], folder: Path) -> Outcome:
    print(f"\n=== {title}", flush=True)
    results = folder / "results.xml"
    # One more than there are processors, since many tests wait for others; a worker without work takes over some of another's.
    workers = str(min(4, (os.cpu_count() or 1) + 1))
    command = [sys.executable, "-m", "pytest", "-m", selection, "-n", workers, "--dist", "worksteal", f"--junitxml={results}"]
    with servers as addresses:
        chosen = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
        process = subprocess.Popen([*command, *given], cwd=ROOT, env=chosen | addresses)
        try:
            status = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    outcome = Outcome(title, status)
    if results.exists():
        read(results, outcome)
    return outcome


def read(results: Path, outcome: Outcome) -> None:
    for case in ET.parse(results).getroot().iter("testcase"):  # noqa: S314  (pytest has just written it)
        name = f"{case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if skipped is None:
            outcome.ran.add(name)
        else:
            outcome.skipped[name] = skipped.get("message") or "no reason given"


def differences(outcomes: list[Outcome]) -> list[str]:
    """The two pairs must have run the same tests."""
    both = [outcome for outcome in outcomes if outcome.title != ONLY_ONCE]
    if len(both) < 2 or both[0].ran == both[1].ran:
        return []
    one, other = both
    odd = sorted(one.ran ^ other.ran)
    return [f"{one.title} ran {len(one.ran)} tests, {other.title} {len(other.ran)}; only one ran: {', '.join(odd[:10])}."]


def lint() -> list[str]:
    tools = Path(sys.executable).parent
    templates = [str(path) for path in sorted((ROOT / "templates").rglob("*.html"))]
    checks = {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "djade": ["djade", "--target-version", "5.2", "--check", *templates],
    }
    print("=== Lint: " + ", ".join(checks), flush=True)
    return [
        f"{name} found something to mend."
        for name, (tool, *arguments) in checks.items()
        if subprocess.run([tools / tool, *arguments], cwd=ROOT).returncode
    ]


def report(outcomes: list[Outcome], missing: list[str], complaints: list[str]) -> None:
    print("\n=== Together")
    for outcome in outcomes:
        print(f"{outcome.title}: {len(outcome.ran)} tests ran, {len(outcome.skipped)} did not.")
        for reason, number in Counter(outcome.skipped.values()).most_common():
            print(f"  not run ({number}): {reason}")
    for reason in missing:
        print(f"Not run: {reason}")
    for complaint in complaints:
        print(f"FAILED: {complaint}")
    print("Failed." if complaints else "All passed.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
