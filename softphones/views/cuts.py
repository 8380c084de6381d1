"""What a page says that its act cuts off. It looks again by itself while it is open: an app may come or go meanwhile."""

import hashlib
from dataclasses import replace

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from softphones import helpdesk, lights
from softphones.models import Softphone
from softphones.views.setup_page import LOOKS_FOR, sign_now, signed_time


def what_is_cut(request, softphones: list[Softphone]) -> dict:
    """The context: each phone with its Cut, `cut` of the first, and how to look again. Asks Audian, if it is time to.

    A page that was open for long has `stopped`, and no longer tells what is connected now.
    """
    now = timezone.now()
    looking = request.GET.get("looking", "") if looks_again(request) else sign_now(request.path)
    since = signed_time(request.path, looking)
    stopped = since is None or now - since > LOOKS_FOR
    seen = {} if stopped else lights.watch(softphones=softphones, now=now)
    unseen = [(phone, replace(lights.last_seen(phone), state="unknown")) for phone in softphones]
    cuts = [(phone, helpdesk.cut_of(phone, seen.get(phone.pk, light))) for phone, light in unseen]
    return {
        "account": softphones[0].account,
        "cuts": cuts,
        "cut": cuts[0][1],
        "stopped": stopped,
        "looking": sign_now(request.path) if stopped else looking,
        "shown": hashlib.sha256(repr([(phone.pk, cut) for phone, cut in cuts]).encode()).hexdigest()[:16],
    }


def looks_again(request) -> bool:
    """Whether a page that is open asks for what it cuts, and for nothing else: what is typed in its form stays."""
    return bool(request.htmx) and request.method in ("GET", "HEAD")


def look(request, softphones: list[Softphone], template: str) -> HttpResponse:
    """The part that says what is cut; 204 while the page shows just that."""
    context = what_is_cut(request, softphones)
    if not context["stopped"] and request.GET.get("shown") == context["shown"]:
        return HttpResponse(status=204)
    return render(request, template, context)
