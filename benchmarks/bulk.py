"""How fast and how truly a file becomes softphones: `python -m benchmarks.bulk`. Exit code 1 if a limit is missed.

Against the sandbox in a process of its own, with the token buckets of 100 and 10 a second and 50 ms of latency, on SQLite
unless `--database` names an empty one (one line of the table only then). Each size is imported twice: undisturbed, where
the wall time is of the whole command; and by workers that are killed (kill -9) at random moments, while answers are cut off
after they were carried out and Audian answers 503 and HTML 502, where every softphone has to be made all the same, and once.

`cpu` is what the command itself worked: much less than its seconds, and calls within the burst, mean that other programs
kept the machine busy. A line that only misses its time is measured again, up to `--tries` times; every try is printed.

At last the presses that somebody waits for, with the largest file: check it, start it, cancel it; tried again likewise.
"""

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.mirror import Line
from benchmarks.stage import ROOT, Stage, stage

SIZES = (20, 50, 200, 1000)
PARTS = ("undisturbed", "disturbed", "presses")
FAULTS = ("cut_after", "503", "html_502", "cut_before")
# Calls between two faults, and how many calls each hits; how many workers are killed, each in the middle of its work.
FAULT_EVERY, FAULT_TIMES, KILLS = (5, 45), (1, 1, 1, 2), 4
LOOKS_EVERY = 0.1
LAST_SECONDS = 1800
CHECK_LIMIT, PRESS_LIMIT = 5, 1
HEAD = f"{'':4} {'rows':>5} {'made':>5} {'doubled':>7} {'seconds':>8} {'limit':>7} {'calls':>6} {'429 %':>6} {'cpu':>5}"


