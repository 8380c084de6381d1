"""Deletions that are wanted only of what nobody uses: as late as possible it is seen whether somebody does."""

from collections.abc import Collection
from datetime import datetime

from django.utils.translation import gettext_noop

from softphones import lights
from softphones.audian.client import AudianClient
from softphones.audian.errors import NotFound
from softphones.changes.wishes import family
from softphones.models import AuditEvent, Change, SetupLink, Softphone

CONNECTED = gettext_noop("It has been connected: it is kept.")
SHOWN = gettext_noop("Somebody has seen its password or opened its link: it is kept.")
UNSEEN = gettext_noop("Nobody knows whether it is connected: it is kept.")
#: Why a softphone is kept: what stands in the `error` of a deletion that was not sent for it.
WHY_KEPT = (CONNECTED, SHOWN, UNSEEN)


def spares(change: Change) -> bool:
    """Whether this deletion is wanted only if nobody uses the softphone by then: by everybody who asked for it."""
    return all(wish.values.get("unless_used") for wish in family(change))


def kept(phones: Collection[Softphone], *, now: datetime | None = None) -> dict[int, str]:
    """Why these softphones are kept, as far as the portal saw: one of WHY_KEPT by primary key; the others nobody uses.

    With `now`, one that was not seen lately is kept too: nobody knows whether it is connected.
    """
    ids = [phone.pk for phone in phones]
    opened = set(SetupLink.objects.filter(softphone__in=ids, opened_at__isnull=False).values_list("softphone", flat=True))
    shown = set(AuditEvent.objects.filter(softphone__in=ids, act="password:shown").values_list("softphone", flat=True))
    why = {phone.pk: _why(phone, phone.pk in opened | shown, now) for phone in phones}
    return {pk: said for pk, said in why.items() if said}


def why_kept(change: Change, audian_id: str, client: AudianClient) -> str:
    """Why this deletion is not to be sent at this moment, one of WHY_KEPT; "" if it is. One call, if it depends on that.

    Raises AudianError. Writes nothing.
    """
    if not spares(change):
        return ""
    phone = Softphone.objects.defer("password").get(pk=change.softphone_id)
    if said := kept([phone]).get(phone.pk):
        return said
    try:
        registered = lights.ask(client, phone)
        if registered is None and phone.enabled and client.exists(audian_id):
            return UNSEEN
    except NotFound:
        return ""
    return CONNECTED if registered else ""


def _why(phone: Softphone, is_known: bool, now: datetime | None) -> str:
    if phone.registered or phone.registered_since or phone.lost_at or phone.lost_since:
        return CONNECTED
    if is_known:
        return SHOWN
    light = lights.last_seen(phone)
    if phone.enabled and (lights.as_of(light, now) if now else light).state == "unknown":
        return UNSEEN
    return ""
