"""The database's clock: the one that all processes share, whatever the clocks of their machines say."""

from datetime import UTC, datetime

from django.db import connection

# The Julian day of 1970-01-01T00:00Z is 2440587.5 (https://www.sqlite.org/lang_datefunc.html). PostgreSQL's now() would
# stand still in a transaction, and while a statement waits for a row.
_SECONDS = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch from clock_timestamp())::float8",
}


def seconds_sql() -> str:
    """SQL for the seconds since 1970 by the database's clock."""
    return _SECONDS[connection.vendor]


def now() -> datetime:
    """The time by the database's clock: what due times are written in and compared with."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {seconds_sql()}")
        return datetime.fromtimestamp(cursor.fetchone()[0], UTC)
