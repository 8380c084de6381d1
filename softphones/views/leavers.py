"""People who left while a phone of theirs still works, closing their phones, and who stands behind an owner."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from softphones import helpdesk
from softphones.access import CLOSE, FIND, STAND_BEHIND, account_for, acts_on_among, owner_of_account, phone_of_account
from softphones.audit import client_ip
from softphones.forms import ConfirmPersonForm, ReasonForm
from softphones.people import holds
from softphones.views.cuts import look, looks_again, what_is_cut
from softphones.views.helpdesk_page import address_of_page, address_to_close


@never_cache
@require_safe
def leavers(request, slug):
    account = account_for(request, slug, FIND)
    after, before = request.GET.get("after", ""), request.GET.get("before", "")
    page = helpdesk.leaving(account, after=after, before=before)
    leaving = page.rows
    if not leaving and (after or before):  # all on this page were closed: of the other pages that says nothing
        return redirect("leavers", slug)
    owners = acts_on_among(request.user, account, [each.owner for each in leaving if each.owner])
    roles = helpdesk.roles_of(account, leaving)
    found = [
        (
            each,
            address_of_page(account, each.owner, each.phones),
            address_to_close(account, each) if each.owner is None or each.owner.pk in owners else "",
            roles.get(each.audian_id),
        )
        for each in leaving
    ]
    context = {"account": account, "here": slug, "part": "people", "leavers": found, "page": page}
    return render(request, "helpdesk/leavers.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def close_person(request, slug, pk):
    return _close(request, helpdesk.one_leaving(owner_of_account(request, slug, pk, CLOSE)))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def close_dangling(request, slug, pk):
    """The same of a person whom Audian does not have: any phone that names them says who is meant."""
    phone = phone_of_account(request, slug, pk, CLOSE)
    if phone.owner:
        return redirect("close_person", slug, phone.owner.pk)
    if not phone.owner_audian_id:
        raise Http404
    return _close(request, helpdesk.one_dangling(phone))


def _close(request, leaver):
    """Close the phones of somebody who left; says first what that ends. Of whoever has not left, it says what to do first."""
    if not leaver.phones:
        raise Http404
    if looks_again(request):
        return look(request, leaver.phones, "helpdesk/close.html#phones")
    account = leaver.account
    back = address_of_page(account, leaver.owner, leaver.phones)
    context = {"account": account, "here": account.slug, "part": "people", "leaver": leaver, "back": back}
    form, now = ReasonForm(request.POST or None), timezone.now()
    try:
        if leaver.has_left and form.is_valid():
            closed = helpdesk.close(leaver=leaver, **form.cleaned_data, by=request.user, ip=client_ip(request), now=now)
            messages.success(request, _closed(closed))
            if closed.kept:
                messages.error(request, _("Their role did not end: %(why)s") % {"why": closed.kept})
            return redirect(back)
    except helpdesk.NotLeft:
        leaver.owner.refresh_from_db()
    if not leaver.has_left:
        return render(request, "helpdesk/not_left.html", context)
    context |= what_is_cut(request, leaver.phones)
    context |= {"form": form, "role": helpdesk.roles_of(account, [leaver]).get(leaver.audian_id)}
    return render(request, "helpdesk/close.html", context)


@never_cache
@require_POST
def confirm(request, slug, pk):
    """Let the person who has the owner's address be this owner; with new passwords, unless they are the one as before."""
    owner = owner_of_account(request, slug, pk, STAND_BEHIND)
    form = ConfirmPersonForm(request.POST)
    new_passwords = form.is_valid() and form.cleaned_data["reset"]
    asked = {"owner": owner, "by": request.user, "ip": client_ip(request), "now": timezone.now()}
    try:
        user = helpdesk.confirm_person(**asked, new_passwords=new_passwords)
    except (holds.NotYours, holds.NotPossible) as reason:
        messages.error(request, str(reason))
        return redirect("person", slug, pk)
    said = _("%(person)s is confirmed.") if user else _("Whoever proves the address of %(person)s next is let in.")
    messages.success(request, said % {"person": owner})
    return redirect("person", slug, pk)


@never_cache
@require_POST
def unlink(request, slug, pk):
    owner = owner_of_account(request, slug, pk, STAND_BEHIND)
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    holds.unlink(owner=owner, by=request.user, reason=reason, ip=client_ip(request), now=timezone.now())
    messages.success(request, _("Nobody is linked to %(person)s any more.") % {"person": owner})
    return redirect("person", slug, pk)


def _closed(closed: helpdesk.Closed) -> str:
    phones = ngettext("%(count)d phone is being closed.", "%(count)d phones are being closed.", closed.phones)
    sentences = [phones % {"count": closed.phones}]
    if closed.sessions:
        sessions = ngettext("%(count)d session was ended.", "%(count)d sessions were ended.", closed.sessions)
        sentences.append(sessions % {"count": closed.sessions})
    if closed.roles:
        sentences.append(_("Their staff role was ended."))
    return " ".join(sentences)
