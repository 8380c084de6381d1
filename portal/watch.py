"""A worker that does nothing any more ends itself, so that whatever started it (Docker, systemd) starts it again.

Celery has known ways of hanging, such as a connection to the broker that is gone and looks alive; no exception tells of
them. What tells is that nothing comes out: beat asks for a sweep every 30 seconds. Where beat itself is silent, which no
worker's end would mend, a worker asks for the sweeps instead.
"""

import logging
import os
import time
from contextlib import suppress
from threading import Event, Thread

from celery import bootsteps
from celery.worker import state
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

from softphones.wake import wake

logger = logging.getLogger(__name__)

GRACE_SECONDS = 10
FAILED = 1
_LOOKS = 20  # within WORKER_SILENT_AFTER


class SelfWatch(bootsteps.StartStopStep):
    """Ends the worker with exit status 1 once no sweep, of any worker, was finished for WORKER_SILENT_AFTER seconds.

    After half of that it asks for one itself, for it may only be that beat asks no more. While a mirror run or a drain goes
    on, sweeps may have to wait for it: that time does not count against the worker. One that ends through an error by
    itself has GRACE_SECONDS to do so.
    """

    requires = {"celery.worker.components:Pool"}  # whose processes are forked before there is a thread

    def __init__(self, worker, **kwargs) -> None:
        super().__init__(worker, **kwargs)
        self._stopped = Event()

    def start(self, worker) -> None:
        Thread(target=self._watch, name="self-watch", daemon=True).start()

    def close(self, worker) -> None:
        """The first that happens when a worker ends. Through an error it ends soon, whatever is under way.

        Else it would wait for long work without a limit, and take up nothing meanwhile: no sweep, no code that is mailed.
        """
        if worker.exitcode:
            Thread(target=_end_soon, name="self-watch-end", daemon=True).start()

    def stop(self, worker) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        """Never compares clocks: a machine that was suspended has not been silent."""
        limit = settings.WORKER_SILENT_AFTER
        last = None
        seen = asked = time.monotonic()
        while not self._stopped.wait(limit / _LOOKS):
            swept_at, busy = _look()
            now = time.monotonic()
            if (swept_at or last) != last:
                last, seen, asked = swept_at or last, now, now
            elif busy:
                seen = now
            if now - asked > limit / 2:
                asked = now
                _ask(limit / 2)
            if now - seen > limit:
                _end(limit)


def _look() -> tuple[float | None, bool]:
    """When the last sweep was finished, and whether long work goes on. Without a database: nobody knows, and no.

    Never raises: a watch that is over would be missed by nobody.
    """
    from softphones import vitals  # needs Django's applications, which are loaded by now

    try:
        return vitals.swept_at(), vitals.at_work()
    except (DatabaseError, InterfaceError):
        return None, False
    except Exception:
        logger.exception("The worker could not look when the last sweep was.")
        return None, False
    finally:
        _disconnect()


def _ask(seconds: float) -> None:
    logger.warning("No sweep was finished for %d seconds, so this worker asks for one. See whether beat is running.", seconds)
    try:
        wake("sweep")
    except Exception as error:
        logger.warning("The worker could not ask for a sweep (%s).", type(error).__name__)
    finally:
        _disconnect()


def _disconnect() -> None:
    with suppress(Exception):  # of a connection that is beyond closing
        connections.close_all()


def _end(limit: float) -> None:
    logger.critical(
        "No sweep was finished for %d seconds, so this worker ends, to be started again. "
        "If that repeats, see whether beat, the broker and the database are running.",
        limit,
    )
    state.should_stop = FAILED
    # What hangs may keep it from ending in good order.
    _end_soon()


def _end_soon() -> None:
    """End this process after a grace in which short work comes to its end. What is cut off is taken up by the next one."""
    time.sleep(GRACE_SECONDS)
    os._exit(FAILED)
