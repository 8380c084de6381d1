"""Pages by key: next and previous, never OFFSET, so that page 2,000 costs what page 1 costs."""

from dataclasses import dataclass

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
    """`size` rows in the order (name, id), behind the row that `after` names or ahead of the one that `before` names.

    A mark that is not ours counts as none. One query, which the index on (account, name, id) answers.
    """
    start, end = _unmark(after), _unmark(before)
    if end:
        found = list(_beyond(rows, end, "lt").order_by("-name", "-id")[: size + 1])
        shown = found[:size][::-1]
        has_previous, has_next = len(found) > size, True
    else:
        found = list((_beyond(rows, start, "gt") if start else rows).order_by("name", "id")[: size + 1])
        shown = found[:size]
        has_previous, has_next = bool(start), len(found) > size
    return Page(
        shown,
        next=_mark(shown[-1]) if shown and has_next else "",
        previous=_mark(shown[0]) if shown and has_previous else "",
    )


def _beyond(rows: QuerySet, key: tuple[str, int], side: str) -> QuerySet:
    name, pk = key
    # The first condition is implied by the second, but only it lets a database enter the index at the right place.
    return rows.filter(**{f"name__{side}e": name}).filter(Q(**{f"name__{side}": name}) | Q(**{f"id__{side}": pk}))


def _mark(row) -> str:
    return signing.dumps([row.name, row.pk], salt=SALT)


def _unmark(text: str) -> tuple[str, int] | None:
    try:
        name, pk = signing.loads(text, salt=SALT)
    except signing.BadSignature:
        return None
    return name, pk
