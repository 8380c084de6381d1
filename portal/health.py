"""Two addresses for whoever runs the portal: does this process answer, and is what it needs there?

They tell numbers and words, no names: anybody may ask.
"""

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock, Thread

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError, connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from softphones import vitals

DATABASE_SECONDS = 4  # a database that has said nothing for so long is as good as gone


@require_safe
@never_cache
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """503 without the database. Everything else the portal can do without for a while: `degraded`, with 200."""
    try:
        mirror_age, sweep_age, beat_age = _ages.get()
    except (DatabaseError, InterfaceError, TimeoutError):
        return JsonResponse({"status": "down", "database": "unusable"}, status=503)
    broker = vitals.broker_answers()
    fresh = mirror_age is not None and mirror_age <= timedelta(seconds=settings.MIRROR_STALE_AFTER)
    worker, beat = vitals.is_swept(sweep_age), vitals.is_beating(beat_age)
    return JsonResponse(
        {
            "status": "ok" if broker and worker and beat and fresh else "degraded",
            "database": "ok",
            "broker": "ok" if broker else "unreachable",
            "worker": "ok" if worker else "silent",
            "worker_age_seconds": None if sweep_age is None else round(sweep_age),
            "beat": "ok" if beat else "silent",
            "beat_age_seconds": None if beat_age is None else round(beat_age),
            "mirror": "ok" if fresh else "stale",
            "mirror_age_seconds": None if mirror_age is None else round(mirror_age.total_seconds()),
        }
    )


@dataclass
class _Look:
    """One look at the database: `answer` holds its ages, or the error that it met."""

    until: float = field(default_factory=lambda: time.monotonic() + DATABASE_SECONDS)
    answer: Future = field(default_factory=Future)

    def run(self) -> None:
        try:
            ages = _read_ages()
        except BaseException as error:
            self.answer.set_exception(error)
        else:
            self.answer.set_result(ages)


class _Ages:
    """How long ago the last mirror, sweep and call of beat were, asked on a fresh connection in a thread of its own.

    A connection that is there already may be dead and look alive, and whoever waits on it waits for ever. All who ask at
    the same time share one look, so there is never more than one thread, whatever it hangs on.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._look: _Look | None = None

    def get(self) -> tuple[timedelta | None, float | None, float | None]:
        """Raises TimeoutError once the look took longer than DATABASE_SECONDS, or what the database did."""
        with self._lock:
            if self._look is None or self._look.answer.done():
                self._look = _Look()
                Thread(target=self._look.run, name="readyz", daemon=True).start()
            look = self._look
        return look.answer.result(timeout=max(0, look.until - time.monotonic()))


_ages = _Ages()


def _read_ages() -> tuple[timedelta | None, float | None, float | None]:
    try:
        return _mirror_age(), vitals.sweep_age(), vitals.beat_age()
    finally:
        connections.close_all()


def _mirror_age() -> timedelta | None:
    """How long ago the account that has waited longest was last mirrored; None while one never was, or there is none."""
    last = vitals.mirrored_at().values()
    return timezone.now() - min(last) if last and None not in last else None
