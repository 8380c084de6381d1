"""Commands that a program can read: with --json one JSON object on stdout, also on failure; everything else on stderr."""

import json
import logging
import sys
from contextlib import redirect_stdout
from pathlib import Path

from cryptography.fernet import InvalidToken
from django.core.management.base import BaseCommand, CommandError, SystemCheckError, handle_default_options
from django.db import DatabaseError, InterfaceError, connections

from softphones.configuration import LOST_KEY

logger = logging.getLogger(__name__)


class CommandFailed(CommandError):
    """What was asked is not (all) done. `sentence` is for a person; `fields` go into the JSON answer beside it."""

    def __init__(self, sentence: str, **fields):
        super().__init__(sentence, returncode=1)
        self.fields = fields


class AnsweringCommand(BaseCommand):
    """Subclasses implement `answer(**options)`: return a dict with at least `message` (a sentence), or raise CommandFailed.

    Exit code 0 means all that was asked is done, 1 that it is not, 2 that the command line is wrong. `on_failure` holds
    the fields that a failed answer has when `answer` did not name them. A failure is a sentence, never a traceback
    (`--traceback` shows one).
    """

    on_failure: dict = {}

    def answer(self, **options) -> dict:
        raise CommandFailed(f"{type(self).__module__} has no answer().")

    def say(self, line: str) -> None:
        """One line of progress for whoever watches (stderr)."""
        self.stderr.write(str(line), lambda text: text)

    def create_parser(self, prog_name, subcommand, **kwargs):
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument("--json", action="store_true", help="Print one JSON object on stdout; everything else on stderr.")
        return parser

    def run_from_argv(self, argv):
        """As in Django, but a wrong command line is answered in JSON too, and a sentence stands without a class name."""
        try:
            options = self._options(argv)
            handle_default_options(options)
            self.execute(**vars(options))
        except CommandError as error:
            if "--traceback" in argv:
                raise
            self.say(error)
            sys.exit(error.returncode)
        finally:
            connections.close_all()

    def _options(self, argv):
        try:
            options = self.create_parser(argv[0], argv[1]).parse_args(argv[2:])
        except CommandError as error:
            failure = CommandFailed(str(error).removeprefix("Error: ").capitalize() + ". --help lists what it takes.")
            failure.returncode = 2
            if "--json" in argv:
                self._print(self._failed(failure))
            raise failure from error
        vars(options).pop("args", None)
        return options

    def execute(self, *args, **options):
        try:
            return super().execute(*args, **options)
        except (Exception, KeyboardInterrupt) as error:
            failure = _as_failure(error)
            if options.get("json"):
                self._print(self._failed(failure))
            if failure is error:
                raise
            raise failure from error

    def handle(self, *args, **options):
        with redirect_stdout(sys.stderr):
            answer = self.answer(**options)
        if options["json"]:
            self._print(answer)
        else:
            self.stdout.write(str(answer["message"]))

    def _failed(self, failure: CommandFailed) -> dict:
        return {**self.on_failure, **failure.fields, "message": str(failure)}

    def _print(self, answer: dict) -> None:
        self.stdout.write(json.dumps(answer, ensure_ascii=False, default=str))


def _as_failure(error: BaseException) -> CommandFailed:
    """The sentence for whatever stopped the command. An error's own text may hold a secret, so only its place is told."""
    if isinstance(error, CommandFailed):
        return error
    if isinstance(error, KeyboardInterrupt):
        return CommandFailed("Stopped before it was done.")
    if isinstance(error, SystemCheckError):
        return CommandFailed("The portal's settings have a fault. Run manage.py check to see it.")
    if isinstance(error, CommandError):
        return CommandFailed(str(error))
    if isinstance(error, (DatabaseError, InterfaceError)):
        return CommandFailed("The database can't be used. Check DATABASE_URL, then run manage.py migrate.")
    if isinstance(error, InvalidToken):
        return CommandFailed(LOST_KEY)
    place = error.__traceback__
    while place.tb_next:
        place = place.tb_next
    where = f"{Path(place.tb_frame.f_code.co_filename).name} line {place.tb_lineno}"
    logger.error("Command stopped by %s in %s.", type(error).__name__, where)
    return CommandFailed(f"The command stopped because of a fault in the portal ({type(error).__name__} in {where}).")
