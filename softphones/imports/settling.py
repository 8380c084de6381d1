"""What goes on by itself: what a press left for later is written, a few rows in each transaction, and what has come to its
end is finished."""

import logging
import time
from contextlib import suppress
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from softphones import changes, leases, mail, table_statistics
from softphones.imports import undoing
from softphones.imports.checking import is_enabled
from softphones.imports.statuses import with_status
from softphones.models import Account, Change, Import, ImportRow, Message, Softphone
from softphones.wake import wake

logger = logging.getLogger(__name__)

Kind, State, Verdict = Import.Kind, Import.State, ImportRow.Verdict

ACTS_AT_ONCE = 50
CREATES_AT_ONCE = 250
ENDS_AT_ONCE = 200
MANY_STEPS = 4  # after so many of these the database looks at its tables anew
#: What is written no faster than it is sent: mails, and what an undo deletes.
_UNDOING = Q(kind=Kind.DELETE, parent__isnull=False)
_AT_THEIR_PACE = Q(kind=Kind.SEND_LINKS) | _UNDOING


def settle(*, now: datetime, account: Account | None = None) -> None:
    """Finish what has come to its end. Writes nothing else: `unwritten` says where there is something left to write."""
    running = Import.objects.filter(state__in=(State.STARTING, State.STARTED, State.PAUSED))
    if account:
        running = running.filter(account=account)
    for batch in running.order_by("pk"):
        _finish(batch, now)


def unwritten(account: Account | None = None) -> QuerySet[Import]:
    """Bulk work of which a press left something for later: rows to be written, or wishes to be ended."""
    rows = _unwritten(ImportRow.objects.filter(batch=OuterRef("pk")))
    # Softphones to be made are written although it is paused: nothing of it goes before, and others see what is taken.
    some_left = Q(state=State.PAUSED, kind=Kind.CREATE) | Q(~Q(kind=Kind.CREATE), state=State.STARTED)
    found = Import.objects.filter(Q(state__in=(State.STARTING, State.CANCELLING)) | some_left & Q(Exists(rows)))
    found = found.select_related("account", "asked_by").order_by("pk")
    return found.filter(account=account) if account else found


def waits_for_room(account: Account) -> bool:
    """Whether something of an undo is written once the outbox has sent what it has of it: `go_on` then."""
    return unwritten(account).filter(_UNDOING).exists()


def begin(batch: Import, now: datetime) -> None:
    """Write the first rows of what was pressed; the rest is left to a worker. Whoever pressed waits for this only."""
    if _step(batch, now):
        wake("go_on_with_imports", account_id=batch.account_id)
    batch.refresh_from_db()


def go_on(*, batch: Import, now: datetime, seconds: float | None = None) -> bool:
    """Write what a press left for later, and finish it if nothing waits. Not in a transaction.

    Returns whether something is left after `seconds` (without: nothing is). Done by two at the same moment, or by one after
    another was killed, each row is written once.
    """
    begun, steps, is_left = time.monotonic(), 0, True
    while is_left and (steps == 0 or seconds is None or time.monotonic() - begun <= seconds):
        is_left = _step(batch, now)
        steps += 1
    batch.refresh_from_db()
    if not is_left and batch.state in (State.STARTED, State.PAUSED):
        _finish(batch, now)
    if steps >= MANY_STEPS:
        table_statistics.refresh(ImportRow, Change, Softphone)
    return is_left


def catch_up(*, account: Account, now: datetime) -> None:
    """`go_on` with all of an account's bulk work until nothing is left to write. For commands, which wait for it."""
    for batch in unwritten(account):
        go_on(batch=batch, now=now)


