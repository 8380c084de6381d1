"""Reads configuration from the environment, so that settings stay a plain list.

`NAME_FILE` names a file that holds the value instead (Docker secrets). Blanks around a value do not count, and a blank value
is the same as none. Every problem is collected, so that one start names all of them.
"""

import base64
import logging
import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from cryptography.fernet import Fernet
from environs import Env, EnvError, FileAwareEnv

LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}
DATABASES = {"django.db.backends.sqlite3", "django.db.backends.postgresql"}
LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
MAKE_FERNET_KEY = 'Make one with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
# How long a secret is at least. One that was made at random has a fourth of that in different characters, far below what
# is to be expected, and holds no word.
_SECRET_LENGTH, _TOKEN_LENGTH = 32, 16
_WORDS = re.compile("change|replace|secret|insecure|password|placeholder", re.IGNORECASE)
# What both Celery and its library for Redis make something of.
_CERTIFICATES = {"required", "optional", "none", "CERT_REQUIRED", "CERT_OPTIONAL", "CERT_NONE"}
_TLS = {"ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"}


class _Given(FileAwareEnv):
    """An orchestrator hands over each variable it knows of, also the ones that nobody has set: blank, or an empty file."""

    def _get_value(self, env_key: str, default: Any) -> Any:
        for read in (FileAwareEnv._get_value, Env._get_value):  # a blank file leaves the word to the plain name
            value = read(self, env_key, default)
            if not isinstance(value, str) or value.strip():
                return value
        return default


