"""The history of an account: its audit events, found again, and as a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from softphones import acts, paging, search, spreadsheets
from softphones.models import Account, AuditEvent


@dataclass(frozen=True)
class Filter:
    """What to show. `who` and `whose` hold beginnings of words that must all occur; days are the account's, both included."""

    who: str = ""
    whose: str = ""
    act: str = ""
    since: date | None = None
    until: date | None = None

    def __bool__(self) -> bool:
        return self != Filter()


def events(account: Account, filter: Filter) -> QuerySet[AuditEvent]:
    """The account's own events that pass the filter, in no order."""
    found = AuditEvent.objects.filter(account=account)
    for field, text in (("actor_words", filter.who), ("whose_words", filter.whose)):
        for word in search.split(text)[: search.MOST_WORDS]:
            found = found.filter(**{f"{field}__contains": f" {word}"})
    if filter.act:
        found = found.filter(act=filter.act)
    if filter.since:
        found = found.filter(at__gte=_start(filter.since, account))
    if filter.until:
        found = found.filter(at__lt=_start(filter.until + timedelta(days=1), account))
    return found


def page(account: Account, filter: Filter, *, after: str = "", before: str = "", size: int = 50) -> paging.Page:
    """One page of them, newest first."""
    return paging.page_by("at", events(account, filter), descending=True, after=after, before=before, size=size)


def csv_lines(account: Account, filter: Filter, *, whole: bool = False) -> Iterator[str]:
    """All of them as the lines of a CSV file, newest first: those that were there when the first line is asked for.

    Addresses are masked unless `whole`.
    """
    newest = AuditEvent.objects.filter(account=account).order_by("-id").values_list("id", flat=True).first() or 0
    found = paging.all_by("at", events(account, filter).filter(id__lte=newest), descending=True)
    header = [
        _("Time"),
        _("Who"),
        _("Act"),
        _("What happened"),
        _("Softphone"),
        _("Person"),
        _("Reason"),
        _("Outcome"),
        _("From"),
    ]
    return spreadsheets.lines(header, (_cells(event, account, whole) for event in found))


def _cells(event: AuditEvent, account: Account, whole: bool) -> list[str]:
    return [
        event.at.astimezone(account.zone).isoformat(sep=" ", timespec="seconds"),
        acts.label(event.actor_label, whole=whole) or acts.who(event),
        event.act,
        acts.sentence(event, whole=whole),
        event.target_label,
        acts.label(event.person_label, whole=whole),
        event.reason,
        str(acts.outcome(event)),
        event.ip or "",
    ]


def _start(day: date, account: Account) -> datetime:
    return datetime.combine(day, time.min, account.zone)
