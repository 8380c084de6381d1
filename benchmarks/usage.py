"""How much of the processors a run took, and how much of them others took meanwhile. From /proc, so on Linux alone."""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PROCESSORS = os.cpu_count() or 1
# Fields of /proc/stat that are not work: idle, and waiting for a disk. Guests are counted in the first two already.
IDLE, KINDS = (3, 4), 8


@dataclass(frozen=True)
class Usage:
    """Seconds of processor time since the machine started: `all` of it, and that of each process tree that was named."""

    all: float
    trees: dict[str, float]
    ours: float

    def since(self, before: "Usage") -> "Usage":
        trees = {name: seconds - before.trees[name] for name, seconds in self.trees.items()}
        return Usage(self.all - before.all, trees, self.ours - before.ours)

    @property
    def others(self) -> float:
        """Seconds that were neither the trees' nor this process's own."""
        return max(0.0, self.all - sum(self.trees.values()) - self.ours)


def usage(**roots: int) -> Usage:
    """Usage up to now; `roots` names the process at the root of each tree. Zeros where there is no /proc."""
    if not (PROC / "stat").exists():
        return Usage(0, dict.fromkeys(roots, 0.0), 0)
    children, seconds = _processes()
    trees = {name: sum(seconds.get(pid, 0.0) for pid in _tree(root, children)) for name, root in roots.items()}
    kinds = [int(each) for each in (PROC / "stat").read_text().split("\n", 1)[0].split()[1 : 1 + KINDS]]
    work = sum(ticks for kind, ticks in enumerate(kinds) if kind not in IDLE)
    return Usage(work / TICKS, trees, seconds.get(os.getpid(), 0.0))


def _processes() -> tuple[dict[int, list[int]], dict[int, float]]:
    """The children of each process, and the seconds that each took."""
    children: dict[int, list[int]] = {}
    seconds: dict[int, float] = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            # The name, in brackets, may hold anything.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        pid, parent, own = int(folder.name), int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS
        children.setdefault(parent, []).append(pid)
        seconds[pid] = own
    return children, seconds


def _tree(root: int, children: dict[int, list[int]]) -> list[int]:
    return [root, *(pid for child in children.get(root, []) for pid in _tree(child, children))]
