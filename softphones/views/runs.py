"""Looks at Audian: starting one, following it, and letting go what one held back."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta

from django.contrib import messages
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from softphones import audit, mirror
from softphones.access import LIST, MANAGE, account_for
from softphones.models import Owner, Softphone, SyncRun
from softphones.views.staff import frame
from softphones.wake import wake

SHOWN = 20
ROWS = 100
#: How long a worker may take to begin before the page says that none does.
BEGINS_WITHIN = timedelta(seconds=20)
ASKS_FOR = timedelta(minutes=5)


@never_cache
@require_safe
def listed(request, slug):
    """The last looks. While one is at work, or was just asked for, the page asks again by itself."""
    account = account_for(request, slug, LIST)
    runs = list(SyncRun.objects.filter(account=account).order_by("-started_at", "-pk")[:SHOWN])
    context = (
        frame(request, account, "softphones")
        | _under_way(request, runs)
        | {
            "run": runs[0] if runs else None,
            "earlier": runs[1:],
        }
    )
    return render(request, "staff/runs.html#runs" if request.htmx else "staff/runs.html", context)


@require_POST
def start(request, slug):
    account = account_for(request, slug, MANAGE)
    now = timezone.now()
    with transaction.atomic():
        audit.record(act="sync:asked", actor=request.user, account=account, ip=audit.client_ip(request), now=now)
        wake("mirror_account", account_id=account.pk)
    return redirect(f"{reverse('runs', args=[slug])}?asked={now.timestamp():.6f}")


@never_cache
@require_safe
def run(request, slug, pk):
    """One look: its numbers, and what it would remove if it is held."""
    account = account_for(request, slug, LIST)
    found = get_object_or_404(SyncRun.objects.select_related("released_by"), account=account, pk=pk)
    held = mirror.held(account)
    context = frame(request, account, "softphones") | {
        "run": found,
        "waits": held is not None and held.pk == found.pk,
        "phones": _part(Softphone, found.removals, request.GET.get("phones", "")),
        "people": _part(Owner, found.removed_owners, request.GET.get("people", "")),
    }
    return render(request, "staff/run.html", context)


@require_POST
def release(request, slug, pk):
    account = account_for(request, slug, MANAGE)
    found = get_object_or_404(SyncRun.objects.select_related("account"), account=account, pk=pk)
    now = timezone.now()
    with transaction.atomic():
        released = mirror.release(run=found, by=request.user, now=now)
        if released:
            data = {"run": found.pk, "count": len(found.removals) + len(found.removed_owners)}
            audit.record(
                act="sync:released", actor=request.user, account=account, ip=audit.client_ip(request), data=data, now=now
            )
            wake("mirror_account", account_id=account.pk)
    if not released:
        messages.error(request, _("This look waits for nobody any more: a later one ended it, or somebody released it before."))
        return redirect("run", slug, pk)
    return redirect(f"{reverse('runs', args=[slug])}?asked={now.timestamp():.6f}")


def _under_way(request, runs: list[SyncRun]) -> dict:
    """`asked`: the moment at which a look was asked for, if none has begun since; `late`: no worker takes it up."""
    running = bool(runs) and runs[0].state == SyncRun.State.RUNNING
    asked, now = _moment(request.GET.get("asked", "")), timezone.now()
    waits = bool(asked) and not running and now - asked < ASKS_FOR and (not runs or runs[0].started_at < asked)
    return {
        "running": running,
        "asked": f"{asked.timestamp():.6f}" if waits else "",
        "late": waits and now - asked > BEGINS_WITHIN,
    }


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _part(model, ids: list[int], after: str) -> dict:
    """A page of these rows in the order of their ids: how many there are, which, and the id to go on from."""
    ids = sorted(ids)
    start = bisect_right(ids, int(after)) if after.isdecimal() and len(after) < 19 else 0
    page = ids[start : start + ROWS]
    rows = model.objects.filter(pk__in=page).order_by("pk")
    rows = rows.select_related("owner").defer("password") if model is Softphone else rows
    more = page[-1] if start + ROWS < len(ids) else None
    return {"count": len(ids), "rows": list(rows), "next": more, "first": not start}
