"""What goes on by itself: acts are written into the outbox a few at a time, and what has come to its end is finished."""

from datetime import datetime

from django.db import transaction

from softphones import changes, mail
from softphones.imports.statuses import with_status
from softphones.models import Account, Change, Import, ImportRow, Message
from softphones.wake import wake

Kind, State, Verdict = Import.Kind, Import.State, ImportRow.Verdict

AT_ONCE = 50


def settle(*, now: datetime, account: Account | None = None) -> None:
    """Go on with what was left half written, and finish what has come to its end. Not in a transaction."""
    unfinished = Import.objects.filter(state__in=(State.STARTED, State.PAUSED))
    if account:
        unfinished = unfinished.filter(account=account)
    for batch in unfinished.select_related("account", "asked_by").order_by("pk"):
        settle_one(batch, now)


def settle_one(batch: Import, now: datetime) -> None:
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
            locked = Import.objects.select_for_update().select_related("account", "asked_by").get(pk=batch.pk)
            rows = locked.rows.filter(verdict=Verdict.WILL_DO, change=None, message=None, softphone__isnull=False)
            rows = list(rows.select_related("softphone__account", "softphone__owner__user").order_by("pk")[:AT_ONCE])
            if locked.state != State.STARTED or not rows:
                return False
            for row in rows:
                _write(locked, row, now)
            wake("push_changes", account_id=locked.account_id)
        written += len(rows)
    return True


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
