"""Bulk work: a spreadsheet -> checked rows -> changes. Also: from people, acts on a selection, and undoing an import.

Whatever it is, it is an `Import` with `ImportRow`s (models/imports.py): checked first, started by one press, then the
outbox's work, so that it goes on by itself whatever happens to the tab, the worker or the machine.

Check (each returns an Import in state CHECKED; nothing is written at Audian or in the mirror):
    check(*, file: bytes, name: str, account, by: User | None, now) -> Import
        Never raises for a bad file: `problems` of the Import (whole file) and of its rows say what is wrong. An unfinished
        import of the same file is given back (look at its `state`: it may be STARTED or PAUSED already), checked anew if it
        has not been started. examine(*, file, account, by) is the same and stores nothing. Pasted text is
        `file=text.encode()`, with a name of your choice.
    from_people(*, account, owners: Iterable[Owner], by, now) -> Import
        A softphone each; who has one already is `exists`.
    people_without(*, account, by, text="") -> QuerySet[Owner]
        Who could get one from people. Each says `.is_oneself`.
    act_on(*, account, softphones: Iterable[Softphone], kind: Import.Kind, by, now) -> Import
        ENABLE, DISABLE, RESET, SEND_LINKS, DELETE.
    undo(*, batch: Import, by, now) -> Import
        A DELETE of exactly what `batch` made and nobody uses, as far as the portal saw: never connected, password not shown,
        no link opened. With `parent=batch`. Looks at the lights first (10 s at most), again at the start; judges again when
        each row is written, no faster than they are sent, and asks Audian about each phone right before its deletion goes.
        Not in a transaction.
    mail_setup(*, batch: Import, by, now) -> Import
        A SEND_LINKS to the people of what `batch` made, with `parent=batch`; who was mailed before is `exists`.
    check_rest(*, batch: Import, by, now) -> Import
        What failed of `batch`, or was not done, once more, as its result file would be. The passwords of the file are gone:
        a notice at the row says so. Raises NotPossible if nothing is left.

Then:
    summary(batch, *, now) -> Summary: what the preview says: counts, calls, seconds, cut_off (who is connected), has_to_type,
        can_start, why_not
    start(*, batch, by, now, skip_errors=False, skip_owned=False, typed: int | None = None, ip=None) -> Import
        Raises NotPossible (a sentence): errors and not skip_errors; nothing to do; the number not typed
        (`summary.has_to_type`); or ChangedMeanwhile, a NotPossible: the check comes out differently by now, and the rows
        already say so: show them again. Pressed twice, started once.
        Where the number is typed, and for an undo, the lights are looked at again (10 s at most), and clearly more connected
        phones than before are such a change. Not in a transaction. The press writes the first rows, a worker the rest, also
        if this process ends: meanwhile an import is STARTING, and its progress "running".
    pause(*, batch, by, now, ip=None), resume(...), cancel(...) -> Import
        cancel ends the rest: what is unsent. Nothing of it goes from the press on, and rows and progress say "cancelled";
        until a worker has ended each row the import is CANCELLING. What is on its way still arrives, and is reported.
    progress(*, batch, now) -> Progress: total, made, failed, waiting, ended, exists, errors, per_second, seconds_left,
        state, sentence, paused_because, offer (charges.Offer, when Audian asks for money), failures (the newest rows), moves
    settle(*, now): called by the sweep and by check: what has come to its end becomes FINISHED.
    go_on(*, batch, now): writes what a press left, in this process (commands, tests); catch_up(*, account, now): of all.
        Workers: go_on_for(*, account, now, seconds); unwritten() says where there is something left, waits_for_room(account)
        whether more of an undo can be written once its part in the outbox is sent.

Look:
    rows(batch, *, show="", after="", before="", size=50) -> paging.Page of ImportRow
        Errors first. `show`: "", or one of STATUSES ("error", "will_create", "will_do", "exists", "skipped",
        "waiting", "made", "failed", "cancelled"), or "notices". Each row has `.status`, `.sentence`, `.values` (column ->
        text, never the password), `.device_id`; `.problems` and `.notices` are lists of {"line", "column", "message"}.
    counts(batch) -> dict[str, int] by those statuses; problems(batch), notices(batch): all of them, in the order of the file
    result_csv(batch), marked_up_csv(batch) -> Iterator[str]: lines of the result file; the same columns before and after
    template_csv() -> Iterator[str];  columns() -> list[Column(name, required, explanation, example)];  LIMITS (sentence)
    newest(account, *, after="", before="", size=20) -> paging.Page of Import, under_way(account) and
        following(batch) -> list[Import], what hangs on it: each with its numbers so far (`.made`, `.failed`, `.total`)
    handouts(*, batch, after="", before="") -> Handouts: a page for each person of what `batch` made, a print at a time
    still_there(batch) -> QuerySet[Softphone]: what an import of new ones has made, and was not deleted since
"""

from django.utils.translation import gettext_lazy as _

from softphones.imports.acting import act_on, mail_setup, undo
from softphones.imports.again import check_rest
from softphones.imports.candidates import people_without
from softphones.imports.columns import Column, columns, template_csv
from softphones.imports.estimate import Summary, summary
from softphones.imports.overview import following, newest, under_way
from softphones.imports.paper import Handout, Handouts, handouts
from softphones.imports.report import Progress, examined_csv, notices, problems, progress, result_csv, rows
from softphones.imports.settling import catch_up, go_on, go_on_for, settle, unwritten, waits_for_room
from softphones.imports.starting import ChangedMeanwhile, NotPossible, cancel, pause, resume, start
from softphones.imports.statuses import STATUSES, counts, still_there
from softphones.imports.storing import check, examine, forget_ended, forget_unstarted, from_people, unfinished

LIMITS = _(
    "At most 2 MB and 5,000 rows: CSV (comma, semicolon or tab; UTF-8) or Excel (.xlsx), the first row names the columns."
)

#: The file to mend is the result file, as it is before the start.
marked_up_csv = result_csv

__all__ = [
    "LIMITS",
    "STATUSES",
    "ChangedMeanwhile",
    "Column",
    "Handout",
    "Handouts",
    "NotPossible",
    "Progress",
    "Summary",
    "act_on",
    "cancel",
    "catch_up",
    "check",
    "check_rest",
    "columns",
    "counts",
    "examine",
    "examined_csv",
    "following",
    "forget_ended",
    "forget_unstarted",
    "from_people",
    "go_on",
    "go_on_for",
    "handouts",
    "mail_setup",
    "marked_up_csv",
    "newest",
    "notices",
    "pause",
    "people_without",
    "problems",
    "progress",
    "result_csv",
    "resume",
    "rows",
    "settle",
    "start",
    "still_there",
    "summary",
    "template_csv",
    "under_way",
    "undo",
    "unfinished",
    "unwritten",
    "waits_for_room",
]
