"""One wish on its way: which calls Audian gets, and what its answers amount to. Writes nothing into the database."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from softphones import clock
from softphones.audian import errors
from softphones.audian.client import AudianClient
from softphones.audian.documents import DeviceDocument, NewDevice, charge_lines
from softphones.changes.sparing import why_kept
from softphones.changes.wishes import family, together
from softphones.models import Change
from softphones.pacing import TooBusy

logger = logging.getLogger(__name__)

Kind = Change.Kind


@dataclass(slots=True)
class Job:
    """A claimed wish, with those that were folded into it, as it was at the claim."""

    change: Change
    wishes: list[Change]
    values: dict[str, Any]
    expected: dict[str, Any]
    audian_id: str
    username: str
    create: Change | None  # what should have made this softphone, if another wish: it has no id yet
    probing: bool = False
    writes: bool = False  # the next call writes
    came_on: float = 0.0  # by the monotonic clock

    @classmethod
    def of(cls, change: Change, *, probing: bool = False) -> "Job":
        wishes = list(family(change).order_by("pk"))
        values, _expected = together(wish for wish in wishes if wish.kind in (Kind.CREATE, Kind.UPDATE))
        older = _stopped_before(change) if values else []
        # Who saw what a wish that was stopped would make of it, saw no other value of Audian's.
        _values, expected = together(wish for wish in [*older, *wishes] if wish.kind in (Kind.CREATE, Kind.UPDATE))
        softphone = change.softphone
        creates = Change.objects.filter(account=change.account_id, softphone=softphone, kind=Kind.CREATE)
        is_made = bool(softphone.audian_id) or change.kind == Kind.CREATE
        return cls(
            change=change,
            wishes=wishes,
            values=values,
            expected={field: value for field, value in expected.items() if field in values},
            audian_id=softphone.audian_id or "",
            username=softphone.sip_username,
            create=None if is_made else creates.order_by("-pk").first(),
            probing=probing,
        )


def _stopped_before(change: Change) -> list[Change]:
    """What was asked for before this, and has not gone: somebody stopped it."""
    older = Change.objects.filter(account=change.account_id, softphone=change.softphone_id, kind=Kind.UPDATE)
    older = older.filter(state__in=(Change.State.QUEUED, Change.State.HELD), pk__lt=change.pk)
    return list(older.order_by("pk").defer("password"))


@dataclass(frozen=True, slots=True)
class Done:
    """Audian did it, and its device is like this now; None after a deletion."""

    document: DeviceDocument | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """It can't be done. `conflict`: field -> (what the visitor saw, what Audian has). `document`: its device as it is there."""

    sentence: str
    conflict: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    document: DeviceDocument | None = field(default=None, repr=False)
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A deletion that is not sent, since somebody uses the softphone. `why`: one of WHY_KEPT."""

    why: str


@dataclass(frozen=True, slots=True)
class Again:
    """An answer about this row that another try may change; counted. `document`: what a last look found."""

    sentence: str
    doubtful: bool = False
    document: DeviceDocument | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing is wrong, but it may not be sent before this time. `answered`: Audian was asked, and did answer."""

    at: datetime
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Asks:
    """Audian wants money for it, and did nothing yet."""

    quote: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Nothing is wrong with this row, but with the account, or the way to Audian."""

    error: errors.AudianError
    doubtful: bool = False


Outcome = Done | Failed | Kept | Again | Later | Asks | Trouble


def answered(outcome: Outcome) -> bool:
    """Whether Audian answered this call, so that the account's trouble is over."""
    return outcome.answered if isinstance(outcome, Later) else not isinstance(outcome, Trouble)


def send(job: Job, client: AudianClient) -> Outcome:
    """Have Audian do it. What Audian does wrong is in the outcome; raises LeaseLost, and what is a fault of the portal.

    Before it fails, a last look tells whether a try was carried out after all, and which password the softphone has.
    """
    outcome = _send(job, client)
    job.writes = False
    if isinstance(outcome, Again) and job.change.attempts + 1 >= settings.CHANGE_ATTEMPTS:
        return _last_look(job, client, outcome)
    if not isinstance(outcome, Failed) or outcome.document or not job.change.password or not job.audian_id:
        return outcome
    try:
        return replace(outcome, document=client.device(job.audian_id))
    except errors.AudianError:
        return outcome


def _last_look(job: Job, client: AudianClient, outcome: Again) -> Outcome:
    """What the last try came to, if Audian can be asked: done, where what is wanted is there."""
    try:
        if job.change.kind == Kind.CREATE:
            found = _look(job, client)
            return Done(found) if found else outcome
        if not job.audian_id:
            return outcome
        device = client.device(job.audian_id)
    except errors.NotFound:
        return Done(None) if job.change.kind == Kind.DELETE else outcome
    except errors.RowError:
        return outcome
    except errors.AudianError as error:
        return Trouble(error, doubtful=True)
    if job.change.kind != Kind.DELETE and _has(device, _wanted(job)):
        return Done(device)
    return replace(outcome, document=device)


def _has(device: DeviceDocument, wanted: Mapping[str, Any]) -> bool:
    return all((getattr(device, name) or "") == (value or "") for name, value in wanted.items())


