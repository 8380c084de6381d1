"""Is this phone connected? The one door to Audian for pages that watch.

However many pages are open, an account has at most one status call in flight, one in LIGHT_ONE_EVERY seconds while a
single phone is watched, one for all in LIGHT_LIST_EVERY seconds otherwise, and none for LIGHT_PAUSE seconds after one
that failed. The door is a lease: whoever takes it calls and writes down what was seen, everybody else reads that. A
light never logs in, never waits for its place behind other calls, and takes LIGHT_DEADLINE seconds at most.

Absent is unknown, never offline: Kazoo answers with empty lists when it fails (audian-api.md section 6).
"""

import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote_plus

from django.conf import settings
from django.db.models import F, Q

from softphones import connection, leases
from softphones.audian.client import LONGEST_FILTER, AudianClient
from softphones.audian.documents import DeviceStatus, Registration
from softphones.audian.errors import AudianError
from softphones.connection import NoToken
from softphones.leases import Held, LeaseLost
from softphones.models import Account, Softphone
from softphones.pacing import TooBusy, Urgency
from softphones.wake import wake

logger = logging.getLogger(__name__)

# An observation older than this says nothing about now.
UNKNOWN_AFTER = timedelta(seconds=60)
# How often a page that polls writes down that its phone is watched.
MARK_EVERY = timedelta(seconds=10)
# Who is there, from where and since when, is told only by a list of the whole account; too long for larger ones.
FEW_ENOUGH = 500
# About as many usernames as one address holds.
IN_ONE_CALL = 200
# Below this there is no use in beginning a call.
LEAST_SECONDS = 0.2
LOST = ["lost_at", "lost_after", "lost_since", "lost_address", "lost_agent"]
SEEN = ["registered", "registered_since", "registered_after", "registered_address", "registered_agent", *LOST, "seen_at"]


@dataclass(frozen=True, slots=True)
class Light:
    """What a page shows of a phone's connection, as of `seen_at` (None: never looked).

    `since` is when the connection began, if that is known; `address` (ip:port) and `agent` (the app) where Audian tells.
    `fresh`: it began after the page was opened, so that it was this set-up that worked.
    """

    state: Literal["connected", "not_connected", "unknown"]
    since: datetime | None = None
    seen_at: datetime | None = None
    address: str = ""
    agent: str = ""
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class _Sight:
    """What Audian says of a phone: registered or not, from where, with what, when it last registered and when first."""

    registered: bool
    address: str = ""
    agent: str = ""
    at: datetime | None = None
    began: datetime | None = None


def watch(*, softphones: list[Softphone], now: datetime, opened_at: datetime | None = None) -> dict[int, Light]:
    """The lights of these phones, by primary key, for a page that was opened at `opened_at` and asks every few seconds.

    Asks Audian if it is time to and nobody else is asking; else tells what was seen last. What was seen more than a
    minute ago is unknown, with what it was. Writes what it observed. Never raises, never logs in. Not for use inside a
    transaction.
    """
    try:
        _mark(softphones, now)
        seen = _look(softphones, now)
        rows = Softphone.objects.filter(pk__in=[each.pk for each in softphones]) if seen else softphones
        return {each.pk: _light(each, opened_at, now) for each in rows}
    except Exception:
        # A page is worth more without its light than an error is.
        logger.exception("The lights of a page could not be looked at.")
        return {each.pk: Light("unknown") for each in softphones}


def survey(*, account: Account, softphones: Iterable[Softphone], now: datetime) -> None:
    """Look once at all of these phones of the account, before something is done that depends on who is connected.

    Takes as many calls as they need, and LIGHT_SURVEY_DEADLINE seconds at most; those it did not come to stay as they were
    seen last. Writes what it observed. Never raises, never logs in. Not for use inside a transaction.
    """
    ends = time.monotonic() + settings.LIGHT_SURVEY_DEADLINE
    due = [each.pk for each in softphones if _can_connect(each)]
    try:
        door = _wait_for_door(account, ends) if due else None
        if door:
            try:
                _look_at_all(account, door, due, now, ends)
            finally:
                _shut(door, settings.LIGHT_LIST_EVERY)
    except (AudianError, NoToken, LeaseLost) as error:
        logger.warning("Not all phones of %s were looked at: %s", account, error)


