"""Pull: Audian -> our tables. The only writer of mirrored fields.

A listing is not a snapshot. A run leaves alone every softphone that has an unfinished change or was written since the
run began, and only what its own GET calls gone is gone; docs/mirror.md says how a run goes.
"""

from softphones.mirror.answers import absorb, confirm_password, forget, forget_all, forget_password
from softphones.mirror.runs import held, overdue, release, released, run
from softphones.mirror.single import read

__all__ = [
    "absorb",
    "confirm_password",
    "forget",
    "forget_all",
    "forget_password",
    "held",
    "overdue",
    "read",
    "release",
    "released",
    "run",
]
