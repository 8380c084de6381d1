"""How much a mirror run costs beside its downloads: `python -m benchmarks.mirror`. Exit code 1 if a limit is missed.

Against the sandbox in a process of its own, without rate limit and pacing, pages of 50 rows, on an SQLite file of its
own. Times are the best of several runs, since other work on the machine only adds to them.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.stage import Stage, stage


@dataclass(frozen=True)
class Line:
    """One line of the table: what was measured, its value, and the limit that it has to keep."""

    what: str
    value: float
    limit: float
    at_least: bool = False
    detail: str = ""

    @property
    def kept(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{'ok  ' if self.kept else 'MISS'} {self.what:<46} {self.value:>9.2f}  {sign} {self.limit:<8g} {self.detail}"


def against_downloads(devices: int) -> Iterator[Line]:
    """With 50 ms of latency: what the first run and an unchanged run take beside a loop that only downloads."""
    with stage(devices=devices, latency_ms=50) as place:
        bare = _best(place, "bare", 2)
        first = place.measure("mirror")
        _check(first, created=devices)
        unchanged = _best(place, "mirror", 2)
        _check(unchanged, unchanged=devices)
    downloads = f"{bare['seconds']:.1f} s for {bare['pages']} pages"
    yield Line(f"first run of {devices:,} / bare downloads", first["seconds"] / bare["seconds"], 1.5, detail=downloads)
    yield Line(f"unchanged run of {devices:,} / bare downloads", unchanged["seconds"] / bare["seconds"], 1.2)
    yield Line("rows written by an unchanged run", unchanged["written"], 0)


def speed(devices: int) -> Iterator[Line]:
    """Without latency: softphones a second in a first run, their owners and words included."""
    taken = []
    for _ in range(3):
        with stage(devices=devices) as place:
            first = place.measure("mirror")
        _check(first, created=devices)
        taken.append(first["seconds"])
    yield Line("softphones a second without latency", devices / min(taken), 2000, at_least=True)


def memory(few: int, many: int) -> Iterator[Line]:
    """How much more memory a first run of many softphones takes than one of few."""
    peaks = []
    for devices in (few, many):
        with stage(devices=devices) as place:
            first = place.measure("mirror")
        _check(first, created=devices)
        peaks.append(first["peak"])
    detail = f"{peaks[0]:.0f} and {peaks[1]:.0f} MB"
    yield Line(f"MB at {many:,} above those at {few:,}", peaks[1] - peaks[0], 30, detail=detail)


def _best(place: Stage, what: str, times: int) -> dict:
    return min((place.measure(what) for _ in range(times)), key=lambda measured: measured["seconds"])


def _check(run: dict, **expected: int) -> None:
    found = {name: run[name] for name in expected}
    if run["state"] != "complete" or found != expected:
        sys.exit(f"The run is no measure: {run}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000, help="softphones to mirror (10000)")
    parser.add_argument("--many", type=int, default=100_000, help="softphones for the memory measurement (100000)")
    options = parser.parse_args()
    kept = True
    for lines in (
        against_downloads(options.devices),
        speed(options.devices),
        memory(min(1000, options.many), options.many),
    ):
        for line in lines:
            kept = kept and line.kept
            print(line, flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
