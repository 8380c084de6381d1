"""From a checked import to wishes in the outbox, and what somebody may do with it then."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from softphones import audit, changes, lights
from softphones.imports import undoing
from softphones.imports.checking import Checked
from softphones.imports.estimate import Summary, connected, summary
from softphones.imports.settling import begin, unwritten
from softphones.imports.storing import count, judge, recheck, rejudge
from softphones.models import Account, Import, ImportRow, Softphone, User
from softphones.wake import wake

Kind, State, Verdict = Import.Kind, Import.State, ImportRow.Verdict

_GOING = (State.STARTING, State.STARTED)


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
    """Begin to put the rows into the outbox, or the mail queue; a worker does the rest. See softphones.imports. Raises
    NotPossible, ChangedMeanwhile. Not in a transaction.

    From the commit on all of it is done, whatever happens to this process. Softphones to be made are all there before the
    first call; acts go as they come.
    """
    _look(batch, now)
    with transaction.atomic():
        # One start at a time in an account, so that two files never make the same softphone.
        Account.objects.select_for_update(no_key=True).get(pk=batch.account_id)
        batch = Import.objects.select_for_update(of=("self",), no_key=True).select_related("account").get(pk=batch.pk)
        if batch.state != State.CHECKED:
            return batch
        if batch.kind == Kind.CREATE and _is_another_starting(batch.account):
            raise NotPossible(_("Another import is just being started. Try again in a moment."))
        rows = list(batch.rows.exclude(verdict=Verdict.ERROR).order_by("line")) if batch.kind == Kind.CREATE else []
        checked = recheck(batch, rows, by)
        changed = _keep_what_somebody_has(batch, now) if undoing.undoes(batch) else _take_over(batch, rows, checked)
        if not changed:
            _refuse_unless_ready(batch, summary(batch, now=now), skip_errors, skip_owned, typed)
            batch.asked_by, batch.skip_errors, batch.skip_owned = by, skip_errors, skip_owned
            batch.state = State.STARTING if batch.kind == Kind.CREATE else State.STARTED
            batch.started_at, batch.ip = now, ip
            batch.save()
            _record("import:started" if batch.kind == Kind.CREATE else "bulk:started", batch, by, ip, now)
    if changed:
        raise ChangedMeanwhile(_("Something has changed since the check. Look at the rows again, then start."))
    begin(batch, now)
    return batch


def pause(*, batch: Import, by: User | None, now: datetime, ip: str | None = None) -> Import:
    """Nothing more of it is sent until somebody resumes it; what is on its way arrives, and mails of the next minute go."""
    return _move(batch, _GOING, State.PAUSED, "bulk:paused", by, ip, now)


def resume(*, batch: Import, by: User | None, now: datetime, ip: str | None = None) -> Import:
    """Let it go on. Not in a transaction."""
    after = State.STARTING if batch.kind == Kind.CREATE else State.STARTED  # perhaps not all of it was written
    batch = _move(batch, [State.PAUSED], after, "bulk:resumed", by, ip, now)
    begin(batch, now)
    wake("push_changes", account_id=batch.account_id)
    return batch


def cancel(*, batch: Import, by: User | None, now: datetime, ip: str | None = None) -> Import:
    """End what is unsent: from the commit on nothing of it goes any more, though a worker may need a while to end each row.

    What is on its way still arrives, and is reported. One that was only checked is dropped. Not in a transaction.
    """
    if Import.objects.filter(pk=batch.pk, state=State.CHECKED).delete()[0]:
        batch.state = State.CANCELLED
        return batch
    batch = _move(batch, (*_GOING, State.PAUSED), State.CANCELLING, "bulk:cancelled", by, ip, now)
    begin(batch, now)
    return batch


def _is_another_starting(account: Account) -> bool:
    """Whether softphones are still to be written that the check can't see yet."""
    return unwritten(account).filter(kind=Kind.CREATE).exclude(state=State.CANCELLING).exists()


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
    differs, changed = False, []
    for row, new in zip(rows, checked, strict=True):
        before = row.verdict, row.owner_id, row.softphone_id
        judge(row, new)
        differs = differs or before[0] != row.verdict
        if before != (row.verdict, row.owner_id, row.softphone_id):
            changed.append(row)
    rejudge(changed)
    if differs:
        count(batch, batch.rows.defer("cells", "password"))
    return differs


def _look(batch: Import, now: datetime) -> None:
    """See again who is connected, where that decides: minutes may have passed since the check.

    Raises ChangedMeanwhile if clearly more would be cut off than the portal knew of.
    """
    undoes = undoing.undoes(batch)
    if batch.state != State.CHECKED or not (undoes or summary(batch, now=now).has_to_type):
        return
    affected = batch.rows.filter(verdict=Verdict.WILL_DO, softphone__isnull=False)
    before = affected.filter(softphone__registered=True).count()
    phones = Softphone.objects.filter(pk__in=affected.values("softphone")).defer("password")
    lights.survey(account=batch.account, softphones=list(phones), now=now)
    count = connected(batch, now=now).count
    # Of hundreds, a few come and go at any moment: that is no news.
    if count > before * 1.1 and not undoes:
        text = _("By now %(count)d of them are connected, more than before. Look at it again, then start.")
        raise ChangedMeanwhile(text % {"count": count})


def _keep_what_somebody_has(batch: Import, now: datetime) -> bool:
    """Whether more is kept than at the check; then the rows say so."""
    rows = batch.rows.filter(verdict=Verdict.WILL_DO, softphone__isnull=False).defer("password", "softphone__password")
    rows = list(rows.select_related("softphone"))
    kept = changes.kept([row.softphone for row in rows], now=now)
    changed = [row for row in rows if row.softphone_id in kept]
    for row in changed:
        undoing.keep(row, kept[row.softphone_id])
    if changed:
        ImportRow.objects.bulk_update(changed, ["verdict", "rank", "notices"], batch_size=500)
        count(batch, batch.rows.defer("cells", "password"))
    return bool(changed)


def _move(batch: Import, before: Collection[State], after: State, act: str, by, ip, now) -> Import:
    with transaction.atomic():
        moved = Import.objects.filter(pk=batch.pk, state__in=before).update(state=after)
        if moved:
            _record(act, batch, by, ip, now)
    return Import.objects.select_related("account", "asked_by").get(pk=batch.pk)


def _record(act: str, batch: Import, by: User | None, ip: str | None, now: datetime) -> None:
    data = {"import": batch.pk, "count": batch.will, "kind": batch.kind}
    audit.record(act=act, actor=by, account=batch.account, ip=ip, data=data, now=now)
