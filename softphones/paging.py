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
    return page_through(field, [rows], descending=descending, after=after, before=before, size=size)


def page_through(
    field: str, parts: list[QuerySet], *, descending: bool = False, after: str = "", before: str = "", size: int = 50
) -> Page:
    """As page_by, of rows of several kinds: first all of the first part, then those of the next. A query a part at most."""
    start, end = _unmark(after, field), _unmark(before, field)
    found = _along(field, parts, end or start, not descending, bool(end), size + 1)
    shown, is_more = found[:size], len(found) > size
    if end:
        shown, has_previous, has_next = shown[::-1], is_more, True
    else:
        has_previous, has_next = bool(start), is_more
    return Page(
        [row for _part, row in shown],
        next=_mark(*shown[-1], field) if shown and has_next else "",
        previous=_mark(*shown[0], field) if shown and has_previous else "",
    )


def _along(field: str, parts: list[QuerySet], mark: tuple | None, upwards: bool, backwards: bool, number: int) -> list[tuple]:
    """So many rows from the mark on, forwards or backwards, each with the number of its part."""
    found = []
    for part in reversed(range(len(parts))) if backwards else range(len(parts)):
        at, key = (mark[0], mark[1:]) if mark else (part, None)
        if (part > at if backwards else part < at) or len(found) == number:
            continue
        beyond = _beyond(field, parts[part], key if part == at else None, upwards != backwards)
        found += [(part, row) for row in _ordered(field, beyond, upwards == backwards)[: number - len(found)]]
    return found


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


def _mark(part: int, row, field: str) -> str:
    value = getattr(row, field)
    value = value.isoformat() if isinstance(value, datetime) else value
    return signing.dumps([part, value, row.pk], salt=f"{SALT}:{field}")


def _unmark(text: str, field: str) -> tuple | None:
    """Part, value and primary key of the row that a mark names; None if it was not us."""
    try:
        part, value, pk = signing.loads(text, salt=f"{SALT}:{field}")
    except (signing.BadSignature, ValueError):
        return None
    return part, value, pk
