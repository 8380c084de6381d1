"""Where the demo keeps everything, and the environment in which its processes run."""

import fcntl
import json
import os
import random
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parent.parent.parent
# What our processes need of the caller's environment. Nothing else of it: a DATABASE_URL in there is somebody's real portal.
KEPT = {"PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONWARNINGS"}


class CannotStart(Exception):
    """The demo can't start (or go on); the text says why and what to do."""


class Place:
    """The demo's own folder: its database, broker, keys, mails, logs, and the state of the sandbox."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.logs = folder / "log"
        self.sandbox_state = folder / "sandbox.db"
        self.passwords = folder / "people.json"
        self.second_factors = folder / "second_factors.json"
        self._running = folder / "running.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps a second demo out of this folder. Raises CannotStart if there is one."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                at = self.running().get("url", "another port")
                raise CannotStart(f"The demo is already running here, at {at}. Stop it with Ctrl-C first.") from None
            self._running.unlink(missing_ok=True)  # one that was killed could not do so
            try:
                yield
            finally:
                self._running.unlink(missing_ok=True)

    def tell(self, *, url: str, sandbox: str) -> None:
        """Says where the demo can be reached, for `demo --connect`."""
        self._running.write_text(json.dumps({"url": url, "sandbox": sandbox}))

    def running(self) -> dict[str, str]:
        """The addresses `url` and `sandbox` of the demo that runs here; empty if none does."""
        try:
            return json.loads(self._running.read_text())
        except FileNotFoundError:
            return {}

    def plain_environment(self) -> dict[str, str]:
        """The caller's environment without anything that configures a portal."""
        return {name: value for name, value in os.environ.items() if name in KEPT} | {"PYTHONUNBUFFERED": "1"}

    def environment(self, *, url: str, sandbox_url: str, sandbox: dict[str, str]) -> dict[str, str]:
        """The whole environment of the portal's processes. `sandbox` is what GET /sandbox says."""
        port = url.rpartition(":")[2]
        return self.plain_environment() | {
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DEBUG": "false",
            "DEMO": "true",
            "VAR_DIR": str(self.folder),
            "STATIC_ROOT": str(self.folder / "static"),
            "SECRET_KEY_FILE": str(self._secret("secret_key", secrets.token_urlsafe(48))),
            "FIELD_ENCRYPTION_KEYS_FILE": str(self._secret("field_encryption_keys", Fernet.generate_key().decode())),
            "PUBLIC_URL": url,
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "CSRF_TRUSTED_ORIGINS": f"{url},http://localhost:{port}",
            "AUDIAN_API_URL": f"{sandbox_url}/v2",
            "AUDIAN_ACCOUNT_ID": sandbox["account_id"],
            "AUDIAN_API_KEY": sandbox["api_key"],
            "ZOIPER_PROVIDER_ID": sandbox["zoiper_provider_id"],
            "ZOIPER_QR_URL": f"{sandbox_url}/qr.php",
            "COMPANY_NAME": "Acme",
            "HELPDESK_EMAIL": "helen@acme.example",
            "HELPDESK_PHONE": "+1 555 0100",
        }

    def _secret(self, name: str, fresh: str) -> Path:
        """The file of a secret, made once and readable by its owner alone."""
        path = self.folder / "keys" / name
        path.parent.mkdir(exist_ok=True, mode=0o700)
        if not path.exists():
            write_privately(path, fresh)
        return path


def write_privately(path: Path, text: str) -> None:
    """Write a file that never was readable by others, and is there whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600, exist_ok=False)
    fresh.write_text(text)
    fresh.replace(path)


def free_port() -> int:
    """A port of loopback that nobody has, for TCP and UDP, which is likely to stay so until a server of ours takes it.

    It lies below those that systems give to outgoing connections, and is drawn, so that two of us draw different ones.
    """
    for port in random.sample(range(20_000, 32_768), 1_000):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, suppress(OSError):
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            return port
    raise CannotStart("No port from 20000 to 32767 is free on 127.0.0.1.")


def check_port(port: int) -> None:
    """Raises CannotStart if something already listens on this port of loopback, or if there is no such port."""
    if not 1 <= port <= 65535:
        raise CannotStart(f"There is no port {port}. Choose one from 1024 to 65535: make demo PORT=8000")
    with socket.socket() as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the web server does: a port just left is free
        try:
            asked.bind(("127.0.0.1", port))
        except PermissionError:
            raise CannotStart(f"Port {port} needs more rights. Choose one from 1024: make demo PORT=8000") from None
        except OSError:
            free = free_port()
            raise CannotStart(f"Port {port} is taken by another program. Choose another: make demo PORT={free}") from None
