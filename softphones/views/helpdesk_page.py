"""What a person's page shows: each phone with its light, sentence and buttons, who did what, and what was mailed."""

import hashlib

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import trigger_client_event

from softphones import helpdesk, lights, mail, people
from softphones.access import acts_on, has_role
from softphones.models import Account, AuditEvent, Membership, Message, Owner, SetupLink, Softphone
from softphones.people import holds
from softphones.templatetags.moments import moment
from softphones.views.setup_page import LOOKS_FOR, sign_now, signed_time

EVENTS, MAILS = 20, 10


def address_of_page(account: Account, owner: Owner | None, phones: list[Softphone]) -> str:
    """The page of a person; of the phone, where it has none."""
    if owner:
        return reverse("person", args=[account.slug, owner.pk])
    return reverse("desk_phone", args=[account.slug, phones[0].pk])


def address_to_close(account: Account, leaver: helpdesk.Leaver) -> str:
    """The page that closes their phones."""
    if leaver.owner:
        return reverse("close_person", args=[account.slug, leaver.owner.pk])
    return reverse("close_dangling", args=[account.slug, leaver.phones[0].pk])


def mailed_to(softphone: Softphone) -> tuple[str, str]:
    """Where mail about this phone goes, masked; else why it can't go anywhere. Both are empty for a phone without a person."""
    try:
        return mail.masked(mail.address_of(softphone.owner, softphone=softphone)) if softphone.owner else "", ""
    except mail.NoAddress as reason:
        return "", str(reason)


def page(request, account: Account, owner: Owner | None, phones: list[Softphone]) -> dict:
    """The page's context; lights as last seen, since only its fragments ask Audian."""
    now = timezone.now()
    may_act = acts_on(request.user, account, owner)
    is_admin = has_role(request.user, account, Membership.Role.ADMIN)
    leaver = _leaver(account, owner, phones)
    return {
        "account": account,
        "here": account.slug,
        "part": "people",
        "text": "",
        "owner": owner,
        "title": str(owner or phones[0]),
        "address": mail.masked(owner.email) if owner else "",
        "user_address": mail.masked(owner.user.email) if owner and owner.user else "",
        "may_act": may_act,
        "cards": [_card(request, phone, lights.as_of(lights.last_seen(phone), now), may_act) for phone in phones],
        "leaver": leaver,
        "close_at": address_to_close(account, leaver) if leaver else "",
        "leaver_works": any(phone.enabled for phone in phones) and leaver.has_left if leaver else False,
        "is_admin": is_admin,
        "was_removed": bool(owner and owner.user) and (owner.user_id, account.pk) not in people.inside([owner.user]),
        "waits_for_admin": bool(owner and holds.is_waiting(owner)),
        "events": _events(account, owner, phones),
        "mails": _mails(owner, phones),
    }


def state_of(request, softphone: Softphone) -> HttpResponse:
    """The part of a card that moves, or 204 while the page shows just that, or that we stopped looking."""
    now = timezone.now()
    since = signed_time(softphone.pk, request.GET.get("looking", ""))
    stopped = since is None or now - since > LOOKS_FOR
    seen = lights.last_seen(softphone) if stopped else lights.watch(softphones=[softphone], now=now)[softphone.pk]
    softphone.refresh_from_db()
    may_act = acts_on(request.user, softphone.account, softphone.owner)
    card = _card(request, softphone, lights.as_of(seen, now), may_act, first=False)
    if not stopped and request.GET.get("shown") == card["shown"]:
        return HttpResponse(status=204)
    card["stopped"] = stopped
    card["looking"] = sign_now(softphone.pk) if stopped else request.GET["looking"]
    response = render(request, "helpdesk/state.html", {"account": softphone.account, "card": card, "may_act": may_act})
    return trigger_client_event(response, "phone-changed")


def _card(request, softphone: Softphone, light: lights.Light, may_act: bool, *, first: bool = True) -> dict:
    zone = softphone.account.time_zone
    desk = helpdesk.desk_of(softphone, light, timezone.now(), lambda at: moment(at, zone))
    to, no_mail = mailed_to(softphone)
    card = {
        "softphone": softphone,
        "desk": desk,
        "light": light,
        "first": first,
        "to": to,
        "no_mail": no_mail,
        "open_links": SetupLink.objects.filter(softphone=softphone, revoked_at=None, expires_at__gt=timezone.now()).count(),
        "looking": sign_now(softphone.pk),
        "stopped": False,
    }
    card["told"] = render_to_string("helpdesk/told.html", {"card": card, "account": softphone.account}, request)
    buttons = (to, no_mail, card["open_links"], softphone.enabled, may_act)
    card["shown"] = "" if first else hashlib.sha256(f"{card['told']}{buttons}".encode()).hexdigest()[:16]
    return card


def _leaver(account: Account, owner: Owner | None, phones: list[Softphone]) -> helpdesk.Leaver | None:
    audian_id = owner.audian_id if owner else phones[0].owner_audian_id
    return helpdesk.Leaver(audian_id, owner, phones) if audian_id else None


def _events(account: Account, owner: Owner | None, phones: list[Softphone]) -> list[AuditEvent]:
    theirs = Q(softphone__in=phones)
    if owner:
        theirs |= Q(owner=owner)
    events = AuditEvent.objects.filter(theirs, account=account).select_related("actor", "softphone", "owner")
    return list(events.order_by("-at", "-id")[:EVENTS])


def _mails(owner: Owner | None, phones: list[Softphone]) -> list[tuple[Message, str]]:
    theirs = Q(softphone__in=phones)
    if owner:
        theirs |= Q(owner=owner)
    found = Message.objects.filter(theirs).exclude(kind__in=Message.CODES).order_by("-pk")[:MAILS]
    return [(message, mail.masked(message.to)) for message in found]
