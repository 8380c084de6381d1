"""Two addresses for whoever runs the portal: does this process answer, and is what it needs there?

They tell numbers and words, no names: anybody may ask.
"""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from softphones import vitals


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
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        mirror_age, sweep_age = _mirror_age(), vitals.sweep_age()
    except (DatabaseError, InterfaceError):
        return JsonResponse({"status": "down", "database": "unusable"}, status=503)
    broker = vitals.broker_answers()
    fresh = mirror_age is not None and mirror_age <= timedelta(seconds=settings.MIRROR_STALE_AFTER)
    worker = sweep_age is not None and sweep_age <= settings.WORKER_SILENT_AFTER
    return JsonResponse(
        {
            "status": "ok" if broker and worker and fresh else "degraded",
            "database": "ok",
            "broker": "ok" if broker else "unreachable",
            "worker": "ok" if worker else "silent",
            "worker_age_seconds": None if sweep_age is None else round(sweep_age),
            "mirror": "ok" if fresh else "stale",
            "mirror_age_seconds": None if mirror_age is None else round(mirror_age.total_seconds()),
        }
    )


def _mirror_age() -> timedelta | None:
    """How long ago the account that has waited longest was last mirrored; None while one never was, or there is none."""
    last = vitals.mirrored_at().values()
    return timezone.now() - min(last) if last and None not in last else None
