"""What has become of each row: never stored, always what its change or mail came to."""

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from softphones.changes import WHY_KEPT
from softphones.models import Change, Import, ImportRow, Message, Softphone
from softphones.models.imports import batch_of

Verdict, State = ImportRow.Verdict, Change.State

#: What came to nothing when it was to be written: the check had found nothing wrong with it, and it was wanted.
REFUSED = Q(verdict__in=ImportRow.WILL, change=None, message=None) & ~Q(problems=[])
#: What an undo found in use when it was to be deleted.
KEPT = Q(change__state=State.REPLACED, change__error__in=WHY_KEPT)
#: What failed here, and is, or was, tried once more by a later import of the same row: the change is of that one now.
ELSEWHERE = Q(change__isnull=False) & ~Q(change__batch=Concat(Value(batch_of("")), Cast("batch_id", CharField())))
#: Each with what people call it.
STATUSES = {
    "error": lazy("Error"),
    "will_create": lazy("Will be created"),
    "will_do": lazy("Will be done"),
    "exists": lazy("Already there"),
    "skipped": lazy("Skipped"),
    "waiting": lazy("Waiting"),
    "made": lazy("Done"),
    "failed": lazy("Failed"),
    "cancelled": lazy("Not done"),
}


def with_status(batch: Import, rows: QuerySet[ImportRow] | None = None) -> QuerySet[ImportRow]:
    """The rows of `batch`, each with its `status`."""
    rows = batch.rows.all() if rows is None else rows
    # Nothing of it goes any more, so what a worker has not come to yet is as good as ended.
    ends = batch.state == Import.State.CANCELLING
    unsent = Q(change__state__in=(State.QUEUED, State.HELD), change__tried_at=None, change__folded_into=None)
    whens = [
        When(ELSEWHERE, then=Value("failed")),
        *([When(unsent, then=Value("cancelled"))] if ends else []),
        When(change__state=State.DONE, then=Value("made")),
        When(change__state=State.FAILED, then=Value("failed")),
        When(KEPT, then=Value("exists")),
        When(change__state=State.REPLACED, then=Value("cancelled")),
        When(change__isnull=False, then=Value("waiting")),
        When(message__state=Message.State.SENT, then=Value("made")),
        When(message__state=Message.State.FAILED, then=Value("failed")),
        When(message__isnull=False, then=Value("waiting")),
        When(verdict__in=(Verdict.ERROR, Verdict.EXISTS), then=F("verdict")),
        When(REFUSED, then=Value("failed")),
    ]
    if batch.skip_owned:
        whens.append(When(is_owned=True, then=Value("skipped")))
    rest = F("verdict") if batch.state == Import.State.CHECKED else Value("waiting")
    if ends or batch.state == Import.State.CANCELLED:
        rest = Value("cancelled")
    return rows.annotate(status=Case(*whens, default=rest, output_field=CharField()))


def counts(batch: Import) -> dict[str, int]:
    """How many rows have which status; all statuses are there."""
    found = dict(with_status(batch).order_by().values_list("status").annotate(Count("pk")))
    return {status: found.get(status, 0) for status in STATUSES}


def rest(batch: Import) -> QuerySet[ImportRow]:
    """The rows that failed or were not done, each with its `status`, unless a later import has taken them over."""
    return with_status(batch).filter(status__in=("failed", "cancelled")).exclude(ELSEWHERE)


def still_there(batch: Import) -> QuerySet[Softphone]:
    """What this import of new ones has made, and is there."""
    made = Change.objects.filter(account=batch.account_id, batch=batch.batch, kind=Change.Kind.CREATE, state=State.DONE)
    made = made.exclude(batch="")  # as the index says it: SQLite finds it by that
    return Softphone.objects.present().filter(account=batch.account_id, pk__in=made.values("softphone"))


def sentence(row: ImportRow) -> str:
    """What has become of a row, for a person; `row` comes from with_status with its change, message and softphone."""
    match row.status:
        case "error":
            return _problems(row)
        case "failed" | "cancelled":
            return _why_not(row)
        case "exists" if row.change:
            return _(row.change.error)
        case "exists":
            return " ".join([_("Already there.") if not row.notices else "", *_notices(row)]).strip()
        case "skipped":
            return _("Skipped: the person has a softphone already.")
        case "waiting":
            return _("Waiting for Audian.") if row.message is None else _("Waiting to be mailed.")
        case "made":
            return _("Done.")
    return " ".join(_notices(row))


def _problems(row: ImportRow) -> str:
    return " ".join(problem["message"] for problem in row.problems)


def _notices(row: ImportRow) -> list[str]:
    return [notice["message"] for notice in row.notices]


def _why_not(row: ImportRow) -> str:
    if row.status == "failed" and row.problems:
        return _problems(row)
    if row.change and row.change.batch != batch_of(row.batch_id):
        return _("It failed here. A later import has taken it over.")
    if row.change and row.change.finished_at:
        return _(row.change.error) if row.change.error else _("A newer wish took its place before it was sent.")
    if row.message:
        return row.message.error
    return _("Cancelled before it was sent.")
