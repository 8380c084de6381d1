"""Leases: who may do a thing until when, by the database's clock.

Taking a lease over raises its epoch. What the former holder then wants to write finds no row, so a process that was
asleep for a minute can't overwrite the work of the one that replaced it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from softphones.clock import seconds_sql


class LeaseLost(Exception):
    """Somebody else holds the lease now; nothing of what was about to be written may be written."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease as it was taken. `seconds` is how long it lasts from the last renewal."""

    name: str
    epoch: int
    seconds: float

    def renew(self) -> None:
        """Hold it for another `seconds`. Raises LeaseLost if it was taken over."""
        if not self._move(f"{seconds_sql()} + %s", [self.seconds]):
            raise LeaseLost(self.name)

    def release(self) -> None:
        """Let the next one take it at once; nothing happens if it was taken over already."""
        self._move("0")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that commits only what the holder may write. Raises LeaseLost, and writes nothing, otherwise.

        The renewal locks the lease's row until the commit, so nobody takes it over in between.
        """
        with transaction.atomic():
            self.renew()
            yield

    def _move(self, until: str, parameters=()) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE softphones_lease SET held_until = {until} WHERE name = %s AND epoch = %s",  # noqa: S608
                [*parameters, self.name, self.epoch],
            )
            return cursor.rowcount == 1


def is_held(name: str) -> bool:
    """Whether somebody holds the lease `name` at this moment."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM softphones_lease WHERE name = %s AND held_until > {seconds_sql()}", [name])  # noqa: S608
        return cursor.fetchone() is not None


def take(name: str, seconds: float | None = None) -> Held | None:
    """Take the lease `name` for `seconds` (LEASE_SECONDS unless given). Returns None while somebody else holds it."""
    seconds = settings.LEASE_SECONDS if seconds is None else seconds
    now = seconds_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO softphones_lease (name, epoch, held_until) VALUES (%s, 1, {now} + %s)"  # noqa: S608
            " ON CONFLICT (name) DO UPDATE"
            " SET epoch = softphones_lease.epoch + 1, held_until = excluded.held_until"
            f" WHERE softphones_lease.held_until <= {now} RETURNING epoch",
            [name, seconds],
        )
        row = cursor.fetchone()
    return Held(name, row[0], seconds) if row else None


def mark(name: str) -> None:
    """Leave the present time in the row `name`, for whoever asks how long ago that was. Nobody holds such a row.

    Also where the row names a time that is still to come: the database's clock was set back since.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO softphones_lease (name, epoch, held_until) VALUES (%s, 1, {seconds_sql()})"  # noqa: S608
            " ON CONFLICT (name) DO UPDATE SET held_until = excluded.held_until",
            [name],
        )
