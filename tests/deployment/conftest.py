"""The whole process set of docker-compose.yml, started once for all tests of a file."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.deployment import engine

# Shorter than for real, so that what a test waits for comes soon.
SOON = {"SWEEP_SECONDS": "2", "LEASE_SECONDS": "3", "API_DEADLINE": "4"}
# What a portal for real has, and the sandbox does not.
MORE = {"METRICS_TOKEN": "only-for-the-tests-of-metrics"}


@pytest.fixture(scope="module")
def running():
    """A running portal with its sandbox, as `docker compose --profile sandbox up` starts it."""
    if reason := engine.missing():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="softphone-portal-set-"))
    try:
        started = engine.Engine(folder, profiles={"sandbox"}, more=SOON | MORE)
        try:
            started.up()
            yield started
        finally:
            started.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
