"""Deletions that are wanted only of what nobody uses: as late as possible it is seen whether somebody does."""

from collections.abc import Iterable
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
WANTED = gettext_noop("Somebody has asked for something else of it: it is kept.")
#: Why a softphone is kept: what stands in the `error` of a deletion that was not sent for it.
WHY_KEPT = (CONNECTED, SHOWN, UNSEEN, WANTED)


def spares(change: Change) -> bool:
    """Whether this deletion is wanted only if nobody uses the softphone by then: by everybody who asked for it."""
    return all(wish.values.get("unless_used") for wish in family(change))


def kept(phones: Iterable[Softphone], *, now: datetime | None = None) -> dict[int, str]:
    """Why these softphones are kept, as far as the portal saw: one of WHY_KEPT by primary key; the others nobody uses.

    What somebody asked for that is not at its end counts as use. With `now`, one that was not seen lately is kept too:
    nobody knows whether it is connected.
    """
    phones = list(phones)
    ids = [phone.pk for phone in phones]
    opened = SetupLink.objects.filter(softphone__in=ids, opened_at__isnull=False)
    shown = AuditEvent.objects.filter(softphone__in=ids, act="password:shown")
    wanted = Change.objects.filter(softphone__in=ids, state__in=Change.UNFINISHED).exclude(kind=Change.Kind.DELETE)
    why = {phone.pk: UNSEEN for phone in phones if now and _is_unseen(phone, now)}
    for said, found in ((WANTED, wanted), (SHOWN, shown), (SHOWN, opened)):
        why |= dict.fromkeys(found.values_list("softphone", flat=True), said)
    return why | {phone.pk: CONNECTED for phone in phones if _was_connected(phone)}


def why_kept(change: Change, audian_id: str, client: AudianClient) -> str:
    """Why this deletion is not to be sent at this moment, one of WHY_KEPT; "" if it is. One call, if it depends on that.

    Raises AudianError. Writes nothing.
    """
    if not spares(change):
        return ""
    found = Softphone.objects.defer("password").filter(pk=change.softphone_id)
    try:
        if change.tried_at and not client.exists(audian_id):
            return ""  # only the answer of an earlier try got lost
        phone = found.get()
        registered = lights.ask(client, phone)
        if registered is None and phone.enabled and client.exists(audian_id):
            return UNSEEN
    except NotFound:
        return ""
    # What the portal knows is read last: a call may have waited long for its place.
    return CONNECTED if registered else kept(found).get(change.softphone_id, "")


def _was_connected(phone: Softphone) -> bool:
    return bool(phone.registered or phone.registered_since or phone.lost_at or phone.lost_since)


def _is_unseen(phone: Softphone, now: datetime) -> bool:
    return phone.enabled and lights.as_of(lights.last_seen(phone), now).state == "unknown"
