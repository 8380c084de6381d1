"""From a checked import to wishes in the outbox, and what somebody may do with it then."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from softphones import audit, changes
from softphones.imports.checking import Checked
from softphones.imports.estimate import Summary, summary
from softphones.imports.settling import AT_ONCE, settle, settle_one, write_acts, write_creates
from softphones.imports.storing import count, judge, recheck
from softphones.models import Account, Import, ImportRow, User
from softphones.wake import wake

Kind, State, Verdict = Import.Kind, Import.State, ImportRow.Verdict


class NotPossible(Exception):
    """This can't be done now; `str()` is a sentence that says why."""


class ChangedMeanwhile(NotPossible):
    """The check comes out differently by now. The rows say how: show them again."""


def start(
    *,
    batch: Import,
    by: User | None,
    now: datetime,
    skip_errors: bool = False,
    skip_owned: bool = False,
    typed: int | None = None,
    ip: str | None = None,
) -> Import:
    """Put all rows into the outbox, or the mail queue. See softphones.imports. Raises NotPossible, ChangedMeanwhile. Not in
    a transaction.

    Softphones to be made are all there before the first call; acts follow a few at a time, also if this process ends.
    """
    settle(now=now, account=batch.account)  # a start that was interrupted
    with transaction.atomic():
        # One start at a time in an account, so that two files never make the same softphone.
        Account.objects.select_for_update().get(pk=batch.account_id)
        batch = Import.objects.select_for_update().select_related("account").get(pk=batch.pk)
        if batch.state != State.CHECKED:
            return batch
        if Import.objects.filter(account=batch.account_id, state=State.STARTING).exists():
            raise NotPossible(_("Another import is just being started. Try again in a moment."))
        rows = list(batch.rows.exclude(verdict=Verdict.ERROR).order_by("line")) if batch.kind == Kind.CREATE else []
        checked = recheck(batch, rows, by)
        changed = _take_over(batch, rows, checked)
        if not changed:
            _refuse_unless_ready(batch, summary(batch), skip_errors, skip_owned, typed)
            batch.asked_by, batch.skip_errors, batch.skip_owned = by, skip_errors, skip_owned
            batch.state = State.STARTING if batch.kind == Kind.CREATE else State.STARTED
            batch.started_at = now
            batch.save()
            _record("import:started" if batch.kind == Kind.CREATE else "bulk:started", batch, by, ip, now)
    if changed:
        raise ChangedMeanwhile(_("Something has changed since the check. Look at the rows again, then start."))
    _write(batch, now, ip)
    return batch


def _write(batch: Import, now: datetime, ip: str | None) -> None:
    """Into the outbox; what this process does not come to, a task does."""
    if batch.state == State.STARTING:
        write_creates(batch, now=now, ip=ip)
    elif batch.kind != Kind.CREATE and write_acts(batch, now=now, most=AT_ONCE):
        wake("go_on_with_import", import_id=batch.pk)


def pause(*, batch: Import, by: User | None, now: datetime, ip: str | None = None) -> Import:
    """Nothing more of it is sent until somebody resumes it; what is on its way arrives. Mails that wait are not stopped."""
    return _move(batch, State.STARTED, State.PAUSED, "bulk:paused", by, ip, now)


def resume(*, batch: Import, by: User | None, now: datetime, ip: str | None = None) -> Import:
    after = State.STARTING if batch.kind == Kind.CREATE else State.STARTED  # perhaps not all of it was written
    batch = _move(batch, State.PAUSED, after, "bulk:resumed", by, ip, now)
    _write(batch, now, ip)
    wake("push_changes", account_id=batch.account_id)
    return batch


def cancel(*, batch: Import, by: User | None, now: datetime, ip: str | None = None) -> Import:
    """End what is unsent; what is on its way still arrives, and is reported. Not in a transaction.

    One that was only checked is dropped. Stopped in the middle, it is paused, and can be cancelled again.
    """
    if Import.objects.filter(pk=batch.pk, state=State.CHECKED).delete()[0]:
        batch.state = State.CANCELLED
        return batch
    # Nothing may go while its rest is ended, few by few.
    Import.objects.filter(pk=batch.pk, state__in=(State.STARTING, State.STARTED)).update(state=State.PAUSED)
    changes.cancel_unsent(account=batch.account, batch=batch.batch, now=now)
    batch = _move(batch, State.PAUSED, State.CANCELLED, "bulk:cancelled", by, ip, now, finished_at=now)
    batch.rows.update(password=None)
    wake("push_changes", account_id=batch.account_id)
    return batch


def go_on(*, batch: Import, now: datetime) -> None:
    """Write what a start left for later, and finish it if nothing waits. Not in a transaction."""
    settle_one(batch, now)


def _refuse_unless_ready(batch: Import, said: Summary, skip_errors: bool, skip_owned: bool, typed: int | None) -> None:
    if batch.problems:
        raise NotPossible(_("The file can’t be used as it is: %(reason)s") % {"reason": batch.problems[0]["message"]})
    if batch.errors and not skip_errors:
        text = ngettext(
            "%(count)d row has an error. Mend it, or start without it.",
            "%(count)d rows have errors. Mend them, or start without them.",
            batch.errors,
        )
        raise NotPossible(text % {"count": batch.errors})
    will = batch.will - (batch.owned if skip_owned else 0)
    if not will:
        raise NotPossible(_("There is nothing to do: no row is left that is not there already."))
    if said.has_to_type and typed != batch.will:
        raise NotPossible(_("Type the number %(count)d to confirm.") % {"count": batch.will})


def _take_over(batch: Import, rows: list[ImportRow], checked: list[Checked]) -> bool:
    """Whether the rows come out differently than at the check; then they say so."""
    differs = False
    for row, new in zip(rows, checked, strict=True):
        before = row.verdict, row.owner_id, row.softphone_id
        judge(row, new)
        differs = differs or before[0] != row.verdict
        if before != (row.verdict, row.owner_id, row.softphone_id):
            row.save()
    if differs:
        count(batch, batch.rows.all())
    return differs


def _move(batch: Import, before: State, after: State, act: str, by, ip, now, **values) -> Import:
    with transaction.atomic():
        moved = Import.objects.filter(pk=batch.pk, state=before).update(state=after, **values)
        if moved:
            _record(act, batch, by, ip, now)
    return Import.objects.select_related("account", "asked_by").get(pk=batch.pk)


def _record(act: str, batch: Import, by: User | None, ip: str | None, now: datetime) -> None:
    data = {"import": batch.pk, "count": batch.will, "kind": batch.kind}
    audit.record(act=act, actor=by, account=batch.account, ip=ip, data=data, now=now)
