"""The tables of docs/performance.md, and whether everything in them keeps its limit."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.pages import Limits, Page
from benchmarks.usage import PROCESSORS, Usage

DISTURBED = 10  # percent of the machine that others took


@dataclass(frozen=True)
class Sample:
    """One turn of one page: how long each answer took, how long the turn was, both in seconds, and what it cost."""

    latencies: list[float]
    seconds: float
    cost: Usage

    @property
    def others(self) -> float:
        """The share of the machine that others took, in percent."""
        return 100 * self.cost.others / (self.seconds * PROCESSORS)


@dataclass(frozen=True)
class Figures:
    """What several samples come to: milliseconds of the median and the slowest twentieth, answers a second, milliseconds
    of processor time that an answer took in the web workers and in the database, and the share of others in percent."""

    median: float
    slow: float
    rate: float
    web: float
    database: float
    others: float


def figures(samples: list[Sample]) -> Figures:
    """Of the quieter half of the samples."""
    quiet = sorted(samples, key=lambda sample: sample.others)[: (len(samples) + 1) // 2]
    latencies = [latency for sample in quiet for latency in sample.latencies]
    seconds = sum(sample.seconds for sample in quiet)
    trees = {name: sum(sample.cost.trees[name] for sample in quiet) for name in ("web", "database")}
    return Figures(
        median=1000 * statistics.median(latencies),
        slow=1000 * statistics.quantiles(latencies, n=20)[-1],
        rate=len(latencies) / seconds,
        **{name: 1000 * spent / len(latencies) for name, spent in trees.items()},
        others=statistics.mean(sample.others for sample in quiet),
    )


@dataclass(frozen=True)
class Check:
    """One limit, what it is compared with, and how the table says it."""

    value: float
    limit: float
    said: str
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        return self.said if self.kept else f"**missed: {self.said}**"


def pages_table(pages: list[Page], samples: dict[tuple[str, int], list[Sample]]) -> tuple[str, bool]:
    """The table of all pages, and whether all limits are kept. The first page is the yardstick."""
    few, many = sorted({clients for _name, clients in samples})
    found = {key: figures(each) for key, each in samples.items()}
    empty = found[pages[0].name, few].median
    rows, kept = [], True
    for page in pages:
        one, several = found[page.name, few], found[page.name, many]
        checks = list(_checks(page.limits, one, several, empty))
        kept = kept and all(check.kept for check in checks)
        others = max(one.others, several.others)
        cells = [
            page.name,
            *(f"{value:.1f}" for value in (one.median, one.slow)),
            *(f"{value:.0f}" for value in (several.rate, several.median, several.slow)),
            f"{several.web:.1f} + {several.database:.1f}",
            f"{others:.0f}{' (!)' if others > DISTURBED else ''}",
            "; ".join(map(str, checks)),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    head = f"| | {few} client: p50 | p95 | {many} clients: requests/s | p50 | p95 | web + database | others % | limits |"
    return "\n".join([head, "|---|--:|--:|--:|--:|--:|--:|--:|---|", *rows]), kept


def mirror_table(**runs: dict) -> tuple[str, bool]:
    """The table of the mirror's runs, as `benchmarks.measure mirror` tells them, and whether each read everything."""
    rows = [
        f"| {name} run | {run['seconds']:.0f} | {run['peak']:.0f} | {run['pages']:,} | {run['created'] + run['unchanged']:,} "
        f"| {run['written']:,} | {run['state']} |"
        for name, run in runs.items()
    ]
    head = "| mirror | seconds | peak MB | pages | softphones | rows written | |"
    complete = all(run["state"] == "complete" for run in runs.values())
    return "\n".join([head, "|---|--:|--:|--:|--:|--:|---|", *rows, ""]), complete


def _checks(limits: Limits, one: Figures, several: Figures, empty: float) -> Iterator[Check]:
    if limits.one:
        yield Check(one.median, limits.one, f"p50 ≤ {limits.one:g}")
    if limits.times_empty:
        yield Check(one.median / empty, limits.times_empty, f"≤ {limits.times_empty:g} × empty ({one.median / empty:.1f} ×)")
    if limits.rate:
        yield Check(several.rate, limits.rate, f"≥ {limits.rate:g}/s", at_least=True)
    if limits.several:
        yield Check(several.median, limits.several, f"p50 ≤ {limits.several:g}")
