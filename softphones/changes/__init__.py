"""Push: what people asked for -> Audian. The only caller of Audian's writing methods.

A wish is a `Change` row, written in the request's transaction. `drain` sends what waits: it claims a row (commit), calls
Audian, and records the answer (commit), under a lease whose epoch fences off a process that was replaced meanwhile.
docs/changes.md says how a wish goes.
"""

from softphones.changes.asking import (
    NothingChanged,
    NotPossible,
    accept,
    asked,
    create,
    decline,
    delete,
    key_of,
    reset_password,
    try_again,
    update,
)
from softphones.changes.drains import Drained, drain
from softphones.changes.drawing import new_password
from softphones.changes.many import NewPhone, cancel_unsent, create_many
from softphones.changes.queue import waiting
from softphones.changes.sparing import WHY_KEPT, kept
from softphones.changes.telling import Progress, paused, pending, progress, underway
from softphones.changes.wishes import draws_password, finished, never_made, password_set_at, resets_again

__all__ = [
    "WHY_KEPT",
    "Drained",
    "NewPhone",
    "NotPossible",
    "NothingChanged",
    "Progress",
    "accept",
    "asked",
    "cancel_unsent",
    "create",
    "create_many",
    "decline",
    "delete",
    "drain",
    "draws_password",
    "finished",
    "kept",
    "key_of",
    "never_made",
    "new_password",
    "password_set_at",
    "paused",
    "pending",
    "progress",
    "reset_password",
    "resets_again",
    "try_again",
    "underway",
    "update",
    "waiting",
]
