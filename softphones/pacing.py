"""Pace: we slow down before the API makes us.

Kazoo keeps two token buckets for a client's address (audian-api.md section 8): one per account, 1 token a call, and one
for log-ins, 35 each. Each has a row here, at 95 % of Kazoo's numbers, shared by all processes. A caller reserves its
place with one UPDATE, by the database's clock, and waits for it outside of any transaction.
"""

import random
import time
from collections.abc import Callable
from enum import Enum

from django.conf import settings
from django.db import connection, transaction

from softphones.audian.errors import TooMany
from softphones.clock import seconds_sql

LOG_INS = "log-ins"


class Urgency(Enum):
    """Who waits for the call. Each leaves a share of the bucket to those above, and may reserve some seconds ahead.

    PERSON: somebody looks at a page that waits for it. LIGHT: worth making only if it can be made now. BULK: nobody
    waits for the single call; it goes on for as long as it takes.
    """

    PERSON = (0.1, 20.0, 0.0)
    LIGHT = (0.0, 0.0, 0.0)
    BULK = (0.2, 1.0, 120.0)

    def __init__(self, leaves: float, ahead: float, patience: float) -> None:
        self.leaves, self.ahead, self.patience = leaves, ahead, patience


class TooBusy(TooMany):
    """There is no room for this call soon enough; nothing was sent."""

    sentence = "The portal makes as many calls to Audian as it may. Try again in a moment."


def of_account(account_id: int) -> str:
    """The name of the bucket of an account (by its primary key)."""
    return f"account:{account_id}"


def wait_for(bucket: str, *, cost: int, urgency: Urgency, meanwhile: Callable[[], object]) -> None:
    """Reserve `cost` tokens and sleep until they are there. Raises TooBusy if that takes longer than the urgency allows.

    `meanwhile` is called at least every few seconds, and once when it is over. Never in a transaction: it would keep
    the bucket's row, and all other callers, waiting.
    """
    gives_up = time.monotonic() + urgency.patience
    while (wait := reserve(bucket, cost=cost, urgency=urgency)) is None:
        pause = min(2.0, random.uniform(0.5, 1.5) * max(0.1, cost / max(settings.API_TOKENS_PER_SECOND, 0.1)))  # noqa: S311
        if time.monotonic() + pause > gives_up:
            raise TooBusy
        time.sleep(pause)
        meanwhile()
    if wait:
        time.sleep(wait)
    meanwhile()


def reserve(bucket: str, *, cost: int, urgency: Urgency) -> float | None:
    """Take `cost` tokens from a bucket. Returns the seconds to wait before the call, or None if there is no room.

    A light that finds no room has a small bucket of its own to fall back on, so that people's reservations far ahead
    don't blind every page; the share that all others leave covers it.
    """
    size, rate = settings.API_BUCKET_SIZE, settings.API_TOKENS_PER_SECOND
    if not size or not rate:
        return 0.0
    # A full bucket always has room, whatever a call costs.
    floor = min(size * urgency.leaves, size - cost)
    lowest = min(floor - rate * urgency.ahead, size - cost)
    left = _take(bucket, size, rate, cost, lowest)
    if left is not None:
        return max(0.0, (floor - left) / rate)
    if urgency is Urgency.LIGHT and _take(f"{bucket}:lights", max(cost, size * 0.05), rate * 0.025, cost, 0) is not None:
        _take(bucket, size, rate, cost, -float(size) * 10)
        return 0.0
    return None


def level(bucket: str) -> float:
    """How many tokens are in a bucket now; fewer than none where some are reserved ahead. Takes nothing."""
    size, rate = settings.API_BUCKET_SIZE, settings.API_TOKENS_PER_SECOND
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_left_sql()} FROM softphones_bucket WHERE name = %s", [size, rate, bucket])  # noqa: S608
        row = cursor.fetchone()
    return float(row[0] if row else size)


def heard(bucket: str, remaining: float) -> None:
    """Believe the API when it says that less is left than we thought. It never raises our count."""
    size, rate = settings.API_BUCKET_SIZE, settings.API_TOKENS_PER_SECOND
    if not size or not rate or remaining >= size:
        return
    now, left = seconds_sql(), _left_sql()
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE softphones_bucket SET tokens = %s, at = {now} WHERE name = %s AND {left} > %s",  # noqa: S608
            [remaining, bucket, size, rate, remaining],
        )


def _take(bucket: str, size: float, rate: float, cost: int, lowest: float) -> float | None:
    """Take `cost` tokens unless fewer than `lowest` would be left. Returns what is left then, None if not taken."""
    now, left = seconds_sql(), _left_sql()
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO softphones_bucket (name, tokens, at) VALUES (%s, %s, {now})"  # noqa: S608
            f" ON CONFLICT (name) DO UPDATE SET tokens = {left} - %s, at = {now}"
            f" WHERE {left} - %s >= %s RETURNING tokens",
            [bucket, size - cost, size, rate, cost, size, rate, cost, lowest],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _left_sql() -> str:
    """SQL for the tokens in a bucket now. Parameters: its size, and its tokens per second."""
    least, most = ("least", "greatest") if connection.vendor == "postgresql" else ("min", "max")
    passed = f"{most}({seconds_sql()} - softphones_bucket.at, 0)"
    return f"{least}(%s, softphones_bucket.tokens + %s * {passed})"
