"""Changes for which Audian asks money."""

from django.contrib import messages
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from softphones import audit, changes, charges
from softphones.access import LIST, MANAGE, account_for
from softphones.models import Change
from softphones.views.staff import frame


@never_cache
@require_safe
def listed(request, slug):
    account = account_for(request, slug, LIST)
    return render(request, "staff/charges.html", frame(request, account, "softphones") | {"offers": charges.offers(account)})


@require_POST
def accept(request, slug, pk):
    count = _decide(request, slug, pk, changes.accept)
    if count:
        messages.success(request, ngettext("Accepted: %d change goes on.", "Accepted: %d changes go on.", count) % count)
    return _back(request, slug)


@require_POST
def decline(request, slug, pk):
    count = _decide(request, slug, pk, changes.decline)
    if count:
        messages.success(request, ngettext("Declined: %d change ended.", "Declined: %d changes ended.", count) % count)
    return _back(request, slug)


def _back(request, slug):
    """To the page of the import on which this was decided, if it was."""
    batch = request.POST.get("import", "")
    return redirect("import", slug, batch) if batch.isascii() and batch.isdecimal() else redirect("charges", slug)


def _is_what_was_seen(request, change) -> bool:
    return request.POST.get("seen") == charges.offer(change).mark


@transaction.atomic
def _decide(request, slug, pk, decision) -> int:
    account = account_for(request, slug, MANAGE)
    change = get_object_or_404(Change.objects.select_for_update(no_key=True), account=account, pk=pk)
    if decision is changes.accept and change.state == Change.State.HELD and not _is_what_was_seen(request, change):
        messages.error(request, _("The charges are no longer those that you saw. Look again before you accept."))
        return 0
    try:
        return decision(change=change, by=request.user, ip=audit.client_ip(request), now=timezone.now())
    except changes.NotPossible as reason:
        messages.error(request, str(reason))
        return 0
