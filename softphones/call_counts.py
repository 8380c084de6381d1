"""How the calls to Audian came out, counted by all processes in rows, for whoever watches over the portal."""

import logging
import time
from collections import defaultdict

from django.db import DatabaseError, connection

from softphones.audian.calls import Exchange
from softphones.models import CallCount

logger = logging.getLogger(__name__)

WRITTEN_EVERY = 10  # seconds


class Tally:
    """The calls of one client since they were last written down. A process that is killed loses what it had not written."""

    def __init__(self, account_id: int) -> None:
        self._account_id = account_id
        self._found: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0])
        self._written_at = time.monotonic()

    def add(self, exchange: Exchange) -> None:
        count = self._found[exchange.kind, exchange.result]
        count[0] += 1
        count[1] += exchange.seconds

    def write_now_and_then(self) -> None:
        """For a client that lives long. Not in a transaction."""
        if time.monotonic() - self._written_at > WRITTEN_EVERY:
            self.write()

    def write(self) -> None:
        """Add them to the rows. Never raises: a count is worth less than what was called for."""
        found = sorted(self._found.items())  # in one order, so that two writers don't wait for each other
        self._found.clear()
        self._written_at = time.monotonic()
        try:
            if found:
                self._add_to_rows([(self._account_id, *names, *count) for names, count in found])
        except DatabaseError:
            logger.warning("The number of calls to Audian could not be written down.", exc_info=True)

    @staticmethod
    def _add_to_rows(rows: list[tuple]) -> None:
        table = CallCount._meta.db_table
        places = ", ".join(["(%s, %s, %s, %s, %s)"] * len(rows))
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (account_id, kind, result, number, seconds) VALUES {places}"  # noqa: S608
                " ON CONFLICT (account_id, kind, result) DO UPDATE"
                f" SET number = {table}.number + excluded.number, seconds = {table}.seconds + excluded.seconds",
                [value for row in rows for value in row],
            )
