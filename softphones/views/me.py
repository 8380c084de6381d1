"""A person's own softphones."""

from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from softphones import audit, people, self_service
from softphones import lights as room
from softphones.access import accounts_of, may_have_softphones, own_softphones
from softphones.forms import NewSoftphoneForm, primary_key
from softphones.models import Owner, Softphone, SyncRun
from softphones.views.setup_page import as_of_now, shown_as, troubles_of


@never_cache
@require_safe
def softphones(request):
    owners, phones = own_softphones(request.user)
    memberships = accounts_of(request.user)
    seen = {phone.pk: as_of_now(room.last_seen(phone)) for phone in phones}
    context = _list(phones, seen) | {"here": "mine", "shown": "", "first": True}
    context |= _age({each.account_id for each in memberships})
    context["offers"] = self_service.offers(request.user, owners=owners, phones=phones, now=timezone.now())
    if not phones:
        context["standing"] = standing(request.user, memberships, mirrored=context["mirrored"])
    return render(request, "me/softphones.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def get_softphone(request):
    """Ask for one more softphone, and go to its set-up page, which waits until Audian has made it.

    Whoever only opens the address, as after signing in anew, comes to the page with the button.
    """
    if request.method != "POST":
        return redirect("softphones")
    owner = get_object_or_404(may_have_softphones(request.user), pk=primary_key(request.POST.get("owner", "")))
    form = NewSoftphoneForm(request.POST)
    if not form.is_valid():
        messages.error(request, next(iter(form.errors.values()))[0])
        return redirect("softphones")
    asked = {"name": form.cleaned_data["name"], "key": form.cleaned_data["key"], "ip": audit.client_ip(request)}
    try:
        change = self_service.get(owner=owner, user=request.user, **asked, now=timezone.now())
    except self_service.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("softphones")
    mine = Softphone.objects.visible_to(request.user).filter(pk=change.softphone_id).exists()
    return redirect("setup", change.softphone_id) if mine else redirect("softphones")


@never_cache
@require_safe
def lights(request):
    """The lights of all my phones; 204 while they are what the page already shows."""
    if not request.htmx:
        return redirect("softphones")
    _owners, phones = own_softphones(request.user)
    context = _list(phones, room.watch(softphones=phones, now=timezone.now()))
    if phones and request.GET.get("shown") == context["shown"]:
        return HttpResponse(status=204)
    return render(request, "me/softphones.html#phones", context)


def standing(user, memberships, *, mirrored: bool) -> str:
    """Why somebody has no phone here: `not_mirrored`, `none` (known, without a phone), `ended` (their entry at Audian is
    off or gone), `shared` (several people have their address), `held` (an admin has to look), `removed` (from the members),
    `again` (the next sign-in lets them in), or `not_linked`."""
    accounts = [each.account_id for each in memberships]
    linked = Owner.objects.filter(user=user, account__in=accounts)
    if any(each.enabled and each.gone_at is None for each in linked):
        return "none" if mirrored else "not_mirrored"
    if linked:
        return "ended"
    if accounts and not mirrored:
        return "not_mirrored"
    same = Owner.objects.filter(account__in=accounts, email_folded=user.email.casefold(), enabled=True, gone_at=None)
    found = list(same.values_list("hold", flat=True)[:2])
    if len(found) > 1:
        return "shared"
    if found and found[0]:
        return "held"
    if Owner.objects.filter(user=user, enabled=True, gone_at=None).exists():
        return "removed"
    return "again" if people.comes_in_again(user) else "not_linked"


def _list(phones, seen):
    troubles = troubles_of(phones)
    shown = [(phone, seen[phone.pk], troubles[phone.pk]) for phone in phones]
    return {"phones": shown, "shown": "_".join(f"{shown_as(light)}{trouble}" for _, light, trouble in shown)}


def _age(accounts):
    """Whether Audian has ever been read for all these accounts, and since when it could not be (`as_of`)."""
    read = [_last_read(account) for account in accounts]
    if not read or not all(at for at, _failed in read):
        return {"mirrored": False, "as_of": None}
    late = timezone.now() - timedelta(seconds=settings.MIRROR_STALE_AFTER)
    return {"mirrored": True, "as_of": min((at for at, failed in read if failed or at < late), default=None)}


def _last_read(account):
    """When Audian was last read to its end for this account, None if never, and whether a later look at it failed."""
    State = SyncRun.State
    runs = SyncRun.objects.filter(account=account, state__in=(State.COMPLETE, State.FAILED)).order_by("-started_at")
    newest = runs.values_list("state", "finished_at").first()
    if newest is None or newest[0] == State.COMPLETE:
        return newest and newest[1], False
    return runs.filter(state=State.COMPLETE).values_list("finished_at", flat=True).first(), True