def _wait_for_door(account: Account, ends: float) -> Held | None:
    """The account's door, once nobody else is in it."""
    while time.monotonic() < ends:
        door = leases.take(f"lights:{account.pk}", settings.LIGHT_SURVEY_DEADLINE + settings.LEASE_SECONDS)
        if door:
            return door
        time.sleep(0.2)
    return None


def _look_at_all(account: Account, door: Held, due: list[int], now: datetime, ends: float) -> None:
    client = connection.connect(account, urgency=Urgency.PERSON, allow_login=False)
    with client, client.within(ends - time.monotonic()):
        for start in range(0, len(due), IN_ONE_CALL):
            phones = list(Softphone.objects.filter(pk__in=due[start : start + IN_ONE_CALL]).defer("password"))
            sights = _statuses(client, phones) or _registrations(client, phones)
            with door.writing():
                _write_down(phones, sights, now)


def ask(client: AudianClient, softphone: Softphone) -> bool | None:
    """Whether it is registered at this moment, None for unknown: one call with this client, past the door, for what is about
    to be done with this one softphone. Raises AudianError. Writes nothing."""
    sight = _statuses(client, [softphone]).get(softphone.pk)
    return None if sight is None else sight.registered


def last_seen(softphone: Softphone) -> Light:
    """What was seen last, however long ago; no call. Show it together with `seen_at`."""
    return _light(softphone)


def as_of(light: Light, now: datetime) -> Light:
    """What was seen last, as far as it says something about `now`: older than a minute it is unknown, with its time."""
    recent = light.seen_at and now - light.seen_at <= UNKNOWN_AFTER
    return light if recent else replace(light, state="unknown")


def _light(phone: Softphone, opened_at: datetime | None = None, now: datetime | None = None) -> Light:
    lapsed = phone.seen_at is None or (now is not None and phone.seen_at < now - UNKNOWN_AFTER)
    state = "unknown" if lapsed or phone.registered is None else "connected" if phone.registered else "not_connected"
    return Light(
        state=state,
        since=phone.registered_since,
        seen_at=phone.seen_at,
        address=phone.registered_address,
        agent=phone.registered_agent,
        fresh=state == "connected" and opened_at is not None and _began_after(phone, opened_at),
    )


def _began_after(phone: Softphone, opened_at: datetime) -> bool:
    """Whether the connection is newer than the page: that it was not there yet was seen after the page was opened.

    Or just before, by another page, so that this one could not look at once; and it was first seen, or began, after.
    """
    since, after = phone.registered_since, phone.registered_after
    if after is None or after >= opened_at:
        return after is not None
    shortly = timedelta(seconds=settings.LIGHT_LIST_EVERY)
    return after >= opened_at - shortly and since is not None and since >= opened_at


def _mark(softphones: Iterable[Softphone], now: datetime) -> None:
    """Write down that these are watched, at most every MARK_EVERY."""
    long_ago = now - MARK_EVERY
    due = [each.pk for each in softphones if each.watched_at is None or each.watched_at < long_ago]
    if due:
        unmarked = Q(watched_at=None) | Q(watched_at__lt=long_ago)
        Softphone.objects.filter(unmarked, pk__in=due).update(watched_at=now)


def _look(softphones: Iterable[Softphone], now: datetime) -> bool:
    """Ask Audian about the accounts whose phones were not seen lately. Returns whether anything was seen."""
    ends = time.monotonic() + settings.LIGHT_DEADLINE
    lately = now - timedelta(seconds=settings.LIGHT_ONE_EVERY)
    due = defaultdict(list)
    for phone in softphones:
        if _can_connect(phone) and (phone.seen_at is None or phone.seen_at <= lately):
            due[phone.account_id].append(phone)
    seen = [_look_at_account(account_id, now, ends) for account_id in due]
    return any(seen)


def _can_connect(phone: Softphone) -> bool:
    return bool(phone.audian_id and phone.sip_username and phone.enabled and phone.gone_at is None)


