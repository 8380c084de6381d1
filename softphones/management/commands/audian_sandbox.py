"""manage.py audian_sandbox: the stand-in for the Audian API, served on loopback."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from softphones.audian.sandbox import cli


class Command(BaseCommand):
    help = "Plays the Audian API on loopback, with believable people and phones, until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        cli.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cli.run(options, self.stdout)
        except cli.CannotStart as reason:
            raise CommandError(str(reason)) from reason
