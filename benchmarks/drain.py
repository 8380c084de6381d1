"""How fast the outbox empties under Audian's documented limits: `python -m benchmarks.drain`. Exit code 1 if a limit is missed.

Against the sandbox in a process of its own, with the token buckets of 100 and 10 a second and 50 ms of latency, on SQLite.
The calls are the ones that the sandbox counted.
"""

import argparse
import sys

from benchmarks.mirror import Line
from benchmarks.stage import stage


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=300, help="changes to send: half creates, half renamings (300)")
    options = parser.parse_args()
    with stage(devices=options.changes // 2, latency_ms=50, rate_limit=True) as place:
        run = place.measure("drain")
    if run["done"] != run["wishes"]:
        sys.exit(f"The run is no measure: {run}")
    limit = 1.15 * max(0, run["calls"] - 100) / 10 + 5
    detail = f"{run['wishes']} changes, {run['calls']} calls"
    lines = [
        Line("seconds to empty the outbox", run["seconds"], limit, detail=detail),
        Line("percent of calls refused as too many (429)", 100 * run["refused"] / run["calls"], 2),
    ]
    for line in lines:
        print(line, flush=True)
    return 0 if all(line.kept for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
