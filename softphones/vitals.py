"""Is what the portal needs besides its database there: workers, broker, a fresh mirror? For whoever watches over it."""

import os
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import Max, Q
from django.utils.translation import gettext_lazy as _
from kombu import Connection

from softphones import leases
from softphones.clock import seconds_sql
from softphones.models import Account, SyncRun

SWEPT = "swept"  # the row among the leases whose time is that of the last sweep: it says that a worker is running
BEAT = "beat"  # likewise, of the last call that beat sent
BROKER_SECONDS = 1
CLOCK_SECONDS = 1  # as far as a clock is corrected all the time
# What may keep every thread of a worker busy for minutes. Both renew their leases as they go.
_LONG_WORK = ("mirror:%", "changes:%")
#: What staff are told while `is_silent`.
NO_WORKER = _(
    "No worker of the portal is at work: nothing is sent to Audian, and no mail goes out. Nothing is lost, it all goes on as "
    "soon as one runs. Tell the operator of the portal."
)


def swept_at() -> float | None:
    """When a worker last finished a sweep, in seconds since 1970 by the database's clock; None if none ever did."""
    return _of(SWEPT, "held_until")


def sweep_age() -> float | None:
    """How many seconds ago that was."""
    return _of(SWEPT, f"{seconds_sql()} - held_until")


def note_sweep() -> None:
    """A worker has just finished a sweep."""
    leases.mark(SWEPT)


def note_beat() -> None:
    """Beat has just sent something."""
    leases.mark(BEAT)


def beat_age() -> float | None:
    """How many seconds ago beat last sent something; None if it never did."""
    return _of(BEAT, f"{seconds_sql()} - held_until")


def is_beating(age: float | None) -> bool:
    """By that `beat_age`, whether beat is on time: after half of WORKER_SILENT_AFTER workers sweep unasked."""
    return _is_within(age, settings.WORKER_SILENT_AFTER / 2)


def _of(lease: str, column: str) -> float | None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM softphones_lease WHERE name = %s", [lease])  # noqa: S608
        row = cursor.fetchone()
    return row and row[0]


def is_swept(age: float | None) -> bool:
    """Whether a worker swept as lately as it should have (WORKER_SILENT_AFTER), by that `sweep_age`."""
    return _is_within(age, settings.WORKER_SILENT_AFTER)


def _is_within(age: float | None, longest: float) -> bool:
    """Not below zero: who left word at a time that is still to come did so before the database's clock was set back."""
    return age is not None and -CLOCK_SECONDS <= age <= longest


def is_silent() -> bool:
    """Whether nobody is there to do what is asked for: no worker swept lately, and nobody mirrors or sends. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM softphones_lease"  # noqa: S608
            f" WHERE (name = %s AND {seconds_sql()} - held_until BETWEEN %s AND %s)"
            f" OR (held_until > {seconds_sql()} AND (name LIKE %s OR name LIKE %s))",
            [SWEPT, -CLOCK_SECONDS, settings.WORKER_SILENT_AFTER, *_LONG_WORK],
        )
        return cursor.fetchone() is None


def at_work() -> bool:
    """Whether somebody mirrors or sends at this moment, so that sweeps may have to wait."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM softphones_lease WHERE held_until > {seconds_sql()} AND (name LIKE %s OR name LIKE %s)",  # noqa: S608
            _LONG_WORK,
        )
        return cursor.fetchone() is not None


def mirrored_at() -> dict[str, datetime | None]:
    """For each account, by its slug, when a mirror run last was complete; None where none ever was."""
    complete = Max("runs__finished_at", filter=Q(runs__state=SyncRun.State.COMPLETE))
    return dict(Account.objects.annotate(mirrored_at=complete).values_list("slug", "mirrored_at"))


def broker_answers() -> bool:
    """Whether a wake-up could be sent now. Takes a second at most."""
    if not settings.REDIS_URL:
        return os.access(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"], os.W_OK)
    # As whatever is sent goes out: Celery reads the address in its own way, and redis-py in another.
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS | {
        "socket_connect_timeout": BROKER_SECONDS,
        "socket_timeout": BROKER_SECONDS,
        "max_retries": 0,
    }
    try:
        with Connection(settings.REDIS_URL, connect_timeout=BROKER_SECONDS, transport_options=options) as link:
            return bool(link.default_channel.client.ping())
    except Exception:  # its library has many
        return False
