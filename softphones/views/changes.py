"""A change in flight: a page of its own, and the part of other pages that moves by itself."""

import json

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from softphones import access, audit, helpdesk, people, self_service
from softphones import changes as room
from softphones.views.change_card import own_card, staff_card
from softphones.views.sign_in import prove


@never_cache
@require_safe
def change(request, pk):
    """How a change of one of the visitor's own phones goes."""
    return _answer(request, access.own_change(request.user, pk, access.SEE), own_card)


@never_cache
@require_POST
def change_again(request, pk):
    wish = access.own_change(request.user, pk, access.TRY_OWN_AGAIN)
    back = reverse("setup", args=[wish.softphone_id])
    if wish.state == wish.State.FAILED and room.draws_password(wish) and not people.proof_is_fresh(request):
        return prove(request, back)
    if refused := _refusal(self_service.try_again, wish, user=request.user, **_pressed(request)):
        return _refused(request, refused, back)
    return _answer(request, wish, own_card) if request.htmx else redirect(back)


@never_cache
@require_safe
def staff_change(request, slug, pk):
    return _answer(request, access.change_of_account(request, slug, pk, access.FIND), staff_card)


@never_cache
@require_POST
def staff_change_again(request, slug, pk):
    wish = access.change_of_account(request, slug, pk, access.TRY_AGAIN)
    if refused := _refusal(helpdesk.try_again, wish, by=request.user, **_pressed(request)):
        return _refused(request, refused, reverse("staff_change", args=[slug, pk]))
    return _answer(request, wish, staff_card) if request.htmx else redirect("staff_change", slug, pk)


def _pressed(request):
    return {"mine_anyway": "mine" in request.POST, "ip": audit.client_ip(request), "now": timezone.now()}


def _refusal(try_again, wish, **pressed):
    """Why it may not go once more now, "" if it does. A second press finds that it goes already: the answer shows how."""
    try:
        try_again(change=wish, **pressed)
    except (self_service.Refused, helpdesk.Refused) as refusal:
        return str(refusal)
    except room.NotPossible:
        wish.refresh_from_db()
    return ""


def _refused(request, refusal, back):
    """The page that the button stands on, anew, with the refusal on it."""
    messages.error(request, refusal)
    return HttpResponse(headers={"HX-Refresh": "true"}) if request.htmx else redirect(back)


def _answer(request, wish, card_of):
    """The page; or the card alone, 204 while it is what the page already shows. A new state is also said aloud."""
    refresh = request.GET.get("then") == "refresh"
    card = card_of(wish, request.user, now=timezone.now(), refresh=refresh)
    staff = card.staff
    context = {"card": card, "account": wish.account, "here": wish.account.slug if staff else "mine", "part": "softphones"}
    if not request.htmx:
        return render(request, "changes/staff_page.html" if staff else "changes/page.html", context)
    shown = request.GET.get("shown", "")
    was = shown.partition("-")[0]
    turned = not card.looks_every or "held" in (was, card.progress.state)
    if refresh and turned and request.method == "GET" and was != card.progress.state:
        return HttpResponse(headers={"HX-Refresh": "true"})
    if shown == card.shown:
        return HttpResponse(status=204)
    response = render(request, "changes/card.html", context)
    if was != card.progress.state:
        response["HX-Trigger"] = json.dumps({"say": f"{card.title}. {card.sentence}"})
    return response
