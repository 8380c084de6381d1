"""Make softphones from a spreadsheet: `manage.py import_softphones FILE [--account SLUG] [--dry-run] ... [--json]`."""

import time
from collections.abc import Iterable
from pathlib import Path

from django.utils import timezone

from softphones import changes, imports
from softphones.imports.reading import MOST_BYTES
from softphones.management.accounts import chosen_accounts
from softphones.management.answer import AnsweringCommand, CommandFailed
from softphones.models import Account, Import, ImportRow

NUMBERS = ("rows", "valid", "created", "exists", "failed")
LOOKS_EVERY = 0.5
SAYS_EVERY = 10
GIVES_UP_AFTER = 900  # seconds in which nothing moves
Verdict = ImportRow.Verdict


class Command(AnsweringCommand):
    help = "Make a softphone for each row of a CSV or .xlsx file. Checks all of it first; any error stops the whole file."
    on_failure = dict.fromkeys(NUMBERS, 0) | {"errors": [], "notices": []}

    def add_arguments(self, parser):
        parser.add_argument("file", metavar="FILE", help="The CSV or .xlsx file; docs/imports.md tells its columns.")
        parser.add_argument("--account", metavar="SLUG", help="The account; not needed while there is only one.")
        parser.add_argument("--dry-run", action="store_true", help="Only check; write nothing, send nothing.")
        parser.add_argument("--skip-errors", action="store_true", help="Make the rows without errors, leave the others out.")
        parser.add_argument("--enqueue", action="store_true", help="Put all rows into the outbox; the worker sends them.")
        parser.add_argument("--result", metavar="OUT.csv", help="Write there what came of each row.")

    def answer(self, **options) -> dict:
        account, path = _account(options["account"]), Path(options["file"])
        file, now = _read(path), timezone.now()
        batch = None
        if not options["dry_run"]:
            imports.catch_up(account=account, now=now)
            batch = imports.unfinished(file=file, account=account)
        if batch is None:
            answer = self._checked(account, file, path.name, options)
            if options["dry_run"] or answer["exists"] == answer["valid"]:
                return answer
            batch = imports.check(file=file, name=path.name, account=account, by=None, now=now)
        try:
            batch = self._start(batch, options["skip_errors"])
            imports.go_on(batch=batch, now=now)
            if not options["enqueue"]:
                self._push(batch)
        finally:
            _write_lines(imports.result_csv(batch), options["result"])
        return self._told(batch, options["enqueue"])

    def _checked(self, account: Account, file: bytes, name: str, options: dict) -> dict:
        """What the file comes to; nothing is written but the result file. Raises CommandFailed for errors that stop it."""
        found = imports.examine(file=file, account=account, by=None)
        errors = [problem.as_dict() for problem in found.errors]
        wrong, there, will = (found.number(each) for each in (Verdict.ERROR, Verdict.EXISTS, Verdict.WILL_CREATE))
        answer = {"rows": found.count, "valid": will + there, "created": 0, "exists": there, "failed": 0}
        answer |= {"errors": errors, "notices": [notice.as_dict() for notice in found.all_notices]}
        message = f"{name}: {will} would be created, {there} are there already, {wrong} have errors. Nothing was changed."
        self._say_errors(errors)
        stops = found.problems or (wrong and not options["skip_errors"])
        if stops or options["dry_run"] or not will:
            _write_lines(imports.examined_csv(found), options["result"])
        if stops:
            raise CommandFailed(f"{message} {_first(errors)}", **answer)
        return answer | {"message": message}

    def _start(self, batch: Import, skip_errors: bool) -> Import:
        if batch.state != Import.State.CHECKED:
            self.say(f"{batch.name} was started before and goes on where it was.")
            return imports.resume(batch=batch, by=None, now=timezone.now())
        try:
            return imports.start(batch=batch, by=None, skip_errors=skip_errors, now=timezone.now())
        except imports.NotPossible as error:
            raise CommandFailed(f"{batch.name}: {error} Nothing was created.", **_numbers(batch)) from error

    def _push(self, batch: Import) -> None:
        """Send until nothing of it waits, except for somebody's decision. Another drainer's work counts as well."""
        said = moved = time.monotonic()
        waiting = -1
        while True:
            progress = imports.progress(batch=batch, now=timezone.now())
            if progress.waiting != waiting:
                waiting, moved = progress.waiting, time.monotonic()
            if progress.state not in ("running", "stopped") or time.monotonic() - moved > GIVES_UP_AFTER:
                break
            if time.monotonic() - said > SAYS_EVERY:
                said = time.monotonic()
                self.say(f"{batch.name}: {progress.sentence}")
            drained = changes.drain(account=batch.account, seconds=SAYS_EVERY)
            if not drained.more:
                time.sleep(LOOKS_EVERY if drained.left else 0)
        imports.settle(now=timezone.now(), account=batch.account)

    def _told(self, batch: Import, is_queued: bool) -> dict:
        answer = _numbers(batch)
        progress = imports.progress(batch=batch, now=timezone.now())
        message = f"{batch.name}: {answer['created']} created, {answer['exists']} were there already, {answer['failed']} failed"
        if is_queued:
            return answer | {"message": f"{message}, {progress.waiting} left to the worker."}
        if progress.waiting:
            raise CommandFailed(f"{message}, {progress.waiting} wait. {progress.sentence}", **answer)
        if answer["failed"]:
            reason = f" {progress.failures[0].sentence}" if progress.failures else ""
            raise CommandFailed(f"{message}.{reason}", **answer)
        return answer | {"message": f"{message}."}

    def _say_errors(self, errors: list[dict]) -> None:
        for error in errors[:50]:
            where = f", column {error['column']}" if error["column"] else ""
            self.say(f"Line {error['line']}{where}: {error['message']}")
        if len(errors) > 50:
            self.say(f"and {len(errors) - 50} more errors.")


def _account(slug: str | None) -> Account:
    accounts = chosen_accounts(slug)
    if len(accounts) > 1:
        known = ", ".join(account.slug for account in accounts)
        raise CommandFailed(f"There are several accounts. Name one with --account: {known}.")
    return accounts[0]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise CommandFailed(f"{path} can't be read: {error.strerror or 'it is no file'}.") from error


def _first(errors: list[dict]) -> str:
    return f"Line {errors[0]['line']}: {errors[0]['message']}" if errors else ""


def _numbers(batch: Import) -> dict:
    batch.refresh_from_db()
    counts = imports.counts(batch)
    return {
        "rows": batch.rows_read,
        "valid": batch.will + batch.exists,
        "errors": imports.problems(batch),
        "notices": imports.notices(batch),
        "created": counts["made"],
        "exists": counts["exists"] + counts["skipped"],
        "failed": counts["failed"] + counts["cancelled"],
    }


def _write_lines(lines: Iterable[str], path: str | None) -> None:
    if not path:
        return
    try:
        with open(path, "w", encoding="utf-8", newline="") as out:
            out.writelines(lines)
    except OSError as error:
        raise CommandFailed(f"The result can't be written to {path}: {error.strerror}.") from error
