"""Look at Audian now: `manage.py sync_softphones [--account SLUG] [--accept-removals] [--json]`."""

from django.utils import timezone

from softphones import mirror
from softphones.management.accounts import chosen_accounts
from softphones.management.answer import AnsweringCommand, CommandFailed
from softphones.models import Account, SyncRun

WAIT = 300  # seconds for a run that is under way
NUMBERS = ("created", "updated", "unchanged", "gone", "pages", "calls")
WORST_FIRST = (SyncRun.State.FAILED, SyncRun.State.HELD, SyncRun.State.COMPLETE)


class Command(AnsweringCommand):
    help = "Compare the portal's softphones with Audian's, and take over what differs. Exit code 0 only if it is complete."
    on_failure = {"status": "failed"} | dict.fromkeys(NUMBERS, 0)

    def add_arguments(self, parser):
        parser.add_argument("--account", metavar="SLUG", help="This account only; else all of them.")
        parser.add_argument(
            "--accept-removals",
            action="store_true",
            help="The removals that the last run held back may happen: exactly those.",
        )

    def answer(self, **options) -> dict:
        runs = [self._run(account, options["accept_removals"]) for account in chosen_accounts(options["account"])]
        worst = next(state for state in WORST_FIRST if any(run.state == state for run in runs))
        several = len(runs) > 1
        answer = {"status": str(worst)} | {name: sum(getattr(run, name) for run in runs) for name in NUMBERS}
        message = " ".join(f"{run.account.slug}: {_said(run)}" if several else _said(run) for run in runs)
        if worst != SyncRun.State.COMPLETE:
            raise CommandFailed(message, **answer)
        return answer | {"message": message}

    def _run(self, account: Account, accept_removals: bool) -> SyncRun:
        last = account.runs.exclude(state=SyncRun.State.RUNNING).order_by("-started_at", "-pk").first()
        released = last.pk if accept_removals and last and last.state == SyncRun.State.HELD else None
        self.say(f"Looking at {account} at Audian.")
        run = mirror.run(account, timezone.now(), accept_removals=released, wait=WAIT)
        if run is None:
            raise CommandFailed(f"Another run for {account} is still under way after {WAIT} seconds. Try again later.")
        return run


def _said(run: SyncRun) -> str:
    if run.state == SyncRun.State.COMPLETE:
        counts = f"{run.created} created, {run.updated} updated, {run.unchanged} unchanged, {run.gone} gone."
        return f"The mirror is complete: {counts} {run.message}".rstrip()
    if run.state == SyncRun.State.HELD:
        return f"{run.message} To release it from here, add --accept-removals."
    return run.message
