"""How a wish goes, in words that are true."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from softphones import leases, vitals
from softphones.changes.queue import going_before, paused_with, waits_for_charges
from softphones.changes.wishes import together, unfinished
from softphones.models import Account, Change, Pause, Softphone

State = Change.State


@dataclass(frozen=True, slots=True)
class Progress:
    """`state`: waiting, paused, sending, done, failed, held or replaced. `place`: its place in the queue, from 1, while it
    waits. `sentence` says it; `paused_because` is the account's trouble or the lack of a worker, "" where somebody paused the
    bulk work it is of."""

    state: str
    place: int | None
    sentence: str
    paused_because: str = ""

    @property
    def moves(self) -> bool:
        """Whether a page has to go on looking."""
        return self.state in ("waiting", "paused", "sending")


def progress(*, change: Change, now: datetime) -> Progress:
    """How this wish goes as of now; reads the row anew."""
    change.refresh_from_db()
    match change.state:
        case State.QUEUED:
            return _waiting(change, now)
        case State.SENDING:
            return _sending(change, now)
        case State.DONE:
            return Progress("done", None, _done(change))
        case State.HELD:
            return _held()
        case State.REPLACED:
            sentence = change.error or gettext_noop("A newer wish took its place before it was sent.")
            return Progress("replaced", None, _(sentence))
    return Progress("failed", None, change.error)


def _sending(change: Change, now: datetime) -> Progress:
    if leases.is_held(f"changes:{change.account_id}"):
        return Progress("sending", None, _("Being sent to Audian."))
    change.refresh_from_db(fields=["state"])  # a drain that came to its end just now let go of its lease
    if change.state != State.SENDING:
        return progress(change=change, now=now)
    return _no_worker() or Progress("sending", None, _("Sending it was interrupted. It goes on by itself within a minute."))


def _no_worker(place: int | None = None) -> Progress | None:
    return Progress("paused", place, str(vitals.NO_WORKER), str(vitals.NO_WORKER)) if vitals.is_silent() else None


def pending(softphone: Softphone) -> Change | None:
    """The newest wish for this softphone that has not come to its end."""
    return unfinished(softphone).order_by("-pk").first()


def underway(softphone: Softphone) -> dict[str, Any]:
    """The values that it will have once Audian did what is asked for by now, as `update` names them; those that change."""
    wishes = unfinished(softphone).filter(kind=Change.Kind.UPDATE).order_by("pk")
    return together(wishes)[0]


def paused(account: Account) -> Pause | None:
    """The trouble for which this account's wishes wait; None if there is none, or nothing waits."""
    waits = Change.objects.filter(account=account, state__in=(State.QUEUED, State.SENDING))
    found = Pause.objects.filter(account=account).first()
    return found if found and waits.exists() else None


def _done(change: Change) -> str:
    carrier = change.folded_into or change
    if carrier.kind == Change.Kind.DELETE and carrier.tried_at is None:
        return _("Done: Audian never had it.")
    return _("Done: Audian confirmed it.")


def _held() -> Progress:
    return Progress("held", None, _("Audian charges for this. An administrator has to accept or decline the charges."))


def _waiting(change: Change, now: datetime) -> Progress:
    carrier = change.folded_into or change
    before = going_before(carrier, now)
    place = before + 1
    if waits_for_charges(carrier):
        return _held()
    if paused_with(carrier):
        sentence = _("Waiting: it is part of bulk work that was paused. It goes on when that is resumed.")
        return Progress("paused", place, sentence)
    if silent := _no_worker(place):
        return silent
    if trouble := paused(change.account):
        sentence = _("Waiting. %(reason)s Nothing is lost: it goes on as soon as that is over.")
        return Progress("paused", place, sentence % {"reason": trouble.reason}, trouble.reason)
    if carrier.attempts and carrier.next_attempt_at and carrier.next_attempt_at > now:
        seconds = ceil((carrier.next_attempt_at - now).total_seconds())
        sentence = _("%(error)s The next try is in %(seconds)d s.") % {"error": carrier.error, "seconds": seconds}
        return Progress("waiting", place, sentence)
    if carrier.tried_at:
        return Progress("waiting", place, _("Audian's answer got lost. The portal looks whether it was done."))
    if not before:
        return Progress("waiting", place, _("Waiting: next in the queue."))
    sentence = ngettext("Waiting: %(before)d change goes first.", "Waiting: %(before)d changes go first.", before)
    return Progress("waiting", place, sentence % {"before": before})
