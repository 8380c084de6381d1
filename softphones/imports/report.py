"""How bulk work goes and what came of it: numbers, rows, and a file that can be imported again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from softphones import changes, charges, paging, spreadsheets
from softphones.imports.checking import Checked
from softphones.imports.columns import NAMES, NO_VALUE, PASSWORD, RESULT, SURPLUS
from softphones.imports.estimate import calls_for, seconds_for, seconds_sustained, seconds_to_mail
from softphones.imports.statuses import counts, rest, sentence, with_status
from softphones.imports.storing import Examined
from softphones.models import Import, ImportRow, Softphone

Kind, State = Import.Kind, Import.State

RATE_OVER = timedelta(seconds=30)
STALLED_AFTER = timedelta(seconds=10)
#: What the result file calls a status: six words that other tools rely on.
_IN_FILE = {"will_do": "will_create", "waiting": "will_create", "skipped": "exists", "cancelled": "failed"}
_LEFT_OUT = lazy("sip_password is left out of this file: write it in again, or a strong one is made.")
_FETCH = ("change", "message", "softphone", "owner")


@dataclass(frozen=True, slots=True)
class Progress:
    """`state`: checked, running, paused, held (somebody has to decide about charges: `offer`), stopped (the account is in
    trouble: `paused_because`), cancelled or finished. `total` are the rows that were started, `ended` those that were
    cancelled or overtaken; the others are skipped, and counted beside. `rest` are those that can be checked again.
    `seconds_left` is None while nothing goes."""

    state: str
    sentence: str
    total: int
    made: int
    failed: int
    waiting: int
    ended: int
    exists: int
    errors: int
    skipped: int
    per_second: float
    seconds_left: int | None
    paused_because: str = ""
    offer: charges.Offer | None = None
    rest: int = 0
    failures: list[ImportRow] = field(default_factory=list)

    @property
    def percent(self) -> int:
        """How much has come to an end, of what was started."""
        return 100 * (self.total - self.waiting) // self.total if self.total else 100

    @property
    def moves(self) -> bool:
        """Whether a page has to go on looking."""
        return self.state in ("running", "stopped", "held", "paused") or self.waiting > 0


def progress(*, batch: Import, now: datetime) -> Progress:
    """How it goes as of now; reads the import anew and writes nothing."""
    batch.refresh_from_db()
    counted = counts(batch)
    waiting = counted["waiting"]
    offer = _offer(batch) if waiting else None
    trouble = changes.paused(batch.account) if waiting and batch.kind != Kind.SEND_LINKS else None
    state = _state(batch, waiting, offer is not None, trouble is not None)
    rate, over = _rate(batch, now)
    return Progress(
        state=state,
        sentence=_sentence(_said(batch, state, waiting), counted, trouble.reason if trouble else ""),
        total=sum(counted[status] for status in ("made", "failed", "waiting", "cancelled")),
        made=counted["made"],
        failed=counted["failed"],
        waiting=waiting,
        ended=counted["cancelled"],
        exists=counted["exists"],
        errors=counted["error"],
        skipped=counted["skipped"],
        per_second=rate,
        seconds_left=_seconds_left(batch, waiting, rate, over) if state == "running" else None,
        paused_because=trouble.reason if trouble else "",
        offer=offer,
        rest=rest(batch).count() if counted["failed"] or counted["cancelled"] else 0,
        failures=_failures(batch) if counted["failed"] else [],
    )


def rows(batch: Import, *, show: str = "", after: str = "", before: str = "", size: int = 50) -> paging.Page:
    """One page of rows, errors first; `show` is a status, "notices", or "" for all. Each has `.status` and `.sentence`."""
    found = with_status(batch).select_related(*_FETCH).defer("password", "change__password", "softphone__password")
    if show == "notices":
        found = found.filter(rank=1)
    elif show:
        found = found.filter(status=show)
    page = paging.page_by("rank", found, after=after, before=before, size=size)
    for row in page.rows:
        row.sentence = sentence(row)
    return page


def result_csv(batch: Import) -> Iterator[str]:
    """The lines of the result file: the columns of the file, and what has become of each row. It can be imported again.

    It never holds a password.
    """
    return spreadsheets.lines([*NAMES, *RESULT], (_line(row) for row in _all(batch)))


def examined_csv(found: Examined) -> Iterator[str]:
    """The lines of the result file of a file that was only examined."""
    there = {row.softphone for row in found.rows if row.softphone}
    ids = dict(Softphone.objects.filter(pk__in=there).exclude(audian_id=None).values_list("pk", "audian_id"))
    return spreadsheets.lines([*NAMES, *RESULT], (_line_of_checked(row, ids.get(row.softphone, "")) for row in found.rows))


def problems(batch: Import) -> list[dict]:
    """All errors, in the order of the file: {"line", "column", "message"}."""
    of_rows = batch.rows.exclude(problems=[]).order_by("line").values_list("problems", flat=True)
    return [*batch.problems, *(problem for found in of_rows for problem in found)]


def notices(batch: Import) -> list[dict]:
    of_rows = batch.rows.exclude(notices=[]).order_by("line").values_list("notices", flat=True)
    return [*batch.notices, *(notice for found in of_rows for notice in found)]


def _all(batch: Import) -> Iterator[ImportRow]:
    found = with_status(batch).select_related(*_FETCH).defer("password", "change__password", "softphone__password")
    return paging.all_by("line", found)


def _line(row: ImportRow) -> list[str]:
    values = _given_back(row.values, row.problems)
    if row.status in ("made", "failed") and row.softphone:
        # Generated or not: by it the row is known again.
        values["sip_username"] = row.softphone.sip_username
    said = _remarks(row.problems if row.status == "error" else row.notices, row.line if row.batch.is_file else None)
    if row.status not in ("error", "will_create", "will_do") and not (row.status == "exists" and said):
        said = [sentence(row)]
    if row.has_password and row.status in ("error", "will_create", "failed", "cancelled"):
        said.append(str(_LEFT_OUT))
    device_id = row.device_id if row.status in ("made", "exists") else ""
    return _written(values, _IN_FILE.get(row.status, row.status), device_id, said)


def _line_of_checked(row: Checked, device_id: str) -> list[str]:
    problems = [problem.as_dict() for problem in row.problems]
    values = _given_back(row.cells, problems)
    said = _remarks([*problems, *(notice.as_dict() for notice in row.notices)], row.line)
    if row.value(PASSWORD) and row.verdict != ImportRow.Verdict.EXISTS:
        said.append(str(_LEFT_OUT))
    if row.verdict == ImportRow.Verdict.EXISTS and not said:
        said.append(_("Already there."))
    return _written(values, str(row.verdict), device_id, said)


def _given_back(values: dict[str, str], problems: list[dict]) -> dict[str, str]:
    """The cells without the password. What could not be read stays an error when the file is read again."""
    broken = {problem["column"] for problem in problems} & {*NAMES} - {"name", PASSWORD}  # an empty name is one anyway
    return values | {name: NO_VALUE[0] for name in broken if not values.get(name)} | {PASSWORD: ""}


def _remarks(found: list[dict], line: int | None) -> list[str]:
    """What is wrong or worth knowing, each behind its column, and before all of it the line in the file."""
    told = [f"{each['column']}: {each['message']}" if each["column"] else each["message"] for each in found]
    return [_("Line %(line)d:") % {"line": line}, *told] if told and line is not None else told


def _written(values: dict[str, str], status: str, device_id: str, said: list[str]) -> list[str]:
    surplus = values.get(SURPLUS, "")
    behind = surplus.split("\t") if surplus and status == "error" else []
    return [*(values.get(name, "") for name in NAMES), status, device_id, " ".join(said).strip(), *behind]


def _failures(batch: Import) -> list[ImportRow]:
    failed = with_status(batch).filter(status="failed").select_related(*_FETCH)
    newest = failed.defer("password", "change__password").order_by(F("change__finished_at").desc(nulls_last=True), "-pk")
    found = list(newest[:5])
    for row in found:
        row.sentence = sentence(row)
    return found


def _offer(batch: Import) -> charges.Offer | None:
    return next((offer for offer in charges.offers(batch.account) if offer.change.batch == batch.batch), None)


def _state(batch: Import, waiting: int, is_held: bool, is_stopped: bool) -> str:
    if batch.state == State.CANCELLING:
        return str(State.CANCELLED)
    if batch.state in (State.CHECKED, State.CANCELLED, State.FINISHED):
        return str(batch.state)
    if not waiting:
        return "finished"
    if batch.state == State.PAUSED:
        return "paused"
    return "held" if is_held else "stopped" if is_stopped else "running"


def _said(batch: Import, state: str, waiting: int) -> str:
    """The state, or what it is more exactly."""
    if batch.state == State.STARTING and state == "running":
        return "starting"
    return "arriving" if state == "cancelled" and waiting else state


def _sentence(state: str, counted: dict[str, int], reason: str) -> str:
    numbers = {"made": counted["made"], "failed": counted["failed"], "waiting": counted["waiting"], "reason": reason}
    text = {
        "checked": _("Checked, and not started yet."),
        "starting": _("Being put into the queue. Nothing has been sent yet, %(waiting)d waiting."),
        "running": _("%(made)d done, %(failed)d failed, %(waiting)d waiting."),
        "paused": _("Paused: %(made)d done, %(failed)d failed, %(waiting)d waiting."),
        "held": _("Audian charges for this: accept or decline. %(waiting)d wait for the answer."),
        "stopped": _("Waiting. It goes on by itself. %(reason)s"),
        "cancelled": _("The rest was cancelled. %(made)d done, %(failed)d failed."),
        "arriving": _("The rest was cancelled. %(made)d done, %(failed)d failed, %(waiting)d still on their way."),
        "finished": _("Finished: %(made)d done, %(failed)d failed."),
    }[state]
    return text % numbers


def _rate(batch: Import, now: datetime) -> tuple[float, timedelta]:
    """Rows that came to their end each second, lately, and over how long that was.

    Counted back to the last time when nothing went: a pause, or a worker that was killed, says nothing of the pace.
    """
    if batch.started_at is None:
        return 0.0, timedelta(0)
    began = max(batch.started_at, now - RATE_OVER)
    ended = batch.rows.filter(Q(change__finished_at__gte=began) | Q(message__sent_at__gte=began))
    times = sorted(ended.annotate(at=Coalesce("change__finished_at", "message__sent_at")).values_list("at", flat=True))
    count, newer = 0, now
    for at in reversed(times):
        if newer - at > STALLED_AFTER:
            began = newer
            break
        count, newer = count + 1, at
    over = now - began
    return count / max(over.total_seconds(), 1.0), over


def _seconds_left(batch: Import, waiting: int, rate: float, over: timedelta) -> int:
    if batch.kind == Kind.SEND_LINKS:
        return seconds_to_mail(waiting)
    calls = calls_for(batch, waiting)
    if rate and over > RATE_OVER / 3:
        # What a full bucket gave at first does not come again.
        return max(round(waiting / rate + 0.5), seconds_sustained(calls))
    return seconds_for(batch, calls)
