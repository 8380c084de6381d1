"""What is wrong and what to do about it: `manage.py doctor [--account SLUG] [--json]`."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict

from cryptography.fernet import InvalidToken
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from softphones.doctor import Finding, State, look_at_account, look_at_machine
from softphones.management.accounts import chosen_accounts
from softphones.management.answer import AnsweringCommand, CommandFailed

WORST_FIRST = (State.FAILURE, State.WARNING, State.OK)


class Command(AnsweringCommand):
    help = "Look at everything the portal needs: one line each, with what to do. Exit code 0 unless something is a failure."
    on_failure = {"status": State.FAILURE, "checks": []}

    def add_arguments(self, parser):
        parser.add_argument("--account", metavar="SLUG", help="This account only; else all of them.")

    def answer(self, *, account, **options) -> dict:
        findings = []
        with nullcontext() if options["json"] else _quiet():
            for finding in self._findings(account):
                findings.append(finding)
                (self.say if options["json"] else self.stdout.write)(_line(finding))
        counts = Counter(finding.state for finding in findings)
        answer = {
            "status": next(state for state in WORST_FIRST if counts[state]),
            "checks": [asdict(finding) for finding in findings],
        }
        message = f"{len(findings)} checks. Failures: {counts[State.FAILURE]}. Warnings: {counts[State.WARNING]}."
        if counts[State.FAILURE]:
            raise CommandFailed(message, **answer)
        return answer | {"message": message}

    def _findings(self, slug: str | None) -> Iterator[Finding]:
        yield from look_at_machine(now=timezone.now())
        try:
            for account in chosen_accounts(slug):
                yield from look_at_account(account=account, now=timezone.now())
        except (DatabaseError, InterfaceError, InvalidToken):
            yield Finding("accounts", State.UNKNOWN, "Not all were looked at.", "Mend what is above, then run this again.")
        except CommandFailed as failure:
            do = "Leave --account out, or name one that is there." if slug else "Then restart web, worker and beat."
            yield Finding("accounts", State.FAILURE, str(failure), do)


@contextmanager
def _quiet() -> Iterator[None]:
    """No log lines of the portal between ours: for a person, they say the same once more."""
    logger = logging.getLogger("softphones")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _line(finding: Finding) -> str:
    what = f"{finding.account} {finding.check}".strip()
    state = finding.state.upper() if finding.state is State.FAILURE else finding.state
    return f"{state:8} {what:20} {finding.said} {finding.do}".rstrip()
