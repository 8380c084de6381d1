"""Helpdesk: find a person, see what their phones are doing, and act on one, without ever seeing a password."""

from functools import wraps

from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from softphones import changes, helpdesk, mail, search
from softphones.access import (
    FIND,
    RESET,
    REVOKE_LINKS,
    SEND_LINK,
    SWITCH,
    account_for,
    owner_of_account,
    phone_of_account,
)
from softphones.audit import client_ip
from softphones.forms import KeyForm, ReasonForm
from softphones.views.addresses import for_rows
from softphones.views.cuts import look, looks_again, what_is_cut
from softphones.views.helpdesk_page import address_of_page, mailed_to, page, state_of


@never_cache
@require_safe
def people(request, slug):
    """Everybody, a page at a time, or whom `?q=` finds (`all`: to the last match). One is gone to at once: Enter suffices."""
    account, now = account_for(request, slug, FIND), timezone.now()
    text = request.GET.get("q", "").replace("\0", "").strip()[:200]
    context = {"account": account, "here": slug, "part": "people", "text": text, "matches": None, "page": None}
    if text:
        most = search.MOST if "all" in request.GET else helpdesk.SHOWN_FIRST
        context["matches"] = helpdesk.matching(account, text, now, most=most)
        rows = context["matches"].rows
        if len(rows) == 1 and not request.htmx:
            return redirect(address_of_page(account, rows[0].owner, rows[0].phones))
    else:
        after, before = request.GET.get("after", ""), request.GET.get("before", "")
        context["page"] = helpdesk.everybody(account, after=after, before=before, now=now)
        rows = context["page"].rows
    person, phone = for_rows("person", slug), for_rows("desk_phone", slug)
    context["rows"] = [(row, person(row.owner.pk) if row.owner else phone(row.phones[0].pk)) for row in rows]
    return render(request, "helpdesk/people.html#found" if request.htmx else "helpdesk/people.html", context)


@never_cache
@require_safe
def person(request, slug, pk):
    owner = owner_of_account(request, slug, pk, FIND)
    phones = owner.softphones.present().select_related("account", "owner__user").order_by("name", "id")
    return render(request, "helpdesk/person.html", page(request, owner.account, owner, list(phones)))


@never_cache
@require_safe
def phone(request, slug, pk):
    """A phone without a person; one with a person stands on their page."""
    softphone = phone_of_account(request, slug, pk, FIND)
    if softphone.owner:
        return _back(softphone)
    return render(request, "helpdesk/person.html", page(request, softphone.account, None, [softphone]))


@never_cache
@require_safe
def phone_state(request, slug, pk):
    """How a phone is now, asked for every few seconds; 204 while the page shows just that."""
    softphone = phone_of_account(request, slug, pk, FIND)
    if not request.htmx:
        return _back(softphone)
    return state_of(request, softphone)


def acts(act):
    """A view that does something to a phone by POST, and then leads back to its person's page."""

    def decorate(view):
        @wraps(view)
        def guarded(request, slug, pk):
            softphone = phone_of_account(request, slug, pk, act)
            try:
                view(request, softphone)
            except (helpdesk.Refused, changes.NotPossible, mail.NoAddress) as reason:
                messages.error(request, str(reason))
            return _back(softphone)

        return never_cache(require_POST(guarded))

    return decorate


@acts(SEND_LINK)
def send_link(request, softphone):
    message, is_new = helpdesk.send_link(softphone=softphone, **_asked(request))
    said = (
        _("The set-up link goes to %(to)s.")
        if is_new
        else _("The set-up link went to %(to)s a moment ago. One mail is enough.")
    )
    messages.success(request, said % {"to": mail.masked(message.to)})


@acts(SWITCH)
def switch_on(request, softphone):
    key = KeyForm(request.POST).sent_key
    helpdesk.switch(softphone=softphone, on=True, reason="", key=key, **_asked(request))
    messages.success(request, _("%(phone)s is being switched on.") % {"phone": softphone})


@acts(REVOKE_LINKS)
def revoke_links(request, softphone):
    ended = helpdesk.revoke_links(softphone=softphone, **_asked(request))
    said = ngettext("%(count)d set-up link was ended.", "%(count)d set-up links were ended.", ended)
    messages.success(request, said % {"count": ended})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reset(request, slug, pk):
    softphone = phone_of_account(request, slug, pk, RESET)

    def do(asked):
        _say_reset(request, helpdesk.reset(softphone=softphone, **asked))

    return _asks(request, softphone, "helpdesk/reset.html", do)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def switch_off(request, slug, pk):
    softphone = phone_of_account(request, slug, pk, SWITCH)

    def do(asked):
        helpdesk.switch(softphone=softphone, on=False, **asked)
        messages.success(request, _("%(phone)s is being switched off.") % {"phone": softphone})

    return _asks(request, softphone, "helpdesk/switch_off.html", do)


def _asks(request, softphone, template, do):
    """A page that says first what it cuts; its form does it."""
    if looks_again(request):
        return look(request, [softphone], "helpdesk/cut_now.html")
    form = ReasonForm(request.POST or None)
    refusal = ""
    if form.is_valid():
        try:
            do(form.cleaned_data | _asked(request))
            return _back(softphone)
        except (helpdesk.Refused, changes.NotPossible) as reason:
            refusal = str(reason)
    to, no_mail = mailed_to(softphone)
    context = what_is_cut(request, [softphone]) | {
        "here": softphone.account.slug,
        "part": "people",
        "softphone": softphone,
        "form": form,
        "refusal": refusal,
        "to": to,
        "no_mail": no_mail,
        "back": address_of_page(softphone.account, softphone.owner, [softphone]),
    }
    return render(request, template, context)


def _say_reset(request, change):
    """A form that is sent again leads to the change that it led to before, which may have come to its end."""
    told = changes.progress(change=change, now=timezone.now())
    names = {"phone": change.softphone, "why": told.sentence}
    match told.state:
        case "done":
            messages.info(request, _("%(phone)s has its new password already.") % names)
        case "failed" | "replaced":
            messages.error(request, _("No new password for %(phone)s: %(why)s") % names)
        case "held":
            messages.info(request, told.sentence)
        case _:
            messages.success(request, _("A new password for %(phone)s is on its way to Audian.") % names)


def _asked(request):
    return {"by": request.user, "ip": client_ip(request), "now": timezone.now()}


def _back(softphone):
    if softphone.owner_id:
        address = reverse("person", args=[softphone.account.slug, softphone.owner_id])
        return redirect(f"{address}#phone-{softphone.pk}")
    return redirect("desk_phone", softphone.account.slug, softphone.pk)
