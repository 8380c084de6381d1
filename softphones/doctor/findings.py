"""What a look found, in words for an operator."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """`said` is how it is, `do` what to do about it; `account` is a slug, "" for what concerns them all."""

    check: str
    state: State
    said: str
    do: str = ""
    account: str = ""


def age(seconds: float) -> str:
    """Like 40 s, 12 min, 5 h, 3 days."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
