"""Where benchmarks play: a sandbox in a process of its own, and a portal with a fresh database in another."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import requests
from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60


@dataclass(frozen=True)
class Stage:
    """A running sandbox and the environment of a portal that uses it."""

    environment: dict[str, str]

    def measure(self, what: str) -> dict:
        """Run one measurement of benchmarks.measure in a process of its own. Returns what it printed."""
        return self.run("benchmarks.measure", what)

    def run(self, module: str, *arguments: str) -> dict:
        """Run a module that prints one JSON object, in a process of its own."""
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)


@contextmanager
def stage(
    *,
    devices: int = 0,
    latency_ms: int = 0,
    rate_limit: bool = False,
    database: str = "",
    sandbox: dict[str, str] | None = None,
    **variables: str,
) -> Iterator[Stage]:
    """A sandbox and an empty portal, both gone afterwards; with `rate_limit` the documented buckets and our own pacing.

    `database` is the address of an empty one (an SQLite file of its own); `sandbox` are `url`, `account_id` and `api_key`
    of one that runs already; `variables` are further settings.
    """
    with (
        tempfile.TemporaryDirectory(prefix="softphone-portal-benchmark-") as folder,
        nullcontext(sandbox) if sandbox else _sandbox(devices, latency_ms, rate_limit) as told,
    ):
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            # As in production: in development Django keeps every query.
            "DEBUG": "false",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "PUBLIC_URL": "https://portal.example.com",
            "LOG_LEVEL": "ERROR",
            "VAR_DIR": folder,
            "AUDIAN_API_URL": told["url"],
            "AUDIAN_ACCOUNT_ID": told["account_id"],
            "AUDIAN_API_KEY": told["api_key"],
        }
        environment |= variables
        if database:
            environment["DATABASE_URL"] = database
        if not rate_limit:
            environment["API_BUCKET_SIZE"] = "0"
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
        yield Stage(environment)


@contextmanager
def _sandbox(devices: int, latency_ms: int, rate_limit: bool) -> Iterator[dict[str, str]]:
    limit = "on" if rate_limit else "off"
    arguments = ["--port=0", f"--devices={devices}", f"--latency-ms={latency_ms}", f"--rate-limit={limit}"]
    command = [sys.executable, "manage.py", "audian_sandbox", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = _address(process)
        yield {"url": url, **_told(url)}
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen) -> str:
    for line in process.stdout:
        for word in line.replace('"', " ").replace(",", " ").split():
            if word.startswith("http://127.0.0.1:") and word.rstrip(".").endswith("/v2"):
                return word.rstrip(".")
    raise RuntimeError("The sandbox did not start.")


def _told(url: str) -> dict[str, str]:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            return requests.get(url.removesuffix("/v2") + "/sandbox", timeout=5).json()
        except requests.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
