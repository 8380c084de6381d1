"""How fast and how truly a file becomes softphones: `python -m benchmarks.bulk`. Exit code 1 if a limit is missed.

Against the sandbox in a process of its own, with the token buckets of 100 and 10 a second and 50 ms of latency, on SQLite
unless `--database` names an empty one (one size only then). Each size is imported twice: undisturbed, where the wall
time is of the whole command; and by workers that are killed (kill -9) at random moments, while answers are cut off after
they were carried out and Audian answers 503 and HTML 502, where every softphone has to be made all the same, and once.
"""

import argparse
import csv
import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.stage import ROOT, Stage, stage

SIZES = (20, 50, 200, 1000)
FAULTS = ("cut_after", "503", "html_502", "cut_before")
# Seconds between two faults, and until a worker that has the lease is killed; and how often.
FAULT_EVERY, KILL_AFTER, KILLS = 1.0, (2.0, 9.0), 4
LAST_SECONDS = 1800
HEAD = f"{'':4} {'rows':>5} {'made':>5} {'doubled':>7} {'seconds':>8} {'limit':>8} {'calls':>6} {'429 %':>6}  {''}"


@dataclass(frozen=True)
class Run:
    """What one import came to. `made` rows say so, with a device of their own; `there` devices are at Audian."""

    rows: int
    made: int
    there: int
    seconds: float
    calls: int
    refused: int
    kills: int = 0
    faults: int = 0

    @property
    def limit(self) -> float:
        return 1.15 * max(0, self.calls - 100) / 10 + 5

    @property
    def kept(self) -> bool:
        in_time = self.seconds <= self.limit or self.faults
        return bool(self.made == self.rows == self.there and in_time and self.refused <= 0.02 * self.calls)

    def __str__(self) -> str:
        limit = "" if self.faults else f"{self.limit:.1f}"
        detail = f"{self.kills} workers killed, {self.faults} faults" if self.faults else ""
        refused = 100 * self.refused / self.calls
        return (
            f"{'ok  ' if self.kept else 'MISS'} {self.rows:>5} {self.made:>5} {self.there - self.made:>7}"
            f" {self.seconds:>8.1f} {limit:>8} {self.calls:>6} {refused:>6.1f}  {detail}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, action="append", help=f"sizes of the files ({', '.join(map(str, SIZES))})")
    parser.add_argument("--only", choices=["undisturbed", "disturbed"], help="one half of the table")
    parser.add_argument("--database", default="", help="address of an empty database (an SQLite file of its own)")
    parser.add_argument("--seed", type=int, default=1, help="another number, other moments (1)")
    options = parser.parse_args()
    chance, kept = random.Random(options.seed), True
    print(HEAD, flush=True)
    for rows in options.rows or SIZES:
        for disturbed in (False, True):
            if options.only in (None, "disturbed" if disturbed else "undisturbed"):
                run = _measured(rows, chance if disturbed else None, options.database)
                print(run, flush=True)
                kept = kept and run.kept
    return 0 if kept else 1


def _measured(rows: int, chance: random.Random | None, database: str) -> Run:
    with stage(devices=0, latency_ms=50, database=database, rate_limit=True) as place:
        folder = Path(place.environment["VAR_DIR"])
        file, result = folder / "phones.csv", folder / "result.csv"
        file.write_text("name,extension\n" + "".join(f"Phone {n},{2000 + n}\n" for n in range(rows)))
        before, begun = _told(place)["devices"], time.perf_counter()
        kills, faults = _disturbed(place, file, rows, chance) if chance else (0, 0)
        answer = _manage(place, "import_softphones", str(file), f"--result={result}")
        seconds, told = time.perf_counter() - begun, _told(place)
        with result.open(encoding="utf-8-sig") as lines:
            ids = [row["device_id"] for row in csv.DictReader(lines) if row["status"] in ("made", "exists")]
        made = min(len(set(ids) - {""}), answer["created"] + answer["exists"])
        statuses = told["calls_by_status"]
        there = told["devices"] - before
        return Run(rows, made, there, seconds, sum(statuses.values()), statuses.get("429", 0), kills, faults)


def _disturbed(place: Stage, file: Path, rows: int, chance: random.Random) -> tuple[int, int]:
    """Let workers send the file until they are done, kill them meanwhile, and have Audian fail."""
    _manage(place, "import_softphones", str(file), "--enqueue")
    kills = faults = 0
    most = max(4, rows // 20)
    until, left = time.monotonic() + LAST_SECONDS, True
    while left and time.monotonic() < until:
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "push_changes", "--json"],
            cwd=ROOT,
            env=place.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        dies = time.monotonic() + chance.uniform(*KILL_AFTER) + (15 if kills else 0)  # the lease of the one before
        while (left := worker.poll() is None) and (kills == KILLS or time.monotonic() < dies):
            # One at a time: a pause that finds a fault whenever it tries would grow and grow.
            if faults < most and not requests.get(f"{_controls(place)}/faults", timeout=5).json():
                fault = {"name": chance.choice(FAULTS), "path": "/devices"}
                requests.post(f"{_controls(place)}/faults", json=fault, timeout=5).raise_for_status()
                faults += 1
            time.sleep(FAULT_EVERY)
        if left:
            worker.kill()
            kills += 1
        worker.wait()
    requests.delete(f"{_controls(place)}/faults", timeout=5)
    return kills, faults


def _manage(place: Stage, *arguments: str) -> dict:
    command = [sys.executable, "manage.py", *arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=place.environment, stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)


def _controls(place: Stage) -> str:
    return place.environment["AUDIAN_API_URL"].removesuffix("/v2") + "/sandbox"


def _told(place: Stage) -> dict:
    return requests.get(_controls(place), timeout=5).json()


if __name__ == "__main__":
    sys.exit(main())
