"""Wishes that do not end together: one of a family fails or waits and the rest goes on; a newer one went before one
that was stopped."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from softphones.changes.drawing import new_password
from softphones.changes.wishes import end, family, means_password, resting_upon
from softphones.models import Change

Kind, State = Change.Kind, Change.State


def fail_in_conflict(
    carrier: Change, conflict: Mapping[str, Sequence[Any]], sentence: str, now: datetime
) -> tuple[Counter, list[Change]]:
    """End the wishes of this family that the conflict is about, in the caller's transaction; each can be tried again.

    Returns how many that were, and the rest. They are a family of their own now, and take a new password along if one of
    them means one: whoever is to blame for the conflict, it is not for what others asked for.
    """
    wishes = list(family(carrier).order_by("pk"))
    wrong = resting_upon(wishes, conflict) or wishes
    rest = [wish for wish in wishes if wish not in wrong]
    _make_family(wrong, carrier)
    _make_family(rest, carrier)
    ended = Counter()
    for wish in wrong:
        about = {field: list(values) for field, values in conflict.items() if field in wish.values}
        wish.folded_into = None if wish == wrong[0] else wrong[0]
        ended += end([wish], State.FAILED, now, error=sentence, conflict=about, password=None)
    return ended, rest


def part_resets(carrier: Change) -> tuple[list[Change], list[Change]]:
    """Take the resets out of a family for which Audian asks for charges, in the caller's transaction: they don't wait for that.

    They are a family of their own then, with another password: the one that they shared may be that of another person.
    Returns the wishes that wait, and the resets. Resets alone wait, and so does all that a softphone has to be made for.
    """
    wishes = list(family(carrier).order_by("pk"))
    resets = [wish for wish in wishes if wish.kind == Kind.RESET_PASSWORD]
    rest = [wish for wish in wishes if wish not in resets]
    if carrier.kind == Kind.CREATE or not rest or not resets:
        return wishes, []
    _make_family(rest, carrier)
    _make_family(resets, carrier)
    Change.objects.filter(pk=resets[0].pk).update(password=new_password())
    return rest, resets


def end_overtaken(carrier: Change, values: Mapping[str, Any], now: datetime) -> Counter:
    """What was stopped, and a newer wish went before it: what the newer one brought about, it does not undo.

    `carrier` was done just now and brought about `values`, and its password, if it has one. An older wish of which nothing
    is left ends as replaced; returns how many did.
    """
    older = Change.objects.filter(account=carrier.account_id, softphone=carrier.softphone_id, pk__lt=carrier.pk)
    older = older.filter(state__in=(State.QUEUED, State.HELD), folded_into=None, kind__in=(Kind.UPDATE, Kind.RESET_PASSWORD))
    ended = Counter()
    for each in older.order_by("pk"):
        wishes = list(family(each).order_by("pk"))
        over = [wish for wish in wishes if not _keep_what_is_left(wish, values, bool(carrier.password))]
        _make_family([wish for wish in wishes if wish not in over], each)
        ended += end(over, State.REPLACED, now, password=None, quote=None, error="", folded_into=None)
    return ended


def _keep_what_is_left(wish: Change, values: Mapping[str, Any], has_password: bool) -> bool:
    """Take out of a wish what a newer one brought about. Returns whether anything is left of it."""
    if wish.kind == Kind.RESET_PASSWORD:
        return not has_password
    left = {field: value for field, value in wish.values.items() if field not in values}
    if left and left != wish.values:
        wish.values, wish.seen = left, {field: value for field, value in wish.seen.items() if field in left}
        wish.save(update_fields=["values", "seen"])
    return bool(left)


def _make_family(wishes: Sequence[Change], carrier: Change) -> None:
    """These wishes, which `carrier` carried until now, go by themselves: the oldest carries the others."""
    if not wishes:
        return
    first, *others = wishes
    Change.objects.filter(pk__in=[wish.pk for wish in others]).update(folded_into=first)
    Change.objects.filter(pk=first.pk).update(
        folded_into=None,
        password=carrier.password if any(means_password(wish) for wish in wishes) else None,
        tried_at=carrier.tried_at,
        epoch=carrier.epoch,
        urgent=any(wish.urgent for wish in wishes),
    )
