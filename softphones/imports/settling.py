"""What goes on by itself: acts are written into the outbox a few at a time, and what has come to its end is finished."""

from contextlib import suppress
from datetime import datetime

from django.db import connection, transaction

from softphones import changes, mail
from softphones.imports.checking import is_enabled
from softphones.imports.statuses import with_status
from softphones.models import Account, Change, Import, ImportRow, Message
from softphones.wake import wake

Kind, State, Verdict = Import.Kind, Import.State, ImportRow.Verdict

AT_ONCE = 50
CREATES_AT_ONCE = 250


def settle(*, now: datetime, account: Account | None = None) -> None:
    """Go on with what was left half written, and finish what has come to its end. Not in a transaction."""
    unfinished = Import.objects.filter(state__in=(State.STARTING, State.STARTED, State.PAUSED))
    if account:
        unfinished = unfinished.filter(account=account)
    for batch in unfinished.select_related("account", "asked_by").order_by("pk"):
        settle_one(batch, now)


def settle_one(batch: Import, now: datetime) -> None:
    if batch.state == State.STARTING:
        write_creates(batch, now=now)
    if batch.state == State.STARTED and batch.kind != Kind.CREATE:
        write_acts(batch, now=now)
    if not with_status(batch).filter(status="waiting").exists():
        ended = Import.objects.filter(pk=batch.pk, state=batch.state)
        if ended.update(state=State.FINISHED, finished_at=now):
            batch.state, batch.finished_at = State.FINISHED, now


def write_acts(batch: Import, *, now: datetime, most: int | None = None) -> bool:
    """Write the acts of up to `most` rows into the outbox, or the mail queue. Returns whether some are left.

    A few in each transaction; done again by somebody else at the same moment, each is written once.
    """
    written = 0
    while most is None or written < most:
        with transaction.atomic():
            locked = Import.objects.select_for_update(of=("self",)).select_related("account", "asked_by").get(pk=batch.pk)
            rows = locked.rows.filter(verdict=Verdict.WILL_DO, change=None, message=None, softphone__isnull=False)
            rows = list(rows.select_related("softphone__account", "softphone__owner__user").order_by("pk")[:AT_ONCE])
            if locked.state != State.STARTED or not rows:
                return False
            for row in rows:
                _write(locked, row, now)
            wake("push_changes", account_id=locked.account_id)
        written += len(rows)
    return True


def write_creates(batch: Import, *, now: datetime, ip: str | None = None) -> None:
    """Write the softphones to be made into the outbox. Only when all of them are there may the first be sent.

    A few in each transaction, so that others get their turn. Done by two at the same moment, each is written once.
    """
    while True:
        with transaction.atomic():
            locked = Import.objects.select_for_update(of=("self",)).select_related("account", "asked_by").get(pk=batch.pk)
            if locked.state != State.STARTING:
                break
            rows = locked.rows.filter(verdict=Verdict.WILL_CREATE, change=None)
            if locked.skip_owned:
                rows = rows.filter(is_owned=False)
            rows = list(rows.select_related("owner").order_by("line")[:CREATES_AT_ONCE])
            if not rows:
                locked.rows.update(password=None)
                locked.state = State.STARTED
                locked.save(update_fields=["state"])
                wake("push_changes", account_id=locked.account_id)
                break
            _create(locked, rows, ip, now)
    batch.refresh_from_db()


def _create(batch: Import, rows: list[ImportRow], ip: str | None, now: datetime) -> None:
    _drop_failed(batch, rows, now)
    wishes = changes.create_many(
        account=batch.account,
        phones=[_phone(batch, row) for row in rows],
        by=batch.asked_by,
        batch=batch.batch,
        ip=ip,
        now=now,
    )
    asked = [(wish.pk, wish.softphone_id, row.pk) for wish, row in zip(wishes, rows, strict=True)]
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE softphones_importrow SET change_id = %s, softphone_id = %s WHERE id = %s", asked)


def _drop_failed(batch: Import, rows: list[ImportRow], now: datetime) -> None:
    """What could not be made under another username, and is made now, is not wanted any more: its own try is looked after."""
    wanted = {(row.values["name"].casefold(), row.owner_id): row.values.get("sip_username", "").lower() for row in rows}
    failed = Change.objects.filter(account=batch.account, kind=Change.Kind.CREATE, state=Change.State.FAILED)
    unmade = failed.filter(softphone__audian_id=None, softphone__gone_at=None, folded_into=None)
    for change in unmade.select_related("softphone__account", "softphone__owner"):
        phone = change.softphone
        username = wanted.get((phone.name.casefold(), phone.owner_id))
        if username and username != phone.username_folded:
            with suppress(changes.NotPossible):
                changes.delete(softphone=phone, by=batch.asked_by, urgent=False, now=now)


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
        row.verdict, row.rank = Verdict.ERROR, 0
        row.problems = [*row.problems, {"line": row.line, "column": None, "message": str(error)}]
    else:
        row.change = asked if isinstance(asked, Change) else None
        row.message = asked if isinstance(asked, Message) else None
    row.save(update_fields=["verdict", "rank", "problems", "change", "message"])


def _ask(batch: Import, row: ImportRow, now: datetime) -> Change | Message:
    softphone, key = row.softphone, f"{batch.batch}:{row.pk}"
    if batch.kind == Kind.SEND_LINKS:
        asked = {"account": batch.account, "softphone": softphone, "asked_by": batch.asked_by}
        return mail.ask(kind=Message.Kind.SETUP_LINK, key=key, in_bulk=True, now=now, **asked)
    wish = {"softphone": softphone, "by": batch.asked_by, "urgent": False, "key": key, "batch": batch.batch, "now": now}
    match batch.kind:
        case Kind.RESET:
            return changes.reset_password(**wish)
        case Kind.DELETE:
            return changes.delete(**wish)
    return changes.update(values={"enabled": batch.kind == Kind.ENABLE}, seen={}, **wish)
