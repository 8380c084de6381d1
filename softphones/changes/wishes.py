"""Wishes of one softphone that go together: a carrier, and those that were folded into it while it was unsent."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Max, Q, QuerySet
from django.dispatch import Signal
from django.utils.translation import gettext_noop

from softphones import audit
from softphones.models import AuditEvent, Change, Softphone

#: Sent with each `change` that came to its end, in the transaction that says so. A receiver that raises is logged.
finished = Signal()

ACTS = {
    Change.Kind.CREATE: "softphone:created",
    Change.Kind.UPDATE: "softphone:changed",
    Change.Kind.RESET_PASSWORD: "password:reset",
    Change.Kind.DELETE: "softphone:deleted",
}
TRIED_AGAIN = "change:tried_again"
DELETED = gettext_noop("The softphone was deleted before this was sent.")


def recorded(wish: Change) -> dict[str, str | int]:
    """What the audit says of a wish: of an update also which fields, never their values."""
    fields = {"fields": " ".join(sorted(wish.values))} if wish.kind == Change.Kind.UPDATE else {}
    return {"change": wish.pk} | fields


def unfinished(softphone: Softphone) -> QuerySet[Change]:
    return Change.objects.filter(account=softphone.account_id, softphone=softphone, state__in=Change.UNFINISHED)


def family(*carriers: Change) -> QuerySet[Change]:
    """The rows of these carriers and of what was folded into them."""
    ids = [carrier.pk for carrier in carriers]
    return Change.objects.filter(Q(pk__in=ids) | Q(folded_into__in=ids))


def draws_password(change: Change) -> bool:
    """Whether this is a reset, or was sent together with one, so that sending it once more draws another password."""
    carrier = change.folded_into or change
    return carrier.kind != Change.Kind.CREATE and family(carrier).filter(kind=Change.Kind.RESET_PASSWORD).exists()


def means_password(wish: Change) -> bool:
    """Whether this wish for a softphone that is there asks for another password: as such, or since another person gets it."""
    return wish.kind == Change.Kind.RESET_PASSWORD or (wish.kind == Change.Kind.UPDATE and "owner_id" in wish.values)


def password_set_at(softphone: Softphone) -> datetime | None:
    """When a wish last gave a softphone that was there another password; None if none did."""
    gives_new = Q(kind=Change.Kind.RESET_PASSWORD) | Q(kind=Change.Kind.UPDATE, values__has_key="owner_id")  # means_password
    done = Change.objects.filter(gives_new, softphone=softphone, state=Change.State.DONE)
    return done.aggregate(at=Max("finished_at"))["at"]


def never_made(softphones: Iterable[Softphone]) -> set[int]:
    """Which of these nobody made because charges were declined, by primary key. One query, none where all are made."""
    unmade = [softphone.pk for softphone in softphones if softphone.audian_id is None]
    creates = Change.objects.filter(softphone__in=unmade, kind=Change.Kind.CREATE, tried_at=None).defer("password")
    return {create.softphone_id for create in creates if create.was_declined} if unmade else set()


def resets_again(*, since: datetime) -> QuerySet[AuditEvent]:
    """The presses of *Try again* since then that drew another password; each names its `change` in `data`."""
    return AuditEvent.objects.filter(act=TRIED_AGAIN, data__kind=Change.Kind.RESET_PASSWORD, at__gt=since)


def together(wishes: Iterable[Change]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What wishes, oldest first, want together, and what has to be at Audian now for each field that a visitor saw."""
    values, expected = {}, {}
    for wish in wishes:
        for field, value in wish.values.items():
            # Who saw what an older wish of ours will make of it, saw no other value of Audian's.
            saw_ours = field in values and wish.seen.get(field) == values[field]
            if field in wish.seen and not saw_ours:
                expected[field] = wish.seen[field]
            elif field not in wish.seen:
                expected.pop(field, None)
            values[field] = value
    return values, expected


def resting_upon(wishes: Iterable[Change], conflict: Mapping[str, Any]) -> list[Change]:
    """Those of these wishes, oldest first, whose visitor saw a value that is another by now, or what such a wish makes of it.

    `conflict`: field -> (what was expected, what is there), for what `together` expects of all of them.
    """
    found, made = [], {}
    for wish in wishes:
        rests = False
        for field in conflict.keys() & wish.values.keys():
            value, was_resting = made.get(field, (None, False))
            if field not in wish.seen:
                is_resting = False
            elif field in made and wish.seen[field] == value:
                is_resting = was_resting
            else:
                is_resting = wish.seen[field] == conflict[field][0]
            made[field] = wish.values[field], is_resting
            rests = rests or is_resting
        found += [wish] if rests else []
    return found


def is_replaced(wish: Change, values: dict[str, Any]) -> bool:
    """Whether nothing of what this wish wanted is in what was sent."""
    if wish.kind != Change.Kind.UPDATE:
        return False
    return all(values.get(field) != value for field, value in wish.values.items())


def end(wishes: Iterable[Change], state: Change.State, now: datetime, outcome: str = "", **values: Any) -> Counter:
    """These wishes have come to their end, in the caller's transaction; each is audited and told to who listens.

    `outcome`: how the audit calls it, if not by the state.
    """
    ended = Counter()
    for wish in list(wishes):
        wish.state, wish.finished_at = state, now
        for name, value in values.items():
            setattr(wish, name, value)
        wish.save(update_fields=["state", "finished_at", *values])
        ended[state] += 1
        audit.record(
            act=ACTS[wish.kind],
            actor=wish.pressed_by,
            softphone=wish.softphone,
            reason=wish.reason,
            outcome=outcome or str(state),
            data=recorded(wish),
            now=now,
        )
        finished.send_robust(sender=Change, change=wish)
    return ended