def go_on_for(*, account: Account, now: datetime, seconds: float) -> bool:
    """`go_on` with all of an account's bulk work, for `seconds`, unless somebody is at it. Returns whether more is wanted."""
    lease = leases.take(f"imports:{account.pk}", seconds)
    if lease is None:
        return False
    begun, faulty = time.monotonic(), []
    try:
        for batch in unwritten(account):
            try:
                if go_on(batch=batch, now=now, seconds=max(seconds - (time.monotonic() - begun), 0)):
                    return True
            except Exception:
                # One that can't go on must not keep the others waiting; the next sweep tries it again.
                logger.exception("Bulk work %d could not go on because of a fault in the portal.", batch.pk)
                faulty.append(batch.pk)
    finally:
        lease.release()
    # Asked only now: whoever came while we held the lease has gone away again.
    return unwritten(account).exclude(_AT_THEIR_PACE).exclude(pk__in=faulty).exists()


def _unwritten(rows: QuerySet[ImportRow]) -> QuerySet[ImportRow]:
    wanted = rows.filter(verdict__in=ImportRow.WILL, change=None, message=None, problems=[])
    return wanted.exclude(is_owned=True, batch__skip_owned=True).exclude(verdict=Verdict.WILL_DO, softphone=None)


def _finish(batch: Import, now: datetime) -> None:
    if not with_status(batch).filter(status="waiting").exists():
        ended = Import.objects.filter(pk=batch.pk, state=batch.state)
        if ended.update(state=State.FINISHED, finished_at=now):
            batch.state, batch.finished_at = State.FINISHED, now


def _step(batch: Import, now: datetime) -> bool:
    """Write as much as one transaction should hold, so that others get their turn. Returns whether there may be more."""
    with transaction.atomic():
        fetched = Import.objects.select_for_update(of=("self",), no_key=True).select_related("account", "asked_by")
        locked = fetched.get(pk=batch.pk)
        if locked.state == State.CANCELLING:
            return _end_some(locked, now)
        if locked.kind != Kind.CREATE:
            return locked.state == State.STARTED and _act_on_some(locked, now)
        return locked.state in (State.STARTING, State.PAUSED) and _create_some(locked, now)


def _end_some(batch: Import, now: datetime) -> bool:
    if changes.cancel_unsent(account=batch.account, batch=batch.batch, now=now, most=ENDS_AT_ONCE) == ENDS_AT_ONCE:
        return True
    batch.rows.update(password=None)
    batch.state, batch.finished_at = State.CANCELLED, now
    batch.save(update_fields=["state", "finished_at"])
    wake("push_changes", account_id=batch.account_id)
    return False


def _act_on_some(batch: Import, now: datetime) -> bool:
    most = min(ACTS_AT_ONCE, _room(batch))
    rows = _unwritten(batch.rows).select_related("softphone__account", "softphone__owner__user").order_by("pk")[: max(most, 0)]
    rows = list(rows)
    # Somebody may have got it since the press.
    kept = changes.kept([row.softphone for row in rows]) if undoing.undoes(batch) else {}
    for row in rows:
        if row.softphone_id in kept:
            _keep(batch, row, kept[row.softphone_id])
        else:
            _write(batch, row, now)
    if rows:
        wake("push_changes", account_id=batch.account_id)
    return len(rows) == ACTS_AT_ONCE


def _room(batch: Import) -> int:
    """How many acts may be written now.

    Mails wait here and not in their queue, so that they can be paused and cancelled; so does what an undo deletes, so that
    who sets up a phone meanwhile is not disturbed.
    """
    if undoing.undoes(batch):
        return ACTS_AT_ONCE - batch.rows.filter(change__state__in=Change.UNFINISHED).count()
    if batch.kind != Kind.SEND_LINKS:
        return ACTS_AT_ONCE
    return max(settings.EMAIL_PER_MINUTE, 1) - batch.rows.filter(message__state=Message.State.QUEUED).count()


def _create_some(batch: Import, now: datetime) -> bool:
    """Only when all of them are written may the first be sent."""
    rows = list(_unwritten(batch.rows).select_related("owner").order_by("line")[:CREATES_AT_ONCE])
    if rows:
        _create(batch, rows, now)
    if len(rows) == CREATES_AT_ONCE:
        return True
    batch.rows.update(password=None)
    if batch.state == State.STARTING:
        batch.state = State.STARTED
        batch.save(update_fields=["state"])
        wake("push_changes", account_id=batch.account_id)
    return False


