"""The people of an account as helpdesk lists them: everybody, or those whom a search found."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Prefetch, QuerySet, prefetch_related_objects

from softphones import lights, search
from softphones.lights import Light
from softphones.models import Account, Owner, Softphone
from softphones.models.addresses import masked
from softphones.paging import Page, page_by_name

SHOWN_FIRST = 50  # matches of a search: as many as a page of everybody


@dataclass(frozen=True, slots=True)
class Listed:
    """One row: a person with their phones, or (`owner` is None) one phone without a person. `light` sums up the phones."""

    owner: Owner | None
    phones: list[Softphone]
    light: str  # connected, not_connected, unknown, off (all are switched off), none (there are none)
    connected: int

    @property
    def name(self) -> str:
        return str(self.owner or self.phones[0])

    @property
    def number(self) -> str:
        return (self.owner.number if self.owner else "") or next((each.number for each in self.phones if each.number), "")

    @property
    def address(self) -> str:
        return masked(self.owner.email) if self.owner else ""


@dataclass(frozen=True, slots=True)
class Matches:
    """What a search tells: how many there are, `capped` if there are more than it counts, and the first of them as rows."""

    rows: list[Listed]
    number: int
    capped: bool


def everybody(account: Account, *, after: str, before: str, now: datetime) -> Page:
    """The account's people by name, a page at a time."""
    present = Owner.objects.filter(account=account, gone_at=None)
    page = page_by_name(present.prefetch_related(_phones()), after=after, before=before)
    return replace(page, rows=[_person(owner, now) for owner in page.rows])


def matching(account: Account, text: str, now: datetime, *, most: int) -> Matches:
    """Whom `text` finds, by name; only the first `most` of them are read in full."""
    found = search.find(account=account, text=text)
    owners = Owner.objects.filter(pk__in=found.owners)
    alone = _own_columns(Softphone.objects.present()).filter(pk__in=found.softphones)
    ordered = sorted([*owners, *alone], key=lambda each: (str(each).casefold(), each.number, each.pk))[:most]
    prefetch_related_objects([each for each in ordered if isinstance(each, Owner)], _phones())
    rows = [_person(each, now) if isinstance(each, Owner) else _row(None, [each], now) for each in ordered]
    return Matches(rows, len(found), found.capped)


def _phones() -> Prefetch:
    return Prefetch("softphones", _own_columns(Softphone.objects.present()).order_by("name", "id"), to_attr="phones")


def _own_columns(phones: QuerySet[Softphone]) -> QuerySet[Softphone]:
    return phones.defer("password")


def _person(owner: Owner, now: datetime) -> Listed:
    for phone in owner.phones:
        phone.owner = owner
    return _row(owner, owner.phones, now)


def _row(owner: Owner | None, phones: list[Softphone], now: datetime) -> Listed:
    states = [lights.as_of(lights.last_seen(phone), now).state for phone in phones if phone.enabled]
    return Listed(owner, phones, _summed_up(phones, states), states.count("connected"))


def _summed_up(phones: Iterable[Softphone], states: list[Light]) -> str:
    if not phones:
        return "none"
    return next((state for state in ("connected", "not_connected", "unknown") if state in states), "off")