def _look_at_account(account_id: int, now: datetime, ends: float) -> bool:
    """Go through the account's door, if it is open. Returns whether anything was seen."""
    if ends - time.monotonic() < LEAST_SECONDS:
        return False
    # Longer than any call takes, so that only a killed process leaves the door to lapse by itself.
    door = leases.take(f"lights:{account_id}", settings.LIGHT_DEADLINE + settings.LEASE_SECONDS)
    if door is None:
        return False
    pause = settings.LIGHT_PAUSE
    try:
        phones = _watched(account_id, now)
        sights, pause = _ask(account_id, phones, now, ends)
        with door.writing():
            _write_down(phones, sights, now)
        return bool(sights)
    except LeaseLost:
        return False
    finally:
        _shut(door, pause)


def _shut(door: Held, seconds: float) -> None:
    try:
        replace(door, seconds=seconds).renew()
    except LeaseLost:
        logger.warning("The door %s was taken over while it was in use.", door.name)


def _watched(account_id: int, now: datetime) -> list[Softphone]:
    """The account's phones that pages watch, those not seen for longest first; as many as one call takes."""
    watched = Softphone.objects.present().filter(
        account_id=account_id,
        watched_at__gt=now - timedelta(seconds=settings.LIGHT_WATCHED_FOR),
        audian_id__isnull=False,
        enabled=True,
        sip_username__gt="",
    )
    phones = list(watched.order_by(F("seen_at").asc(nulls_first=True), "pk"))
    while len(phones) > 1 and len(quote_plus(json.dumps([each.sip_username for each in phones]))) > LONGEST_FILTER:
        del phones[-max(1, len(phones) // 10) :]
    return phones


def _ask(account_id: int, phones: list[Softphone], now: datetime, ends: float) -> tuple[dict[int, _Sight], float]:
    """What Audian says of these phones, and for how many seconds nobody shall ask again."""
    every = settings.LIGHT_ONE_EVERY if len(phones) == 1 else settings.LIGHT_LIST_EVERY
    if not phones:
        return {}, 0
    account = Account.objects.get(pk=account_id)
    try:
        client = connection.connect(account, urgency=Urgency.LIGHT, allow_login=False)
        with client, client.within(ends - time.monotonic()):
            asked = [_statuses, _registrations]
            if _wants_details(client, phones, now - timedelta(seconds=2 * every)):
                asked.reverse()
            sights = asked[0](client, phones)
            # Nothing at all: each of the two lists has its reasons to be silent. That was two calls.
            return (sights, every) if sights else (asked[1](client, phones), 2 * every)
    except TooBusy:
        return {}, every
    except NoToken:
        # The mirror logs in; the next look may be soon, since none of these costs a call.
        if leases.take(f"lights:{account_id}:wake", settings.LIGHT_PAUSE):
            wake("mirror_account", account_id=account_id)
        return {}, settings.LIGHT_LIST_EVERY
    except AudianError as error:
        logger.warning("The lights of %s are out for %d s: %s", account, settings.LIGHT_PAUSE, error)
        return {}, settings.LIGHT_PAUSE


def _wants_details(client: AudianClient, phones: list[Softphone], lately: datetime) -> bool:
    """Whether to ask who is there instead of who is not: all were seen lately, and some are connected.

    So a second app beside a connected one is noticed, which Kazoo's yes or no would hide.
    """
    if len(phones) == 1 and client.status_route is not False:
        return False
    if not any(each.registered for each in phones) or any(each.seen_at is None or each.seen_at < lately for each in phones):
        return False
    return Softphone.objects.filter(account_id=phones[0].account_id)[: FEW_ENOUGH + 1].count() <= FEW_ENOUGH


def _statuses(client: AudianClient, phones: list[Softphone]) -> dict[int, _Sight]:
    if len(phones) == 1:
        found = {phones[0].pk: client.status(phones[0].audian_id, phones[0].sip_username)}
    else:
        registered = client.statuses([each.sip_username for each in phones])
        found = {each.pk: DeviceStatus(registered[each.sip_username], source="with_status") for each in phones}
    foreign = {each.pk for each in phones if each.realm}
    return {
        pk: _Sight(status.registered, _address(status.ip, status.port), at=status.at)
        for pk, status in found.items()
        if status.registered is not None and not _is_blind(status, foreign=pk in foreign)
    }


def _is_blind(status: DeviceStatus, *, foreign: bool) -> bool:
    """Kazoo looks only in the account's own realm: a phone in another one always reads as not registered."""
    return foreign and status.registered is False and status.source == "with_status"


def _registrations(client: AudianClient, phones: list[Softphone]) -> dict[int, _Sight]:
    """Who is there. Who is missing here may still be there."""
    contacts: dict[str, list[Registration]] = defaultdict(list)
    for each in client.registrations():
        contacts[each.device_id or each.username.lower()].append(each)
    found = {phone.pk: _contact(phone, contacts[phone.audian_id] or contacts[phone.username_folded]) for phone in phones}
    return {
        pk: _Sight(True, _address(each.ip, each.port), each.user_agent[:256], each.at, each.since)
        for pk, each in found.items()
        if each
    }


def _contact(phone: Softphone, contacts: list[Registration]) -> Registration | None:
    """The connection that began last, where Audian tells; else the one that we know, so that renewals don't look new."""
    dated = [each for each in contacts if each.since]
    known = [each for each in contacts if _address(each.ip, each.port) == phone.registered_address]
    if dated or known:
        return max(dated, key=lambda each: each.since) if dated else known[0]
    return max(contacts, key=lambda each: each.at.timestamp() if each.at else 0, default=None)


def _address(ip: str, port: int | None) -> str:
    if not ip or port is None:
        return ip[:64]
    return (f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}")[:64]


def _write_down(phones: list[Softphone], sights: dict[int, _Sight], now: datetime) -> None:
    """One statement for those that are as they were, one for the others."""
    same, changed = [], []
    for phone in phones:
        sight = sights.get(phone.pk)
        if sight:
            (changed if _observe(phone, sight, now) else same).append(phone)
    if same:
        Softphone.objects.filter(pk__in=[each.pk for each in same]).update(seen_at=now)
    if changed:
        Softphone.objects.bulk_update(changed, SEEN)


def _observe(phone: Softphone, sight: _Sight, now: datetime) -> bool:
    """Put what was seen into the row. Returns whether more than the time has changed."""
    before = [getattr(phone, name) for name in SEEN[:-1]]
    if not sight.registered:
        _ended(phone, now)
        _begins(phone, None, None)
    elif not phone.registered or _is_another(phone, sight):
        _begins(phone, *_beginning(phone, sight, now))
    elif not sight.address and not _was_watched(phone, now):
        # Nobody looked for a while: it may be another one by now.
        _begins(phone, None, None)
    phone.registered, phone.seen_at = sight.registered, now
    if sight.registered:
        phone.registered_since = phone.registered_since or (sight.began and min(sight.began, now))
        phone.registered_address = sight.address or phone.registered_address
        phone.registered_agent = sight.agent or phone.registered_agent
    return before != [getattr(phone, name) for name in SEEN[:-1]]


def _ended(phone: Softphone, now: datetime) -> None:
    """Keep what is known of the connection that is there no more: helpdesk asks what a phone did last."""
    if phone.registered:
        phone.lost_at, phone.lost_after, phone.lost_since = now, phone.seen_at, phone.registered_since
        phone.lost_address, phone.lost_agent = phone.registered_address, phone.registered_agent


def _begins(phone: Softphone, since: datetime | None, after: datetime | None) -> None:
    phone.registered_since, phone.registered_after = since, after
    phone.registered_address = phone.registered_agent = ""


def _is_another(phone: Softphone, sight: _Sight) -> bool:
    """Whether this is another connection than the one that was there: another address or another app."""
    pairs = ((phone.registered_address, sight.address), (phone.registered_agent, sight.agent))
    return any(old and new and old != new for old, new in pairs)


def _was_watched(phone: Softphone, now: datetime) -> bool:
    return phone.seen_at is not None and now - phone.seen_at <= timedelta(seconds=settings.LIGHT_WATCHED_FOR)


def _beginning(phone: Softphone, sight: _Sight, now: datetime) -> tuple[datetime | None, datetime | None]:
    """When a connection that is new to us began, and when it certainly was not there yet; None where nobody knows.

    The time of the last registration proves nothing: phones renew theirs every few minutes.
    """
    seen_at = phone.seen_at if phone.registered is not None else None
    if sight.began:
        since = min(sight.began, now)
        return since, seen_at and min(seen_at, since)
    renewed = min(sight.at, now) if sight.at else None
    if seen_at is None or (renewed and renewed > seen_at):
        return renewed, seen_at
    return (now if _was_watched(phone, now) else None), seen_at
