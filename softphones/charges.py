"""Changes that Audian asks money for: they are held until somebody accepts or declines."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from softphones.audian.documents import ChargeLine, charge_lines
from softphones.models import Account, Change

MOST = 200


@dataclass(frozen=True, slots=True)
class Offer:
    """`change` is held; `lines` say what Audian asks for it. `together` wishes of the same batch wait for the same answer."""

    change: Change
    lines: tuple[ChargeLine, ...]
    together: int

    @property
    def total(self) -> Decimal:
        """What all wishes together come to at most each time that Audian bills, at this price."""
        return self.together * sum((line.quantity * line.rate for line in self.lines), Decimal())

    @property
    def total_once(self) -> Decimal:
        """Likewise, once for setting them up."""
        return self.together * sum((line.quantity * line.activation for line in self.lines), Decimal())

    @property
    def mark(self) -> str:
        """What it costs and for how many, in one word: whoever accepts says with it what they saw."""
        return hashlib.sha256(f"{self.lines} {self.together}".encode()).hexdigest()[:16]


def offer(change: Change) -> Offer:
    """What Audian asks for this held change."""
    return Offer(change, charge_lines(change.quote or {}), _together(change))


def offers(account: Account) -> list[Offer]:
    """What Audian asks for now, oldest first: one for each batch, one for each change without."""
    held = Change.objects.filter(account=account, state=Change.State.HELD, folded_into=None).defer("password")
    rows = held.select_related("softphone", "asked_by").order_by("pk")[:MOST]
    found = []
    for _batch, group in groupby(sorted(rows, key=_batch_of), key=_batch_of):
        first = next(group)
        found.append(offer(first))
    return sorted(found, key=lambda offer: offer.change.pk)


def _batch_of(change: Change) -> str:
    return change.batch or f"#{change.pk}"


def _together(change: Change) -> int:
    if not change.batch:
        return 1
    batch = Change.objects.filter(account=change.account_id, batch=change.batch, folded_into=None)
    return batch.filter(state__in=Change.UNFINISHED).count()
