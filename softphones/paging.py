"""Pages by key: next and previous, never OFFSET, so that page 2,000 costs what page 1 costs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.core import signing
from django.db.models import Q, QuerySet

SALT = "paging"


@dataclass(frozen=True)
class Page:
    """The rows of one page; `next` and `previous` are what to ask with (`?after=`, `?before=`), '' where there is none."""

    rows: list
    next: str
    previous: str


def page_by_name(rows: QuerySet, *, after: str = "", before: str = "", size: int = 50) -> Page:
    """`size` rows in the order (name, id), which the index on (account, name, id) answers."""
    return page_by("name", rows, after=after, before=before, size=size)


def page_by(field: str, rows: QuerySet, *, descending: bool = False, after: str = "", before: str = "", size: int = 50) -> Page:
    """`size` rows in the order (field, id), behind the row that `after` names or ahead of the one that `before` names.

    `field` is never NULL. A mark that is not ours, or belongs to another order, counts as none. One query.
    """
    start, end = _unmark(after, field), _unmark(before, field)
    if end:
        found = list(_ordered(field, _beyond(field, rows, end, descending), not descending)[: size + 1])
        shown = found[:size][::-1]
        has_previous, has_next = len(found) > size, True
    else:
        found = list(_ordered(field, _beyond(field, rows, start, not descending), descending)[: size + 1])
        shown = found[:size]
        has_previous, has_next = bool(start), len(found) > size
    return Page(
        shown,
        next=_mark(shown[-1], field) if shown and has_next else "",
        previous=_mark(shown[0], field) if shown and has_previous else "",
    )


def all_by(field: str, rows: QuerySet, *, descending: bool = False, batch: int = 1000) -> Iterator:
    """All rows in that order, read in batches by key: nothing is locked, and no cursor stays open, while they are used."""
    key = None
    while True:
        found = list(_ordered(field, _beyond(field, rows, key, not descending), descending)[:batch])
        yield from found
        if len(found) < batch:
            return
        key = (getattr(found[-1], field), found[-1].pk)


def _ordered(field: str, rows: QuerySet, descending: bool) -> QuerySet:
    return rows.order_by(f"-{field}", "-id") if descending else rows.order_by(field, "id")


def _beyond(field: str, rows: QuerySet, key: tuple | None, upwards: bool) -> QuerySet:
    if key is None:
        return rows
    (value, pk), side = key, "gt" if upwards else "lt"
    # The first condition is implied by the second, but only it lets a database enter the index at the right place.
    return rows.filter(**{f"{field}__{side}e": value}).filter(Q(**{f"{field}__{side}": value}) | Q(**{f"id__{side}": pk}))


def _mark(row, field: str) -> str:
    value = getattr(row, field)
    return signing.dumps([value.isoformat() if isinstance(value, datetime) else value, row.pk], salt=f"{SALT}:{field}")


def _unmark(text: str, field: str) -> tuple | None:
    try:
        value, pk = signing.loads(text, salt=f"{SALT}:{field}")
    except signing.BadSignature:
        return None
    return value, pk
