"""Workers as in production, on this pair's broker and database."""

import os
import sys
import time
from pathlib import Path

import pytest
from celery import current_app
from django.db import connection

from softphones.demo.processes import Child

ROOT = Path(__file__).parent.parent.parent


def database_url() -> str:
    """The test database, as a process of its own reaches it."""
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    return f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"


@pytest.fixture
def start_worker(tmp_path):
    """Starts a worker as in production, and waits until it listens. It finds nothing of what earlier tests sent.

    `more` is environment, `more_options` goes on its command line.
    """
    workers = []
    current_app.control.purge()

    def start(*more_options: str, **more: str) -> Child:
        env = os.environ | {"DJANGO_SETTINGS_MODULE": "portal.settings", "DATABASE_URL": database_url(), "EMAIL_URL": "file://"}
        options = "--pool threads --concurrency 2 --loglevel INFO --without-gossip --without-mingle --without-heartbeat"
        command = [sys.executable, "-m", "celery", "-A", "portal", "worker", *options.split(), *more_options]
        worker = Child("worker", command, log=tmp_path / "worker.log", env=env | more, cwd=ROOT)
        workers.append(worker)
        wait_until(lambda: "ready." in worker.tail(200), worker)
        return worker

    yield start
    for worker in workers:
        worker.stop(grace=1)


def wait_until(what, worker: Child | None = None, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        if worker and not worker.alive():
            raise worker.died()
        time.sleep(0.1)
