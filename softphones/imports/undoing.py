"""What undoing an import leaves alone: every softphone that somebody may use, as far as the portal saw."""

from collections.abc import Collection
from datetime import datetime

from django.utils.translation import gettext as _

from softphones import lights
from softphones.models import AuditEvent, Import, ImportRow, SetupLink, Softphone

Verdict = ImportRow.Verdict


def undoes(batch: Import) -> bool:
    """Whether it deletes what another import has made."""
    return batch.kind == Import.Kind.DELETE and batch.parent_id is not None


def kept(phones: Collection[Softphone], *, now: datetime | None = None) -> dict[int, str]:
    """Why these softphones are kept, by primary key; those that may be deleted are left out.

    With `now`, one that was not seen lately is kept too: nobody knows whether it is connected.
    """
    ids = [phone.pk for phone in phones]
    opened = set(SetupLink.objects.filter(softphone__in=ids, opened_at__isnull=False).values_list("softphone", flat=True))
    shown = set(AuditEvent.objects.filter(softphone__in=ids, act="password:shown").values_list("softphone", flat=True))
    why = {phone.pk: _why_kept(phone, phone.pk in opened | shown, now) for phone in phones}
    return {pk: said for pk, said in why.items() if said}


def keep(row: ImportRow, said: str) -> None:
    """Write into the row, which is not saved, that its softphone stays."""
    row.verdict, row.rank = Verdict.EXISTS, 3
    row.notices = [{"line": row.line, "column": None, "message": said}]


def _why_kept(phone: Softphone, is_known: bool, now: datetime | None) -> str:
    if phone.registered or phone.registered_since or phone.lost_at or phone.lost_since:
        return _("It has been connected: it is kept.")
    if is_known:
        return _("Somebody has seen its password or opened its link: it is kept.")
    light = lights.last_seen(phone)
    if (lights.as_of(light, now) if now else light).state == "unknown":
        return _("Nobody knows whether it is connected: it is kept.")
    return ""
