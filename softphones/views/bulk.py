"""Bulk work that begins in a list: an act on chosen softphones, and softphones for chosen people. Both lead to a preview."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from softphones import imports, listing, paging
from softphones.access import MANAGE, account_for
from softphones.bulk_forms import ActOnSoftphones, SoftphonesForPeople
from softphones.views.staff import frame, matching


@never_cache
@require_POST
def selected(request, slug):
    """Check an act on the softphones that were chosen in the list. Nothing happens to them before it is started."""
    account = account_for(request, slug, MANAGE)
    form = ActOnSoftphones(request.POST, account=account, by=request.user)
    if not form.is_valid():
        return _back(request, "staff_softphones", slug, form)
    kind, chosen = form.cleaned_data["kind"], form.cleaned_data["chosen"]
    batch = imports.act_on(account=account, softphones=chosen, kind=kind, by=request.user, now=timezone.now())
    return redirect("import", slug, batch.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def from_people(request, slug):
    """The people without a softphone, to choose who gets one."""
    account = account_for(request, slug, MANAGE)
    if request.method == "POST":
        form = SoftphonesForPeople(request.POST, account=account, by=request.user)
        if not form.is_valid():
            return _back(request, "from_people", slug, form)
        chosen = form.cleaned_data["chosen"]
        batch = imports.from_people(account=account, owners=chosen, by=request.user, now=timezone.now())
        return redirect("import", slug, batch.pk)
    text = request.GET.get("text", "").strip()[:100]
    people = imports.people_without(account=account, by=request.user, text=text)
    if request.htmx.target == "matching":
        return matching(request, people.filter(is_oneself=False))
    marks = {name: request.GET.get(name, "") for name in ("after", "before")}
    context = frame(request, account, "imports") | {
        "text": text,
        "page": paging.page_by_name(people, **marks),
        "read": listing.last_read(account),
    }
    return render(request, "imports/people.html#list" if request.htmx else "imports/people.html", context)


def _back(request, name, slug, form):
    """To the list as it was, with what is wrong."""
    messages.error(request, form.said)
    return redirect(f"{reverse(name, args=[slug])}?{form.query.urlencode()}")