class Environment:
    """Typed access to the environment. `problems` gathers one sentence for each value that is missing or bad."""

    def __init__(self, base_dir: Path):
        self.env = _Given(strip_whitespace=True)
        self.problems: list[str] = []
        if self.flag("DEBUG", True):
            self.env.read_env(base_dir / ".env", recurse=False)

    def _read(self, kind: str, name: str, default, expected: str):
        try:
            return getattr(self.env, kind)(name, default)
        except (EnvError, OSError, ValueError):
            self.problems.append(f"{name} must be {expected}.")
            return default

    def text(self, name: str, default: str = "", *, longest: int | None = None) -> str:
        """Without the blanks around it. `longest`: how many characters its column holds."""
        value = self._read("str", name, default, "text, or its file must be readable").strip()
        if longest and len(value) > longest:
            self.problems.append(f"{name} must have at most {longest} characters.")
        return value

    def pattern(self, name: str, pattern: str, expected: str) -> str:
        """Text that matches `pattern` as a whole; "" where none is given."""
        value = self.text(name)
        if value and not re.fullmatch(pattern, value):
            self.problems.append(f"{name} must be {expected}.")
        return value

    def flag(self, name: str, default: bool) -> bool:
        return self._read("bool", name, default, "true or false")

    def if_given(self, name: str, read: Callable[[str], Any]) -> Any:
        """What `read` makes of the variable; None where it is not set."""
        return read(name) if self.text(name) else None

    def number(self, name: str, default: float, *, least: int) -> float:
        return self._at_least("float", name, default, least, f"a number, {least} or more")

    def whole(self, name: str, default: int, *, least: int) -> int:
        return self._at_least("int", name, default, least, f"a whole number, {least} or more")

    def _at_least(self, kind: str, name: str, default, least: int, expected: str):
        value = self._read(kind, name, default, expected)
        if value < least:
            self.problems.append(f"{name} must be {expected}.")
            return default
        return value

    def port(self, name: str, default: int) -> int:
        value = self._read("int", name, default, "a port number from 1 to 65535")
        if not 1 <= value <= 65535:
            self.problems.append(f"{name} must be a port number from 1 to 65535.")
            return default
        return value

    def level(self, name: str, default: str) -> str:
        value = self.text(name, default).upper()
        if value not in logging.getLevelNamesMapping():
            self.problems.append(f"{name} must be one of {', '.join(LEVELS)}.")
        return value

    def log_line(self, name: str, *, debug: bool) -> str:
        """What a log line is, text or json. Unless it is set: text in development, for eyes."""
        return self.pattern(name, "text|json", "text or json") or ("text" if debug else "json")

    def folder(self, name: str, path: Path) -> Path:
        """`path`, which is made where it is missing. `name` is the variable that an operator can change."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            usable = os.access(path, os.W_OK | os.X_OK)
        except OSError:
            usable = False
        if not usable:
            self._unwritable(name, path)
        return path

    def _unwritable(self, name: str, path: Path) -> None:
        if not any(problem.startswith(f"{name} ") for problem in self.problems):
            self.problems.append(f"{name} must name a folder that the portal can write to, not {path}.")

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
        path = self.folder("VAR_DIR", kept_in) / name.lower()
        try:
            if not path.exists():
                return _keep(path, make())
            return path.read_text()
        except OSError:
            self._unwritable("VAR_DIR", kept_in)
            return make()

    def signing_key(self, name: str, *, kept_in: Path, debug: bool) -> str:
        """A secret; in production not one that can be guessed, such as a word or what `startproject` makes."""
        value = self.secret(name, kept_in=kept_in, debug=debug)
        if not debug:
            self._refuse_guessable(name, value, shortest=_SECRET_LENGTH)
        return value

    def token(self, name: str) -> str:
        """A secret that others send in a header; "" where none is given."""
        expected = f"{_TOKEN_LENGTH} or more printable characters, without blanks"
        value = self.pattern(name, f"[!-~]{{{_TOKEN_LENGTH},}}", expected)
        if len(value) >= _TOKEN_LENGTH:
            self._refuse_guessable(name, value, shortest=_TOKEN_LENGTH)
        return value

    def _refuse_guessable(self, name: str, value: str, *, shortest: int) -> None:
        if len(value) < shortest or len(set(value)) < shortest // 4 or _WORDS.search(value):
            self.problems.append(
                f"{name} can be guessed. Make one of your own with: "
                "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )

    def hosts(self, name: str, own: set[str], *, debug: bool) -> list[str]:
        """The names that the portal answers to: its `own`, and what the variable adds to them."""
        given = self.words(name)
        if "*" in given and not debug:
            self.problems.append(f"{name} must name hosts, not *: whoever sends another name would choose where mails lead.")
        return sorted(own.union(given))

    def only_here(self, name: str, *, value: bool, shows: str, public_host: str) -> bool:
        """The flag's `value`, which may be true only where nobody but this machine reaches the portal: it `shows` too much."""
        if value and public_host not in LOOPBACK:
            self.problems.append(
                f"{name} must be false: it shows {shows} to anybody, so it is only for a PUBLIC_URL on this machine, "
                "such as http://localhost."
            )
        return value

    def fernet_keys(self, name: str, *, kept_in: Path, debug: bool) -> list[str]:
        keys = self.secret(name, kept_in=kept_in, debug=debug, make=lambda: Fernet.generate_key().decode())
        found = [key.strip() for key in keys.split(",") if key.strip()]
        for position, key in enumerate(found, start=1):
            try:
                Fernet(key)
            except ValueError:
                self.problems.append(f"{name}: key {position} is not a Fernet key. {MAKE_FERNET_KEY}")
                return [Fernet.generate_key().decode()]
            if not debug and len(set(base64.urlsafe_b64decode(key))) < _SECRET_LENGTH // 4:
                self.problems.append(f"{name}: key {position} can be guessed. {MAKE_FERNET_KEY}")
        if not found:
            self.problems.append(f"{name} holds no key.")
        return found

    def address(self, name: str, default: str, *, plain_http_allowed: bool, origin: bool = False) -> str:
        """An http(s) address without a trailing slash; "" for a bad one. Plain http is for loopback, unless it is allowed.

        `origin`: without a path, and written as a reverse proxy that is given the same variable can compare it.
        """
        given = self.text(name, default)
        value = given.rstrip("/")
        parts = _split(value)
        good = parts and parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment)
        if not good or "@" in parts.netloc or (origin and parts.path):
            self.problems.append(f"{name} must be an address such as https://portal.example.com.")
            return ""
        if origin and given != value.lower():
            self.problems.append(f"{name} must be {value.lower()}: in small letters, and without a slash at its end.")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK and not plain_http_allowed:
            self.problems.append(f"{name} must start with https:// (plain http is for this machine only).")
        return value

    def broker(self, name: str) -> str:
        """The address of a Redis server; "" where none is given. What it asks for beyond that is TLS alone.

        Celery starts with anything else too, and then fails at every message that it sends.
        """
        value = self.text(name)
        parts = _split(value)
        if value and not (parts and parts.hostname and re.fullmatch(r"/?\d*", parts.path) and _is_redis(parts)):
            self.problems.append(
                f"{name} must be an address such as redis://host:6379/0, or rediss://host:6379/0?ssl_cert_reqs=required."
            )
        return value

    def database(self, name: str, default: str) -> dict:
        expected = "a database address such as postgres://user:password@host/name"
        found = self._read("dj_db_url", name, default, expected)
        if isinstance(found, dict) and found.get("ENGINE") in DATABASES:
            return found
        if isinstance(found, dict):
            self.problems.append(f"{name} must be {expected}.")
        return {"ENGINE": "django.db.backends.postgresql"}

    def mail(self, name: str, default: str) -> dict:
        expected = "a mail address such as smtp://user:password@host:587"
        found = self._read("dj_email_url", name, default, expected)
        if isinstance(found, dict) and "EMAIL_BACKEND" in found:
            return found
        if isinstance(found, dict):
            self.problems.append(f"{name} must be {expected}.")
        return {"EMAIL_BACKEND": ""}

    def stop_if_bad(self) -> None:
        """End the start with one sentence a problem, instead of running half configured."""
        if self.problems:
            sys.exit("The portal can't start:\n" + "\n".join(f"- {problem}" for problem in self.problems))


def _keep(path: Path, fresh: str) -> str:
    """Put a secret into a new file of mode 0600, whole or not at all. Returns the one of whoever was faster."""
    written = path.with_name(f"{path.name}.{os.getpid()}")
    written.touch(mode=0o600)
    written.write_text(fresh)
    try:
        path.hardlink_to(written)
    except FileExistsError:
        return path.read_text()
    finally:
        written.unlink()
    return fresh


def _is_redis(parts: SplitResult) -> bool:
    if parts.scheme == "redis":
        return not parts.query
    given = parse_qsl(parts.query, keep_blank_values=True)
    known = all(name in _TLS and (name != "ssl_cert_reqs" or value in _CERTIFICATES) for name, value in given)
    return parts.scheme == "rediss" and known


def _split(address: str) -> SplitResult | None:
    """The parts of an address; None if it has none, such as a port that is no port."""
    try:
        parts = urlsplit(address)
        return parts if parts.port is None or parts.port else None
    except ValueError:
        return None
