"""What Audian answers to a write of ours goes into the mirror through here."""

from collections.abc import Iterable
from datetime import datetime

from softphones import search
from softphones.audian.documents import DeviceDocument
from softphones.mirror.devices import CREDENTIALS, columns, created_by_us, owner_ids, revoke_links
from softphones.mirror.removals import bury
from softphones.models import Account, Softphone


def absorb(account: Account, document: DeviceDocument, now: datetime) -> Softphone:
    """Write what Audian said of a device that we just wrote there, in the caller's transaction. Returns its row.

    The row is the one with the device's id; else the one that waits for this device (its create's mark, or the username
    we generated); else a new one. A mirror run that began before `now` leaves it alone.
    """
    rows = Softphone.objects.select_for_update(no_key=True).filter(account=account)
    row = rows.filter(audian_id=document.id).first()
    if row is None:
        waiting = [pk for pk, _document in created_by_us(account, [document])]
        row = rows.filter(pk__in=waiting).first() or Softphone(account=account)
    found = columns(account, document, row, owner_ids(account, [document]))
    found |= {"audian_id": document.id, "written_at": now, "checked_at": now if document.complete else None}
    if row.pk and any(getattr(row, name) != found[name] for name in CREDENTIALS & set(found)):
        revoke_links([row.pk], now)
    for name, value in found.items():
        setattr(row, name, value)
    row.save(update_fields=found if row.pk else None)
    search.remove(Softphone, [row.pk])
    search.add(account, [row])
    return row


def confirm_password(softphone: Softphone, password: str) -> None:
    """Audian took this password, though its answer did not repeat it (the vendor's page shows such answers)."""
    softphone.password = password
    softphone.save(update_fields=["password"])


def forget_password(softphone: Softphone) -> None:
    """Its password is unknown until a GET tells: a new one is on its way, or nobody knows whether it arrived."""
    softphone.password, softphone.checked_at = None, None
    softphone.save(update_fields=["password", "checked_at"])


def forget(softphone: Softphone, now: datetime) -> None:
    """Audian no longer has this device, in the caller's transaction; its secrets, links and words go."""
    forget_all([softphone], now)


def forget_all(softphones: Iterable[Softphone], now: datetime) -> None:
    """Audian has none of these devices, likewise."""
    bury(Softphone, [softphone.pk for softphone in softphones], now)
