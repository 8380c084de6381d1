"""How fast and how truly a file becomes softphones: `python -m benchmarks.bulk`. Exit code 1 if a limit is missed.

Against the sandbox, with the token buckets of 100 and 10 a second and 50 ms of latency, on SQLite; with `--database` on
PostgreSQL, in databases of its own. Each size is imported twice. Undisturbed: the wall time is of the whole command;
`said` is what the page says before the start that it takes, in seconds, and `sent` what it took from the start to the
last answer. Disturbed: by workers that are killed (kill -9) at random calls, while answers are cut off after they were
carried out and Audian answers 503 and HTML 502, where every softphone has to be made all the same, and once. Such a line
counts only if each of these happened; it tells how often.

`cpu` is what the command itself worked: much less than its seconds, and calls within the burst, mean that other programs
kept the machine busy. A line that is true, but misses its time or its trouble, is measured again, up to `--tries` times;
every try is printed. At last the presses that somebody waits for: benchmarks/presses.py.
"""

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.databases import fresh_database
from benchmarks.presses import presses
from benchmarks.stage import ROOT, Stage, stage
from benchmarks.trouble import DEMANDED, Troubles, told
from softphones.audian.sandbox import Sandbox, serve

SIZES = (20, 50, 200, 1000)
PARTS = ("undisturbed", "disturbed", "presses")
LATENCY_MS = 50
LAST_SECONDS = 1800
COLUMNS = {"rows": 5, "made": 5, "doubled": 7, "seconds": 8, "limit": 7, "said": 5, "sent": 6, "calls": 6, "429 %": 6, "cpu": 5}


@dataclass(frozen=True)
class Run:
    """What one import came to. `made` rows say so, with a device of their own; `there` devices are at Audian.

    `met` is how often each kind of trouble happened, None in an undisturbed run.
    """

    rows: int
    made: int
    there: int
    seconds: float
    said: float
    sent: float
    cpu: float
    calls: int
    refused: int
    met: Counter[str] | None
    detail: str = ""

    @property
    def limit(self) -> float:
        return 1.15 * max(0, self.calls - 100) / 10 + 5

    @property
    def true(self) -> bool:
        return bool(self.made == self.rows == self.there and self.refused <= 0.02 * self.calls)

    @property
    def foretold(self) -> bool:
        """Whether the page said before how long it would take: nearer than 3 s, or 15 %."""
        return abs(self.said - self.sent) <= max(3, 0.15 * self.sent)

    @property
    def kept(self) -> bool:
        if self.met is not None:
            return self.true and all(self.met[kind] for kind in DEMANDED)
        return self.true and self.seconds <= self.limit and self.foretold

    def __str__(self) -> str:
        is_timed = self.met is None
        cells = {
            "rows": self.rows,
            "made": self.made,
            "doubled": self.there - self.made,
            "seconds": f"{self.seconds:.1f}",
            "limit": f"{self.limit:.1f}" if is_timed else "",
            "said": f"{self.said:.0f}" if is_timed else "",
            "sent": f"{self.sent:.1f}" if is_timed else "",
            "calls": self.calls,
            "429 %": f"{100 * self.refused / max(self.calls, 1):.1f}",
            "cpu": f"{self.cpu:.1f}",
        }
        details = [*(told(self.met) if self.met is not None else ()), self.detail]
        return f"{'ok  ' if self.kept else 'MISS'} {_line(cells)}  {', '.join(filter(None, details))}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help=f"sizes of the files ({', '.join(map(str, SIZES))})")
    parser.add_argument("--only", choices=PARTS, help="one part of it")
    parser.add_argument("--database", default="", help="address on a PostgreSQL server, of somebody who may create databases")
    parser.add_argument("--seed", type=int, default=1, help="another number, other moments (1)")
    parser.add_argument("--tries", type=int, default=3, help="how often a line may be measured that misses its time (3)")
    options = parser.parse_args()
    chance, kept = random.Random(options.seed), True
    if options.only != "presses":
        print(f"{'':4} {_line({name: name for name in COLUMNS})}", flush=True)
        for rows in options.rows or SIZES:
            for part in PARTS[:2]:
                if options.only in (None, part):
                    kept &= _kept(rows, chance if part == "disturbed" else None, options.database, options.tries)
    if options.only in (None, "presses"):
        for database in dict.fromkeys(["", options.database]):
            kept &= any(presses(database) for _try in range(options.tries))
    return 0 if kept else 1