def _create(batch: Import, rows: list[ImportRow], now: datetime) -> None:
    _drop_failed(batch, rows, now)
    wishes = changes.create_many(
        account=batch.account,
        phones=[_phone(batch, row) for row in rows],
        by=batch.asked_by,
        batch=batch.batch,
        ip=batch.ip,
        now=now,
    )
    asked = [(wish.pk, wish.softphone_id, row.pk) for wish, row in zip(wishes, rows, strict=True)]
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE softphones_importrow SET change_id = %s, softphone_id = %s WHERE id = %s", asked)


def _drop_failed(batch: Import, rows: list[ImportRow], now: datetime) -> None:
    """What could not be made under another username, and is made now, is not wanted any more: its own try is looked after."""
    wanted = {(row.values["name"].casefold(), row.owner_id): row.values.get("sip_username", "").lower() for row in rows}
    if not any(wanted.values()):
        return
    failed = Change.objects.filter(account=batch.account, kind=Change.Kind.CREATE, state=Change.State.FAILED)
    unmade = failed.filter(softphone__audian_id=None, softphone__gone_at=None, folded_into=None)
    unmade = unmade.select_related("softphone__account", "softphone__owner").defer("password", "softphone__password")
    for change in unmade:
        phone = change.softphone
        username = wanted.get((phone.name.casefold(), phone.owner_id))
        if username and username != phone.username_folded:
            with suppress(changes.NotPossible):
                changes.delete(softphone=phone, by=batch.asked_by, urgent=False, ip=batch.ip, now=now)


def _phone(batch: Import, row: ImportRow) -> changes.NewPhone:
    values = row.values
    return changes.NewPhone(
        name=values["name"],
        owner=row.owner,
        enabled=is_enabled(values.get("enabled", "")),
        caller_id_number=values.get("extension", ""),
        caller_id_name=values.get("caller_id_name", ""),
        username=values.get("sip_username", ""),
        password=row.password or "",
        key=f"{batch.batch}:{row.pk}",
        instead_of=row.softphone_id,
    )


def _write(batch: Import, row: ImportRow, now: datetime) -> None:
    try:
        with transaction.atomic():
            asked = _ask(batch, row, now)
    except (changes.NotPossible, mail.NoAddress) as error:
        row.rank = 0
        row.problems = [*row.problems, {"line": row.line, "column": None, "message": str(error)}]
    else:
        row.change = asked if isinstance(asked, Change) else None
        row.message = asked if isinstance(asked, Message) else None
    row.save(update_fields=["rank", "problems", "change", "message"])


def _keep(batch: Import, row: ImportRow, said: str) -> None:
    undoing.keep(row, said)
    row.save(update_fields=["verdict", "rank", "notices"])
    Import.objects.filter(pk=batch.pk).update(will=F("will") - 1, exists=F("exists") + 1)


def _ask(batch: Import, row: ImportRow, now: datetime) -> Change | Message:
    softphone, key = row.softphone, f"{batch.batch}:{row.pk}"
    if batch.kind == Kind.SEND_LINKS:
        asked = {"account": batch.account, "softphone": softphone, "asked_by": batch.asked_by, "ip": batch.ip}
        kind = Message.Kind.SOFTPHONE_READY if batch.parent_id else Message.Kind.SETUP_LINK
        return mail.ask(kind=kind, key=key, in_bulk=True, now=now, **asked)
    wish = {"softphone": softphone, "by": batch.asked_by, "urgent": False, "key": key, "batch": batch.batch}
    wish |= {"ip": batch.ip, "now": now}
    match batch.kind:
        case Kind.RESET:
            return changes.reset_password(**wish)
        case Kind.DELETE:
            return changes.delete(**wish, unless_used=undoing.undoes(batch))
    return changes.update(values={"enabled": batch.kind == Kind.ENABLE}, seen={}, **wish)
