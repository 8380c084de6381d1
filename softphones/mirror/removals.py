"""What is missing from a complete listing: gone only after the guard let it pass and its own GET said so."""

from collections.abc import Collection
from itertools import islice

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from softphones import search
from softphones.audian.errors import NotFound, RowError
from softphones.mirror.devices import revoke_links
from softphones.mirror.table import DETAILS_AT_ONCE, Row, Table
from softphones.models import Change, Softphone

ASKED_AFTER = 500  # a run; those that an admin released are all asked after


class Removals:
    """The rows of one table that its listing did not name.

    `released` are the rows that an admin said may go: they don't count for the guard.
    """

    def __init__(self, table: Table, released: Collection[int] = ()) -> None:
        self.table, self.work, self.account = table, table.work, table.account
        there = self._candidates()
        self.there = there.count()
        missing = list(table.seen.missing_among(there.values_list("pk", flat=True).iterator()))
        released = set(released)
        self.released = [pk for pk in missing if pk in released]
        self.others = [pk for pk in missing if pk not in released]

    @property
    def held(self) -> bool:
        """Whether an admin has to say that these may go: the listing was empty, or too many are missing."""
        percent, count = self.account.removal_guard_percent, self.account.removal_guard_count
        return bool(self.others) and (not self.table.listed or len(self.others) > max(self.there * percent / 100, count))

    def carry_out(self) -> None:
        """Ask Audian for each that may go, and bury what is gone."""
        may_go = iter(self.released + ([] if self.held else self.others[:ASKED_AFTER]))
        while some := list(islice(may_go, DETAILS_AT_ONCE)):
            asked = self.table.rows().filter(pk__in=some).order_by("pk").values_list("pk", "audian_id")
            self._bury([pk for pk, audian_id in list(asked) if self._is_gone(audian_id)])

    def _candidates(self):
        present = self.table.present().order_by("pk")
        if self.table.model is Softphone:
            busy = Change.objects.filter(account=self.account, state__in=Change.UNFINISHED).values("softphone")
            present = present.exclude(Q(pk__in=busy) | Q(written_at__gte=self.work.begun, written_at__isnull=False))
        return present

    def _is_gone(self, audian_id: str) -> bool:
        try:
            document = self.table.document(audian_id)
        except NotFound:
            return True
        except RowError as error:
            self.work.note(_("Missing, and asking for it failed: %(reason)s") % {"reason": str(error).rstrip(".")}, audian_id)
            return False
        if self.table.is_one(document):
            self.work.note(_("Kept, since Audian still has it although its list does not name it"), audian_id)
        return not self.table.is_one(document)

    def _bury(self, ids: list[int]) -> None:
        if not ids:
            return
        with self.work.lease.writing():
            list(self.table.rows().select_for_update(no_key=True).filter(pk__in=ids).values_list("pk", flat=True))
            ids = [pk for pk in ids if pk not in self.table.left_alone(ids)]
            buried = bury(self.table.model, ids, self.work.begun)
        if self.table.counted:
            self.work.run.gone += buried


def bury(model: type[Row], ids: Collection[int], now) -> int:
    """Note that these rows are gone at Audian, in the caller's transaction; their secrets, links and words go."""
    values = {"gone_at": now, "checked_at": None}
    if model is Softphone:
        revoke_links(ids, now)
        values |= {"password": None, "registered": None, "registered_since": None}
    search.remove(model, ids)
    return model.objects.filter(pk__in=ids, gone_at=None).update(**values)


def sentence_of(softphones: Removals, owners: Removals) -> str:
    """Why a run is held, and what to do."""
    parts = []
    if softphones.held:
        parts.append(
            ngettext("%(count)d softphone", "%(count)d softphones", len(softphones.others)) % {"count": len(softphones.others)}
        )
    if owners.held:
        parts.append(ngettext("%(count)d person", "%(count)d people", len(owners.others)) % {"count": len(owners.others)})
    empty = (softphones.held and not softphones.table.listed) or (owners.held and not owners.table.listed)
    reason = _("Audian's list came back empty") if empty else _("That is more than the guard lets go by itself")
    return _(
        "%(what)s would be removed, since Audian's list no longer names them. %(reason)s, so nothing of it was removed. "
        "If it is right, an admin releases it; else the next good run ends this by itself."
    ) % {"what": _(" and ").join(parts), "reason": reason}