def _line(cells: dict) -> str:
    return " ".join(f"{cells[name]:>{width}}" for name, width in COLUMNS.items())


def _kept(rows: int, chance: random.Random | None, server: str, tries: int) -> bool:
    for _try in range(tries):
        with fresh_database(server) as database:
            run = _disturbed(rows, chance, database) if chance else _undisturbed(rows, database)
        print(run, flush=True)
        if run.kept or not run.true:
            return run.kept
    return False


def _undisturbed(rows: int, database: str) -> Run:
    with stage(latency_ms=LATENCY_MS, database=database, rate_limit=True) as place:
        file = _file(place, rows)
        before = place.run("benchmarks.measure", "said", str(file))
        imported = _imported(place, file)
        sent = place.measure("sent")["seconds"]
        return Run(rows, **imported, said=before["seconds"], sent=sent, met=None, detail=f"“{before['words']}”")


def _disturbed(rows: int, chance: random.Random, database: str) -> Run:
    sandbox = Sandbox(latency=LATENCY_MS / 1000)
    troubles = Troubles(sandbox, rows=rows, chance=chance)
    at = {"account_id": sandbox.account_id, "api_key": sandbox.api_key}
    with serve(sandbox) as url, stage(database=database, rate_limit=True, sandbox={"url": url, **at}) as place:
        file, begun = _file(place, rows), time.perf_counter()
        _manage(place, "import_softphones", str(file), "--enqueue")
        ended = troubles.disturb(lambda: _worker(place), seconds=LAST_SECONDS)
        sandbox.faults.clear()
        imported = _imported(place, file) | {"seconds": time.perf_counter() - begun}
        detail = "" if ended else "and then it was given up"
        return Run(rows, **imported, said=0, sent=0, met=troubles.met, detail=detail)


def _file(place: Stage, rows: int) -> Path:
    file = Path(place.environment["VAR_DIR"]) / "phones.csv"
    file.write_text("name,extension\n" + "".join(f"Phone {n},{2000 + n}\n" for n in range(rows)))
    return file


def _imported(place: Stage, file: Path) -> dict:
    """Import the file, or what is left of it, to its end. Nothing else was ever at the sandbox."""
    result, begun, worked = file.with_name("result.csv"), time.perf_counter(), _cpu()
    answer = _manage(place, "import_softphones", str(file), f"--result={result}")
    seconds, cpu = time.perf_counter() - begun, _cpu() - worked
    with result.open(encoding="utf-8-sig") as lines:
        ids = {row["device_id"] for row in csv.DictReader(lines) if row["status"] in ("made", "exists")}
    at_audian = requests.get(place.environment["AUDIAN_API_URL"].removesuffix("/v2") + "/sandbox", timeout=30).json()
    statuses = at_audian["calls_by_status"]
    return {
        "made": min(len(ids - {""}), answer["created"] + answer["exists"]),
        "there": at_audian["devices"],
        "seconds": seconds,
        "cpu": cpu,
        "calls": sum(statuses.values()),
        "refused": statuses.get("429", 0),
    }


def _worker(place: Stage) -> subprocess.Popen:
    command = [sys.executable, "manage.py", "push_changes", "--json"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=ROOT, env=place.environment, **quiet)


def _manage(place: Stage, *arguments: str) -> dict:
    command = [sys.executable, "manage.py", *arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=place.environment, stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)


def _cpu() -> float:
    """Seconds that the programs which were run here and have ended have worked."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
