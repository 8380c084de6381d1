"""The people of an account as helpdesk lists them: everybody, or those whom a search found."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Prefetch, QuerySet

from softphones import lights, search
from softphones.lights import Light
from softphones.models import Account, Owner, Softphone
from softphones.models.addresses import masked
from softphones.paging import Page, page_by_name

MATCHES = 50  # that a search shows: as many as a page of everybody


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


def everybody(account: Account, *, after: str, before: str, now: datetime) -> Page:
    """The account's people by name, a page at a time."""
    present = Owner.objects.filter(account=account, gone_at=None)
    page = page_by_name(present.prefetch_related(_phones()), after=after, before=before)
    return replace(page, rows=[_person(owner, now) for owner in page.rows])


def matching(account: Account, text: str, now: datetime) -> tuple[list[Listed], bool]:
    """Whom `text` finds, by name, and whether there are more than MATCHES."""
    found = search.find(account=account, text=text, most=MATCHES)
    owners = Owner.objects.filter(pk__in=found.owners).prefetch_related(_phones())
    alone = _own_columns(Softphone.objects.present()).filter(pk__in=found.softphones)
    rows = [_person(owner, now) for owner in owners] + [_row(None, [phone], now) for phone in alone]
    return sorted(rows, key=lambda row: (row.name.casefold(), row.number)), found.capped


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
