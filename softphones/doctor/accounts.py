"""One account: is Audian there, does it let us in, and can it do what the portal makes use of?

Only reads. What writing alone could tell is read off what the portal wrote before.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime

from django.conf import settings
from django.utils import timezone

from softphones import changes, mirror
from softphones.audian.documents import AccountDocument, DeviceDocument
from softphones.audian.errors import (
    AudianError,
    BadAddress,
    CutOff,
    Forbidden,
    Locked,
    NoSuchRoute,
    NotFound,
    NotOurAnswer,
    PaymentRequired,
    TimedOut,
    TooMany,
    Unauthorised,
    Unreachable,
)
from softphones.connection import Client, SharedToken, connect
from softphones.doctor.findings import Finding, State, age
from softphones.models import Account, ApiToken, Change, SyncRun
from softphones.models.account import DEFAULT_REALM
from softphones.pacing import Urgency

CLOCK_SECONDS = 30  # a code from an authenticator app is good for about as long
FEW = 5  # rows of the listing that are looked at
WORKS = "Nothing to do: the portal works with that."
NO_PHONE = "There is no softphone at Audian yet to tell by."
MAKE_ONE = "Make one, then run this again."
TO_DO: dict[tuple[type[AudianError], ...], str] = {
    (Unreachable, TimedOut, CutOff): "Let this machine reach AUDIAN_API_URL: see its firewall, its proxy, its name server.",
    (BadAddress, NotOurAnswer, NoSuchRoute): "Correct AUDIAN_API_URL, or the proxy in between.",
    (Unauthorised,): "Correct AUDIAN_ACCOUNT_ID, and AUDIAN_API_KEY or AUDIAN_AUTH_TOKEN.",
    (Forbidden,): "Have Audian give this API key access to the account, or set another one (AUDIAN_API_KEY).",
    (Locked, PaymentRequired): "Ask Audian. The portal goes on by itself.",
    (TooMany,): "Run this again in a minute. If it stays so, something else uses the account from this address.",
    (AudianError,): "Run this again later. If it stays so, tell Audian's support.",
}


def look_at_account(*, account: Account, now: datetime) -> Iterator[Finding]:
    """Makes about ten calls, one log-in among them. Not in a transaction."""
    for finding in _remote(account):
        yield replace(finding, account=account.slug)
    for finding in (_mirror(account, now), _outbox(account, now)):
        yield replace(finding, account=account.slug)


def _remote(account: Account) -> Iterator[Finding]:
    if not account.api_key and not account.static_token:
        yield Finding("log-in", State.FAILURE, f"There is no API key for {account}.", "Set AUDIAN_API_KEY.")
        return
    try:
        with connect(account, urgency=Urgency.PERSON) as client:
            if account.api_key:
                _log_in(account, client)
            document = client.account()
            yield Finding("api", State.OK, f"{account.api_url} answers, in {client.last_exchange.seconds:.2f} s.")
            yield Finding("log-in", State.OK, f"Audian accepts the {'API key' if account.api_key else 'fixed token'}.")
            yield _clock(client.last_exchange.date)
            yield _realm(account, document)
            yield from _abilities(account, client)
    except AudianError as error:
        # What each ability ran into is told there, so this is about the way in.
        yield from _no_way_in(account, error)


def _log_in(account: Account, client: Client) -> None:
    """Log in although there may be a good token: that is what tells whether the key still opens."""
    known = ApiToken.objects.filter(account=account).first()
    SharedToken(account.pk).renew((known and known.token) or "", client.log_in)


def _no_way_in(account: Account, error: AudianError) -> Iterator[Finding]:
    refused = isinstance(error, (Unauthorised, Forbidden, Locked, PaymentRequired))
    if refused and error.status:
        yield Finding("api", State.OK, f"{account.api_url} answers.")
    yield Finding("log-in" if refused else "api", State.FAILURE, str(error), _what_to_do(error))


def _what_to_do(error: AudianError) -> str:
    return next(do for kinds, do in TO_DO.items() if isinstance(error, kinds))


def _clock(date: str) -> Finding:
    try:
        apart = (timezone.now() - parsedate_to_datetime(date)).total_seconds()
    except (TypeError, ValueError):
        said = "Audian does not tell its time."
        return Finding("clock", State.UNKNOWN, said, "See that this machine keeps its time by NTP.")
    if abs(apart) > CLOCK_SECONDS:
        said = f"This machine's clock and Audian's are {age(abs(apart))} apart."
        return Finding("clock", State.FAILURE, said, "Let this machine keep its time by NTP.")
    return Finding("clock", State.OK, "This machine and Audian agree on the time.")


def _realm(account: Account, document: AccountDocument) -> Finding:
    told = f"Phones are told the realm {account.sip_realm or document.realm or DEFAULT_REALM}"
    if not document.realm:
        do = "" if account.sip_realm else "If phones don't connect, ask Audian for it and set SIP_REALM."
        return Finding("realm", State.OK if account.sip_realm else State.WARNING, f"{told}; the API does not name one.", do)
    if account.sip_realm not in ("", document.realm):
        do = "Take SIP_REALM out, unless Audian told you to set it."
        return Finding("realm", State.WARNING, f"{told}, but the API says {document.realm}.", do)
    return Finding("realm", State.OK, f"{told}, as the API says.")


def _abilities(account: Account, client: Client) -> Iterator[Finding]:
    """What servers differ in."""
    seen: list[DeviceDocument] = []

    def fields() -> Finding:
        page = client.device_page(page_size=FEW)
        seen.extend(row for row in page.rows if row.username)
        if not page.rows:
            return Finding("fields", State.UNKNOWN, NO_PHONE, MAKE_ONE)
        if page.fields_honoured:
            return Finding("fields", State.OK, "The server obeys fields: a list brings all that the portal needs.")
        said = "The server ignores fields: new and changed softphones cost the mirror a call each."
        return Finding("fields", State.WARNING, said, WORKS)

    def if_match() -> Finding:
        if not seen:
            return Finding("If-Match", State.UNKNOWN, NO_PHONE, MAKE_ONE)
        if client.obeys_if_match(seen[0].id):
            return Finding("If-Match", State.OK, "The server obeys If-Match: nobody's change is written over unseen.")
        said = "The server ignores If-Match: of two changes in the same second, the later one wins."
        return Finding("If-Match", State.WARNING, said, WORKS)

    def status() -> Finding:
        if not seen:
            return Finding("status", State.UNKNOWN, NO_PHONE, MAKE_ONE)
        found = client.status(seen[0].id, seen[0].username)
        way = "the status route of Audian's page" if client.status_route else "Kazoo's list with_status"
        if found.registered is None:
            said = f"Asked by {way}, the server does not say whether {seen[0].name} is connected."
            return Finding("status", State.WARNING, said, "Lights stay unknown. Ask Audian how to see what is registered.")
        return Finding("status", State.OK, f"The server says by {way} what is connected.")

    def flags() -> Finding:
        made = _newest_of_ours(account)
        device = made and client.device(made.softphone.audian_id)
        if not device:
            said = "The portal has made no softphone yet that would tell."
            return Finding("flags", State.UNKNOWN, said, MAKE_ONE)
        if made.mark in device.flags:
            return Finding("flags", State.OK, "The server keeps flags: the portal knows what it made by its mark.")
        said = "The server does not keep flags: after a doubtful answer the portal knows what it made by its username."
        return Finding("flags", State.WARNING, said, WORKS)

    for check, look in (("fields", fields), ("If-Match", if_match), ("status", status), ("flags", flags)):
        yield _asked(check, look)


def _asked(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except NotFound:
        said = "The softphone that would have told was removed at Audian."
        return Finding(check, State.UNKNOWN, said, "Run this again after the next look at Audian.")
    except AudianError as error:
        return Finding(check, State.FAILURE, str(error), _what_to_do(error))


def _newest_of_ours(account: Account) -> Change | None:
    """The last softphone that the portal made and that is there, as the wish that made it."""
    made = account.changes.filter(kind=Change.Kind.CREATE, state=Change.State.DONE)
    there = made.filter(softphone__gone_at=None, softphone__audian_id__isnull=False)
    return there.select_related("softphone").order_by("-pk").first()


def _mirror(account: Account, now: datetime) -> Finding:
    last = account.runs.exclude(state=SyncRun.State.RUNNING).order_by("-started_at", "-pk").first()
    if last is None:
        return Finding("mirror", State.FAILURE, "Audian was never looked at.", "Run manage.py sync_softphones.")
    ago = age((now - last.finished_at).total_seconds())
    if mirror.held(account):
        do = "Look at that run on the staff pages, and let the removals happen if they are right."
        return Finding("mirror", State.WARNING, f"The look {ago} ago is held: {last.message}", do)
    if last.state == SyncRun.State.FAILED:
        do = "Mend what the lines above say. The portal looks again every 5 minutes, or at once with manage.py sync_softphones."
        return Finding("mirror", State.FAILURE, f"The look {ago} ago failed: {last.message}", do)
    if (now - last.finished_at).total_seconds() > settings.MIRROR_STALE_AFTER:
        do = "Start the worker and beat, or run manage.py sync_softphones."
        return Finding("mirror", State.FAILURE, f"The last look was {ago} ago.", do)
    took = age((last.finished_at - last.started_at).total_seconds())
    return Finding("mirror", State.OK, f"The last look, {ago} ago, was complete: {last.calls} calls in {took}.")


def _outbox(account: Account, now: datetime) -> Finding:
    waiting = account.changes.filter(state__in=Change.UNFINISHED).count()
    trouble = changes.paused(account)
    if trouble:
        since = age((now - trouble.since).total_seconds())
        said = f"Nothing was sent for {since}, {waiting} changes wait: {trouble.reason}"
        return Finding("outbox", State.FAILURE, said, "Mend what the lines above say; the portal then goes on by itself.")
    return Finding("outbox", State.OK, f"{waiting} changes wait." if waiting else "Everything asked for is done.")
