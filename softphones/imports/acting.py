"""Acts on softphones that are there: on a selection, and undoing an import. Also mails to those whose phone was made."""

import json
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from softphones import changes, lights, mail
from softphones.imports import undoing
from softphones.imports.estimate import CUTS_OFF
from softphones.imports.settling import settle
from softphones.imports.statuses import still_there
from softphones.imports.storing import rank, store
from softphones.models import Account, Change, Import, ImportRow, Message, Softphone, User

Kind, State, Verdict = Import.Kind, Import.State, ImportRow.Verdict


def act_on(*, account: Account, softphones: Iterable[Softphone], kind: str, by: User | None, now: datetime) -> Import:
    """An act on these softphones, checked. See softphones.imports. Not in a transaction: the lights may be asked."""
    if kind == Kind.CREATE:
        raise ValueError("Softphones that are there can't be created.")
    chosen = _of_account(account, [softphone.pk for softphone in softphones])
    settle(now=now, account=account)
    if kind in CUTS_OFF:
        lights.survey(account=account, softphones=chosen, now=now)
    name = ngettext("%(count)d softphone", "%(count)d softphones", len(chosen)) % {"count": len(chosen)}
    return _store(account, kind, name, chosen, _Judge(account, Kind(kind), chosen), by, now)


def undo(*, batch: Import, by: User | None, now: datetime) -> Import:
    """The deletion, checked, of what `batch` made and nobody has as far as the portal saw. See softphones.imports.

    Asks the lights (10 s at most); not in a transaction.
    """
    settle(now=now, account=batch.account)
    phones = _seen(batch.account, _made(batch), now)
    judge, kept = _Judge(batch.account, Kind.DELETE, phones, spares=True), changes.kept(phones, now=now)

    def judged(row: ImportRow) -> None:
        judge(row)
        if row.verdict == Verdict.WILL_DO and row.softphone.pk in kept:
            undoing.keep(row, kept[row.softphone.pk])

    name = _("Undo: %(name)s") % {"name": batch.name}
    return _store(batch.account, Kind.DELETE, name, phones, judged, by, now, parent=batch)


def mail_setup(*, batch: Import, by: User | None, now: datetime) -> Import:
    """Mails to the people of what `batch` made, checked: who was mailed before is left out. See softphones.imports."""
    settle(now=now, account=batch.account)
    phones = _made(batch)
    ready = Message.objects.filter(account=batch.account, kind=Message.Kind.SOFTPHONE_READY, softphone__isnull=False)
    mailed = set(ready.exclude(state=Message.State.FAILED).values_list("softphone", flat=True))
    judge = _Judge(batch.account, Kind.SEND_LINKS, phones)

    def judged(row: ImportRow) -> None:
        judge(row)
        if row.verdict == Verdict.WILL_DO and row.softphone.pk in mailed:
            _there(row, _("This mail was sent already."))

    name = _("Set-up mails: %(name)s") % {"name": batch.name}
    return _store(batch.account, Kind.SEND_LINKS, name, phones, judged, by, now, parent=batch)


def _made(batch: Import) -> list[Softphone]:
    return _phones(batch.account, still_there(batch).order_by("pk"))


def _seen(account: Account, phones: list[Softphone], now: datetime) -> list[Softphone]:
    lights.survey(account=account, softphones=phones, now=now)
    return _phones(account, Softphone.objects.filter(pk__in=[phone.pk for phone in phones]).order_by("pk"))


def _phones(account: Account, found: QuerySet[Softphone]) -> list[Softphone]:
    """With what the rows say of them and what decides; no secret is decrypted for it."""
    phones = list(found.filter(account=account).select_related("owner__user").defer("password"))
    for phone in phones:
        phone.account = account
    return phones


def _of_account(account: Account, ids: list[int]) -> list[Softphone]:
    return _phones(account, Softphone.objects.filter(pk__in=ids).order_by("name", "pk"))


class _Judge:
    """Writes the verdict into a row of one of these softphones; what it has to know of them is read before."""

    def __init__(self, account: Account, kind: Kind, phones: list[Softphone], *, spares: bool = False) -> None:
        deletions = Change.objects.filter(account=account, kind=Change.Kind.DELETE, state__in=Change.UNFINISHED)
        if kind == Kind.DELETE and not spares:
            # What an undo waits to delete, it keeps if somebody uses it.
            deletions = deletions.exclude(values__has_key="unless_used")
        self._kind, self._ending = kind, set(deletions.values_list("softphone", flat=True))
        self._addresses = mail.addresses_of(phones) if kind == Kind.SEND_LINKS else {}

    def __call__(self, row: ImportRow) -> None:
        phone, address = row.softphone, self._addresses.get(row.softphone.pk)
        row.verdict = Verdict.WILL_DO
        if phone.gone_at or phone.pk in self._ending:
            if self._kind == Kind.DELETE:
                _there(row, _("It is deleted, or just being deleted."))
            else:
                _wrong(row, _("“%(name)s” is deleted, or just being deleted.") % {"name": phone.name})
        elif self._kind == Kind.ENABLE and phone.enabled:
            _there(row, _("It is switched on already."))
        elif self._kind == Kind.DISABLE and not phone.enabled:
            _there(row, _("It is switched off already."))
        elif isinstance(address, mail.NoAddress):
            _wrong(row, str(address))


def _wrong(row: ImportRow, message: str) -> None:
    row.verdict, row.problems = Verdict.ERROR, [_said(row, message)]


def _there(row: ImportRow, message: str) -> None:
    row.verdict, row.notices = Verdict.EXISTS, [_said(row, message)]


def _said(row: ImportRow, message: str) -> dict:
    return {"line": row.line, "column": None, "message": message}


def _store(account, kind, name, phones, judge, by, now, parent=None) -> Import:
    digest = sha256(f"{kind}:{parent.pk if parent else ''}:{sorted(phone.pk for phone in phones)}".encode()).hexdigest()
    same = Import.objects.filter(account=account, kind=kind, sha256=digest, state__in=Import.UNFINISHED)
    try:
        with transaction.atomic():
            Account.objects.select_for_update(no_key=True).get(pk=account.pk)
            batch = same.select_for_update(no_key=True).first()
            if batch and batch.state != State.CHECKED:
                return batch
            fresh = {"name": name[:200], "asked_by": by, "created_at": now, "is_file": False, "parent": parent}
            batch = batch or Import.objects.create(account=account, kind=kind, sha256=digest, **fresh)
            batch.rows_read = len(phones)
            rows = [_row(batch, line, phone) for line, phone in enumerate(phones, 1)]
            for row in rows:
                judge(row)
                row.rank = rank(row)
            store(batch, rows)
    except IntegrityError:
        return same.get()
    return batch


def _row(batch: Import, line: int, phone: Softphone) -> ImportRow:
    cells = {
        "name": phone.name,
        "owner_email": phone.owner.email if phone.owner else "",
        "owner_id": phone.owner_audian_id,
        "extension": phone.caller_id_number,
        "caller_id_name": phone.caller_id_name,
        "sip_username": phone.sip_username,
        "enabled": "yes" if phone.enabled else "no",
    }
    return ImportRow(batch=batch, line=line, cells=json.dumps(cells), softphone=phone, owner=phone.owner)
