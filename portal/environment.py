"""Reads configuration from the environment, so that settings stay a plain list.

`NAME_FILE` is read where `NAME` is missing (Docker secrets). Every problem is collected, so that one start names all of them.
"""

import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from environs import EnvError, FileAwareEnv

LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}


class Environment:
    """Typed access to the environment. `problems` gathers one sentence for each value that is missing or bad."""

    def __init__(self, base_dir: Path):
        self.env = FileAwareEnv()
        self.problems: list[str] = []
        if self.flag("DEBUG", True):
            self.env.read_env(base_dir / ".env", recurse=False)

    def _read(self, kind: str, name: str, default, expected: str):
        try:
            return getattr(self.env, kind)(name, default)
        except (EnvError, OSError, ValueError):
            self.problems.append(f"{name} must be {expected}.")
            return default

    def text(self, name: str, default: str = "") -> str:
        return self._read("str", name, default, "text, or its file must be readable").strip()

    def flag(self, name: str, default: bool) -> bool:
        return self._read("bool", name, default, "true or false")

    def number(self, name: str, default: float) -> float:
        return self._read("float", name, default, "a number")

    def port(self, name: str, default: int) -> int:
        value = self._read("int", name, default, "a port number from 1 to 65535")
        if not 1 <= value <= 65535:
            self.problems.append(f"{name} must be a port number from 1 to 65535.")
            return default
        return value

    def words(self, name: str, default: str = "") -> list[str]:
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def secret(self, name: str, *, kept_in: Path, debug: bool, make=lambda: secrets.token_urlsafe(48)) -> str:
        """A secret from the environment; in development one is made once and kept in `kept_in` (mode 0600)."""
        value = self.text(name)
        if value:
            return value
        if not debug:
            self.problems.append(f"{name} is missing. Set it, or {name}_FILE, to a secret of your own.")
            return make()
        path = kept_in / name.lower()
        try:
            return path.read_text()
        except FileNotFoundError:
            kept_in.mkdir(parents=True, exist_ok=True)
            value = make()
            try:
                path.touch(mode=0o600, exist_ok=False)
            except FileExistsError:
                return path.read_text()
            path.write_text(value)
            return value

    def fernet_keys(self, name: str, *, kept_in: Path, debug: bool) -> list[str]:
        keys = self.secret(name, kept_in=kept_in, debug=debug, make=lambda: Fernet.generate_key().decode())
        found = [key.strip() for key in keys.split(",") if key.strip()]
        for position, key in enumerate(found, start=1):
            try:
                Fernet(key)
            except ValueError:
                self.problems.append(
                    f"{name}: key {position} is not a Fernet key. Make one with: "
                    'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
                )
                return [Fernet.generate_key().decode()]
        return found

    def address(self, name: str, default: str, *, plain_http_allowed: bool) -> str:
        """An http(s) address without a trailing slash. Plain http is for loopback, unless it is allowed."""
        value = self.text(name, default).rstrip("/")
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            self.problems.append(f"{name} must be an address such as https://portal.example.com.")
        elif parts.scheme == "http" and parts.hostname not in LOOPBACK and not plain_http_allowed:
            self.problems.append(f"{name} must start with https:// (plain http is for this machine only).")
        return value

    def database(self, name: str, default: str) -> dict:
        return self._read("dj_db_url", name, default, "a database address such as postgres://user:password@host/name")

    def mail(self, name: str, default: str) -> dict:
        return self._read("dj_email_url", name, default, "a mail address such as smtp://user:password@host:587")

    def stop_if_bad(self) -> None:
        """End the start with one sentence a problem, instead of running half configured."""
        if self.problems:
            sys.exit("The portal can't start:\n" + "\n".join(f"- {problem}" for problem in self.problems))
