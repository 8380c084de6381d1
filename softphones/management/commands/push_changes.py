"""Send what waits for Audian: `manage.py push_changes [--account SLUG] [--max-wait SECONDS] [--json]`."""

import argparse
import math
import time
from datetime import datetime

from django.db.models import Count
from django.utils import timezone

from softphones import changes, imports
from softphones.management.accounts import chosen_accounts
from softphones.management.answer import AnsweringCommand, CommandFailed
from softphones.models import Account, Change

NUMBERS = ("done", "failed", "held", "left")
State = Change.State
LOOKS_EVERY = 0.5
SAYS_EVERY = 10


class Command(AnsweringCommand):
    help = "Send all changes that wait, also those that have to be tried again. Exit code 0 only if all of them are done."
    on_failure = dict.fromkeys(NUMBERS, 0)

    def add_arguments(self, parser):
        parser.add_argument("--account", metavar="SLUG", help="This account only; else all of them.")
        parser.add_argument(
            "--max-wait",
            metavar="SECONDS",
            type=_seconds,
            default=900,
            help="Stop after that long, even if something is left (900).",
        )

    def answer(self, **options) -> dict:
        accounts, begun = chosen_accounts(options["account"]), timezone.now()
        until = time.monotonic() + options["max_wait"]
        for account in accounts:
            imports.catch_up(account=account, now=begun)
            self._push(account, until)
        numbers = _numbers(accounts, begun)
        message = "{done} done, {failed} failed, {held} held, {left} left.".format(**numbers)
        reasons = [trouble.reason for account in accounts if (trouble := changes.paused(account))]
        message = " ".join([message, *dict.fromkeys(reasons)])
        if numbers["failed"] or numbers["held"] or numbers["left"]:
            raise CommandFailed(message, **numbers)
        return numbers | {"message": message}

    def _push(self, account: Account, until: float) -> None:
        said = 0.0
        while True:
            left = until - time.monotonic()
            drained = changes.drain(account=account, seconds=max(min(left, SAYS_EVERY), 0.1))
            waits = not drained.held and imports.waits_for_room(account)
            if waits:
                imports.catch_up(account=account, now=timezone.now())
            if not (drained.left or waits) or time.monotonic() >= until:
                return
            if time.monotonic() - said > SAYS_EVERY:
                said = time.monotonic()
                self.say(f"{account}: {drained.message}")
            if not drained.more:
                time.sleep(LOOKS_EVERY)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0 or math.isinf(seconds):
        raise argparse.ArgumentTypeError("a number of seconds, 0 or more")
    return seconds


def _numbers(accounts: list[Account], begun: datetime) -> dict[str, int]:
    """How many came to their end meanwhile, whoever sent them, and how many have not."""
    of_ours = Change.objects.filter(account__in=accounts)
    ended = dict(of_ours.filter(finished_at__gte=begun).values_list("state").annotate(Count("pk")))
    open_ones = dict(of_ours.filter(state__in=Change.UNFINISHED).values_list("state").annotate(Count("pk")))
    return {
        "done": ended.get(State.DONE, 0),
        "failed": ended.get(State.FAILED, 0),
        "held": open_ones.get(State.HELD, 0),
        "left": open_ones.get(State.QUEUED, 0) + open_ones.get(State.SENDING, 0),
    }