@dataclass(frozen=True)
class Run:
    """What one import came to. `made` rows say so, with a device of their own; `there` devices are at Audian."""

    rows: int
    made: int
    there: int
    seconds: float
    cpu: float
    calls: int
    refused: int
    is_disturbed: bool
    detail: str

    @property
    def limit(self) -> float:
        return 1.15 * max(0, self.calls - 100) / 10 + 5

    @property
    def true(self) -> bool:
        return bool(self.made == self.rows == self.there and self.refused <= 0.02 * self.calls)

    @property
    def kept(self) -> bool:
        return self.true and (self.is_disturbed or self.seconds <= self.limit)

    def __str__(self) -> str:
        limit = "" if self.is_disturbed else f"{self.limit:.1f}"
        return (
            f"{'ok  ' if self.kept else 'MISS'} {self.rows:>5} {self.made:>5} {self.there - self.made:>7}"
            f" {self.seconds:>8.1f} {limit:>7} {self.calls:>6} {100 * self.refused / max(self.calls, 1):>6.1f}"
            f" {self.cpu:>5.1f}  {self.detail}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help=f"sizes of the files ({', '.join(map(str, SIZES))})")
    parser.add_argument("--only", choices=PARTS, help="one part of it")
    parser.add_argument("--database", default="", help="address of an empty database (an SQLite file of its own)")
    parser.add_argument("--seed", type=int, default=1, help="another number, other moments (1)")
    parser.add_argument("--tries", type=int, default=3, help="how often a line may be measured that misses its time (3)")
    options = parser.parse_args()
    chance, kept = random.Random(options.seed), True
    if options.only != "presses":
        print(HEAD, flush=True)
        for rows in options.rows or SIZES:
            for part in PARTS[:2]:
                if options.only in (None, part):
                    kept &= _kept(rows, chance if part == "disturbed" else None, options.database, options.tries)
    if options.only in (None, "presses"):
        kept &= any(_presses(options.database) for _try in range(options.tries))
    return 0 if kept else 1


def _kept(rows: int, chance: random.Random | None, database: str, tries: int) -> bool:
    for _try in range(tries):
        run = _measured(rows, chance, database)
        print(run, flush=True)
        if run.kept or not run.true:
            return run.kept
    return False


def _measured(rows: int, chance: random.Random | None, database: str) -> Run:
    with stage(devices=0, latency_ms=50, database=database, rate_limit=True) as place:
        folder = Path(place.environment["VAR_DIR"])
        file, result = folder / "phones.csv", folder / "result.csv"
        file.write_text("name,extension\n" + "".join(f"Phone {n},{2000 + n}\n" for n in range(rows)))
        before, begun, worked = _told(place)["devices"], time.perf_counter(), _cpu()
        detail = _disturb(place, file, rows, chance) if chance else ""
        answer = _manage(place, "import_softphones", str(file), f"--result={result}")
        seconds, cpu, told = time.perf_counter() - begun, _cpu() - worked, _told(place)
        with result.open(encoding="utf-8-sig") as lines:
            ids = [row["device_id"] for row in csv.DictReader(lines) if row["status"] in ("made", "exists")]
        made = min(len(set(ids) - {""}), answer["created"] + answer["exists"])
        statuses = told["calls_by_status"]
        calls, refused = sum(statuses.values()), statuses.get("429", 0)
        there = told["devices"] - before
        return Run(rows, made, there, seconds, cpu, calls, refused, chance is not None, detail)


def _disturb(place: Stage, file: Path, rows: int, chance: random.Random) -> str:
    """Let workers send the file until they are done, kill them meanwhile, and have Audian fail. Returns what happened.

    Moments are counted in calls: so a slow machine meets what a fast one does, and no fault waits for each call by which
    a paused account finds out whether its trouble is over.
    """
    _manage(place, "import_softphones", str(file), "--enqueue")
    kills, faults, next_fault = 0, 0, chance.randint(1, 8)
    until, left = time.monotonic() + LAST_SECONDS, True
    while left and time.monotonic() < until:
        worker = _worker(place)
        dies = _calls(place) + chance.randint(1, max(4, rows // (KILLS + 1))) if kills < KILLS else None
        while (left := worker.poll() is None) and time.monotonic() < until:
            calls = _calls(place)
            if dies is not None and calls >= dies:
                break
            if calls >= next_fault:
                faults += _fail(place, chance)
                next_fault = calls + chance.randint(*FAULT_EVERY)
            time.sleep(LOOKS_EVERY)
        if left:
            worker.kill()
            kills += 1
        worker.wait()
    requests.delete(f"{_controls(place)}/faults", timeout=5)
    return f"{kills} workers killed, {faults} calls failed" + (", and then it was given up" if left else "")


def _worker(place: Stage) -> subprocess.Popen:
    command = [sys.executable, "manage.py", "push_changes", "--json"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=ROOT, env=place.environment, **quiet)


def _fail(place: Stage, chance: random.Random) -> int:
    """Have the next calls fail. Returns how many."""
    fault = {"name": chance.choice(FAULTS), "times": chance.choice(FAULT_TIMES), "path": "/devices"}
    requests.post(f"{_controls(place)}/faults", json=fault, timeout=5).raise_for_status()
    return fault["times"]


def _presses(database: str) -> bool:
    """How long the largest file takes to be checked, started and cancelled, as far as somebody waits for it."""
    with stage(devices=0, database=database) as place:
        measured = place.measure("presses")
    rows = f"{measured['rows']} rows"
    lines = [
        Line("seconds to check a file", measured["check"], CHECK_LIMIT, detail=rows),
        Line("seconds until a start answers", measured["start"], PRESS_LIMIT, detail=rows),
        Line("seconds until a cancel answers", measured["cancel"], PRESS_LIMIT, detail=rows),
    ]
    for line in lines:
        print(line, flush=True)
    return all(line.kept for line in lines)


def _manage(place: Stage, *arguments: str) -> dict:
    command = [sys.executable, "manage.py", *arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=place.environment, stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)


def _controls(place: Stage) -> str:
    return place.environment["AUDIAN_API_URL"].removesuffix("/v2") + "/sandbox"


def _told(place: Stage) -> dict:
    return requests.get(_controls(place), timeout=30).json()


def _calls(place: Stage) -> int:
    return sum(_told(place)["calls_by_status"].values())


def _cpu() -> float:
    """Seconds that the programs which were run here and have ended have worked."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
