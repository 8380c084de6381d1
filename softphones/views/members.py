"""Who has which role in the account."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from softphones import audit, members, paging
from softphones.access import MEMBERS, account_for
from softphones.models import Membership
from softphones.staff_forms import MembersForm, RoleForm


@never_cache
@require_safe
def listed(request, slug):
    account = account_for(request, slug, MEMBERS)
    form = MembersForm(request.GET)
    found = members.members(account, **form.asked())
    marks = {name: request.GET.get(name, "") for name in ("after", "before")}
    page = paging.page_by("address", found, **marks)
    Membership.knowing_who_left(page.rows)
    context = {
        "account": account,
        "here": slug,
        "part": "members",
        "form": form,
        "page": page,
        "query": urlencode(form.asked()),
    }
    return render(request, "staff/members.html#list" if request.htmx else "staff/members.html", context)


@require_POST
def change_role(request, slug, pk):
    account = account_for(request, slug, MEMBERS)
    membership = get_object_or_404(Membership, account=account, pk=pk)
    form = RoleForm(request.POST)
    if form.is_valid():
        done = _("%(who)s is now %(role)s.") % {"who": membership.user, "role": form.name()}
        _change(request, membership, form.cleaned_data["role"], done)
    return redirect("members", slug)


@require_POST
def remove(request, slug, pk):
    account = account_for(request, slug, MEMBERS)
    membership = get_object_or_404(Membership, account=account, pk=pk)
    asked = {"by": request.user, "ip": audit.client_ip(request), "now": timezone.now()}
    try:
        comes_again = members.remove(membership=membership, **asked)
    except members.NotAllowed as reason:
        messages.error(request, str(reason))
    else:
        said = _("%(who)s has no access any more.")
        if comes_again:
            said = _(
                "%(who)s has no access until they sign in again: Audian lists them. To keep them out, switch them off there."
            )
        messages.success(request, said % {"who": membership.user})
    return redirect("members", slug)


def _change(request, membership, role, done):
    asked = {"by": request.user, "ip": audit.client_ip(request), "now": timezone.now()}
    try:
        members.change_role(membership=membership, role=role, **asked)
    except members.NotAllowed as reason:
        messages.error(request, str(reason))
    else:
        messages.success(request, done)