def _send(job: Job, client: AudianClient) -> Outcome:
    try:
        return _SENDERS[job.change.kind](job, client)
    except errors.ChargesToAccept as error:
        return Asks(error.quote)
    except TooBusy:
        return Later(clock.now() + timedelta(seconds=1))
    except errors.Conflict as error:
        return Failed(str(error), error.changed, error.device) if error.changed else Again(str(error))
    except (errors.Invalid, errors.NotFound, errors.FaultyRequest) as error:
        return Failed(str(error))
    except errors.RowError as error:
        return Again(str(error), error.doubtful)
    except errors.AudianError as error:
        return Trouble(error, error.doubtful)


def fault_of_ours(error: Exception) -> Again:
    """What a fault of the portal amounts to for this row; it must not keep the others from going."""
    logger.error("A change could not be sent because of a fault in the portal (%s).", type(error).__name__, exc_info=error)
    return Again(_("The portal could not send this because of a fault of its own. Tell the people who look after it."), True)


def _create(job: Job, client: AudianClient) -> Outcome:
    """Not idempotent: after any doubt look before trying again, and not too soon (audian-api.md section 13)."""
    if job.audian_id:
        return Done(client.device(job.audian_id))  # the mirror recognised it meanwhile
    tried_at = job.change.tried_at
    if tried_at:
        if found := _look(job, client):
            return Done(found)
        not_before = tried_at + timedelta(seconds=settings.CREATE_AGAIN_AFTER)
        if clock.now() < not_before:
            return Later(not_before, answered=True)
    try:
        return Done(_write(job, lambda accept: client.create_device(_new_device(job), accept_charges=accept)))
    except errors.Invalid as error:
        if not error.taken:
            raise
        found = _look(job, client)
        if found:
            return Done(found)
        # A list that lags behind must not make us disown what an earlier try made.
        return Again(_taken(job)) if tried_at else Failed(_taken(job))


def _new_device(job: Job) -> NewDevice:
    wanted = {name: value for name, value in job.values.items() if name not in ("username_generated", "owner_id")}
    return NewDevice(
        **wanted, owner_id=job.values.get("owner_id") or None, password=job.change.password, flags=(job.change.mark,)
    )


def _look(job: Job, client: AudianClient) -> DeviceDocument | None:
    """Our own device, if it is there. Raises Taken if the username is somebody else's."""
    others = 0
    for row in client.find_by_username(job.username):
        try:
            device = client.device(row.id)
        except errors.NotFound:
            continue  # gone since it was listed
        if _is_ours(job, device):
            return device
        others += 1
    if others:
        raise Taken(_taken(job))
    return None


def _is_ours(job: Job, device: DeviceDocument) -> bool:
    create = job.create or job.change
    if create.mark in device.flags:
        return True
    # Where flags do not come back: nobody else could have drawn this username, or know this password.
    generated = create.values.get("username_generated", False)
    return not device.flags and (generated or (create.password is not None and device.password == create.password))


class Taken(errors.Invalid):
    """The username belongs to a device that we did not make."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence=sentence)


def _taken(job: Job) -> str:
    return _("The SIP username %(username)s is taken by another device at Audian.") % {"username": job.username}


def _update(job: Job, client: AudianClient) -> Outcome:
    if not job.audian_id:
        return Failed(_("This softphone was never made at Audian. Try making it again first."))
    changes, expected = _wanted(job), job.expected
    return Done(
        _write(job, lambda accept: client.update_device(job.audian_id, changes, expected=expected, accept_charges=accept))
    )


def _wanted(job: Job) -> dict[str, Any]:
    return dict(job.values) | ({"password": job.change.password} if job.change.password else {})


def _delete(job: Job, client: AudianClient) -> Outcome:
    audian_id = job.audian_id
    if not audian_id and job.create and job.create.tried_at:
        try:
            found = _look(job, client)
        except Taken:
            found = None
        audian_id = found.id if found else ""
    if audian_id:
        if why := why_kept(job.change, audian_id, client):
            return Kept(why)
        job.writes = True
        client.delete_device(audian_id)
    return Done(None)


def _write(job: Job, call: Callable[[bool], DeviceDocument]) -> DeviceDocument:
    """Make the call; once more with charges accepted if somebody agreed to what it costs now."""
    job.writes = True
    try:
        return call(False)
    except errors.ChargesToAccept as error:
        if job.change.accepted is None or _is_dearer(error.quote, job.change.accepted):
            raise
        return call(True)


def _is_dearer(quote: Mapping[str, Any], accepted: Mapping[str, Any]) -> bool:
    return any(now > agreed for now, agreed in zip(_price(quote), _price(accepted), strict=True))


def _price(quote: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """What it costs again and again, and once."""
    lines = charge_lines(quote)
    return sum((line.rate * line.quantity for line in lines), Decimal(0)), sum((line.activation for line in lines), Decimal(0))


_SENDERS = {Kind.CREATE: _create, Kind.UPDATE: _update, Kind.RESET_PASSWORD: _update, Kind.DELETE: _delete}
