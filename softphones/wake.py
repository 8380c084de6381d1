"""Wakes a worker after a commit. The row is the queue: a lost wake-up costs half a minute until the next sweep, never data."""

import logging
from functools import cache, partial

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu import Connection

logger = logging.getLogger(__name__)

# A page waits for this, so it is short: trying longer would gain nothing that the next sweep does not do anyway.
SECONDS = 1


def wake(task, **ids) -> None:
    """Send `task` with `ids` once the current transaction is committed; at once if there is none.

    `task` is a Celery task or its name in softphones.tasks ("send_messages"). A message carries ids and nothing else.
    Never raises: a broker that can't be reached is logged.
    """
    name = f"softphones.tasks.{task}" if isinstance(task, str) else task.name
    transaction.on_commit(partial(_send, name, ids), robust=True)


def _send(name: str, ids: dict) -> None:
    try:
        pool = _connections(settings.CELERY_BROKER_URL)
        with pool.acquire(block=True, timeout=SECONDS) as connection:
            current_app.send_task(name, kwargs=ids, connection=connection, retry=False)
    except Exception as error:
        # Whatever the broker's library throws, what was asked for stands in the database already.
        logger.warning("Could not wake a worker for %s (%s). The next sweep does it.", name, type(error).__name__)


@cache
def _connections(url: str):
    """A few connections that give up soon. Those of a worker may wait longer, since nobody waits for them."""
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS | {"max_retries": 0}
    if "socket_timeout" in options:
        options |= {"socket_connect_timeout": SECONDS, "socket_timeout": SECONDS}
    return Connection(url, connect_timeout=SECONDS, transport_options=options).Pool(limit=8)
