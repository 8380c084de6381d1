"""The bulk work of an account as a list: what came of each piece, in two queries however many rows they have."""

from django.db.models import Count, Q

from softphones import paging
from softphones.imports.statuses import ELSEWHERE, KEPT, REFUSED
from softphones.models import Account, Change, Import, ImportRow, Message

State = Import.State

_MADE = Q(change__state=Change.State.DONE) & ~ELSEWHERE | Q(message__state=Message.State.SENT)
_FAILED = Q(change__state=Change.State.FAILED) | ELSEWHERE | Q(message__state=Message.State.FAILED) | REFUSED


def newest(account: Account, *, after: str = "", before: str = "", size: int = 20) -> paging.Page:
    """The account's bulk work, the newest first; each Import has its numbers so far: `.made` and `.failed` of `.total`."""
    found = Import.objects.filter(account=account).select_related("account", "asked_by")
    page = paging.page_by("created_at", found, descending=True, after=after, before=before, size=size)
    _count(page.rows)
    return page


def under_way(account: Account, *, most: int = 10) -> list[Import]:
    """What is not at its end: all that is paused, all that goes, then the `most` newest checks that can be started; each
    newest first. With numbers, as `newest`."""
    found = Import.objects.filter(account=account).select_related("account", "asked_by").order_by("-created_at", "-id")
    started = list(found.filter(state__in=Import.UNFINISHED).exclude(state=State.CHECKED))
    started.sort(key=lambda batch: batch.state != State.PAUSED)
    rows = started + list(found.filter(state=State.CHECKED, problems=[], will__gt=0)[:most])
    _count(rows)
    return rows


def following(batch: Import) -> list[Import]:
    """What was done with what `batch` made, the newest first: undoing it, mailing its people. With numbers, as `newest`."""
    rows = list(Import.objects.filter(parent=batch).select_related("account", "asked_by").order_by("-created_at", "-id")[:10])
    _count(rows)
    return rows


def _count(batches: list[Import]) -> None:
    rows = ImportRow.objects.filter(batch__in=batches).order_by().values("batch")
    counted = rows.annotate(made=Count("pk", filter=_MADE), failed=Count("pk", filter=_FAILED), kept=Count("pk", filter=KEPT))
    found = {each["batch"]: each for each in counted}
    for batch in batches:
        numbers = found.get(batch.pk, {"made": 0, "failed": 0, "kept": 0})
        batch.made, batch.failed = numbers["made"], numbers["failed"]
        batch.total = batch.will - numbers["kept"] - (batch.owned if batch.skip_owned else 0)
