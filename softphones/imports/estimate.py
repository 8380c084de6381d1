"""What is about to happen, in numbers that are true: how many, how long at the pace that Audian allows, who is cut off."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.utils.translation import gettext as _

from softphones import changes, lights, mail, pacing
from softphones.changes.queue import stopped
from softphones.imports.undoing import undoes
from softphones.models import Account, Change, Import, ImportRow, Message
from softphones.pacing import Urgency

Kind = Import.Kind

#: Calls that one row costs: an update reads the whole document first.
CALLS = {Kind.CREATE: 1, Kind.DELETE: 1, Kind.ENABLE: 2, Kind.DISABLE: 2, Kind.RESET: 2, Kind.SEND_LINKS: 0}
LOOKS_FIRST = 1  # call more for each that an undo deletes: whether it is connected
CUTS_OFF = (Kind.DISABLE, Kind.RESET, Kind.DELETE)
TYPED_ABOVE = 10
CALL_SECONDS = 0.3  # that a call takes, about


@dataclass(frozen=True, slots=True)
class Connected:
    """How many phones are connected now, and of how many nobody knows, since they could be and were not seen within a
    minute. `seen_at`: when one of them was seen last; None if none ever was."""

    count: int
    unknown: int
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the preview says. `will` counts the rows with something to do, `without_owned` those that are left with
    `skip_owned`. `calls` and `seconds` are for all of them, behind what waits already. `cut_off`: who is connected of
    those that it cuts off; None where it cuts nobody off. `has_to_type`: start wants `typed` to be `will`. `may_cost`:
    Audian may charge for them. `why_not`: why it can't be started at all, "" if it can (perhaps without its errors).
    `waits_because`: the trouble of the account for which it has to wait before it goes, "" if there is none."""

    will: int
    without_owned: int
    exists: int
    errors: int
    calls: int
    seconds: int
    cut_off: Connected | None
    has_to_type: bool
    may_cost: bool
    why_not: str
    waits_because: str = ""

    @property
    def can_start(self) -> bool:
        return not self.why_not


def summary(batch: Import, *, now: datetime) -> Summary:
    calls = calls_for(batch, batch.will)
    cuts_off = batch.kind in CUTS_OFF
    return Summary(
        will=batch.will,
        without_owned=batch.will - batch.owned,
        exists=batch.exists,
        errors=batch.errors,
        calls=calls,
        seconds=_seconds(batch, calls),
        cut_off=connected(batch, now=now) if cuts_off else None,
        has_to_type=cuts_off and batch.will > TYPED_ABOVE,
        may_cost=batch.kind in (Kind.CREATE, Kind.ENABLE),
        why_not=_why_not(batch),
        waits_because=_trouble(batch),
    )


def calls_for(batch: Import, rows: int) -> int:
    """How many calls so many rows of this batch cost."""
    return (CALLS[batch.kind] + (LOOKS_FIRST if undoes(batch) else 0)) * rows


def connected(batch: Import, *, now: datetime) -> Connected:
    """Who is connected of those that it is about, as of now."""
    lately = Q(softphone__registered__isnull=False, softphone__seen_at__gte=now - lights.UNKNOWN_AFTER)
    seen = batch.rows.filter(verdict__in=ImportRow.WILL, softphone__isnull=False).aggregate(
        all=Count("pk"),
        known=Count("pk", filter=lately | Q(softphone__enabled=False) | Q(softphone__audian_id=None)),
        connected=Count("pk", filter=lately & Q(softphone__registered=True)),
        at=Max("softphone__seen_at"),
    )
    return Connected(seen["connected"], seen["all"] - seen["known"], seen["at"])


def seconds_for(batch: Import, calls: int) -> int:
    """How long so many calls of this batch take: behind what goes before it, with what the account's bucket holds now."""
    calls += calls_ahead(batch)
    side_by_side = CALL_SECONDS * calls / settings.DRAIN_BULK_WIDTH
    paced = 0.0
    if _is_paced():
        left_to_others = settings.API_BUCKET_SIZE * Urgency.BULK.leaves
        at_once = pacing.level(pacing.of_account(batch.account_id)) - left_to_others
        paced = max(0.0, calls - at_once) / settings.API_TOKENS_PER_SECOND if calls else 0.0
    return round(max(paced, side_by_side) + 0.5)


def seconds_sustained(calls: int) -> int:
    """How long so many calls take when the bucket is empty."""
    return round(calls / settings.API_TOKENS_PER_SECOND + 0.5) if _is_paced() and calls else 0


def seconds_to_mail(mails: int) -> int:
    """How long so many mails take behind those that single people wait for."""
    return round(60 * mails / mail.per_minute(Message.BULK_RANK))


def calls_ahead(batch: Import) -> int:
    """Roughly the calls that others have in the outbox and that go before this batch: not those that wait for somebody's
    decision."""
    queued = Change.objects.filter(account=batch.account_id, state=Change.State.QUEUED, folded_into=None)
    own = queued.filter(batch=batch.batch).aggregate(first=Min("pk"))["first"]
    others = queued.exclude(batch__in=[batch.batch, *_waits_for_decision(batch.account)])
    if own:
        others = others.filter(Q(urgent=True) | Q(pk__lt=own))
    found = others.order_by().values_list("kind").annotate(Count("pk"))
    return sum((1 if kind in (Change.Kind.CREATE, Change.Kind.DELETE) else 2) * count for kind, count in found)


def _waits_for_decision(account: Account) -> list[str]:
    """The batches of which nothing goes until somebody lets it."""
    held = Change.objects.filter(account=account, state=Change.State.HELD).exclude(batch="")
    return [*held.values_list("batch", flat=True).distinct(), *stopped(account, Import.State.PAUSED, Import.State.CANCELLING)]


def _is_paced() -> bool:
    return bool(settings.API_BUCKET_SIZE and settings.API_TOKENS_PER_SECOND)


def _seconds(batch: Import, calls: int) -> int:
    if batch.kind == Kind.SEND_LINKS:
        return seconds_to_mail(batch.will)
    return seconds_for(batch, calls)


def _trouble(batch: Import) -> str:
    found = changes.paused(batch.account) if CALLS[batch.kind] else None
    return found.reason if found else ""


def _why_not(batch: Import) -> str:
    if batch.problems:
        return batch.problems[0]["message"]
    if batch.will:
        return ""
    if not batch.errors:
        return _("There is nothing to do.")
    if not batch.is_file and not batch.exists:
        return _("None of them is possible. The rows say why.")
    if not batch.is_file:
        numbers = {"errors": batch.errors, "exists": batch.exists}
        return _("Nothing is left to do: %(errors)d not possible, %(exists)d stay as they are. The rows say why.") % numbers
    return _("Every row has an error or is there already.") if batch.exists else _("Every row has an error.")
