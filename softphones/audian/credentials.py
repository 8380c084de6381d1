"""How the portal proves itself to Audian: an API key that buys tokens, or one token that was given to us.

No `repr` of these shows a secret.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from .documents import Login

# Clocks differ: a token is given up this long before it says that it expires (audian-api.md section 13), or after nine
# tenths of a short life.
MARGIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The key of an account, exchanged for a token at each log-in."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A token that somebody else obtained; the portal cannot renew it."""

    token: str = field(repr=False)


class TokenKeeper(Protocol):
    """Where the token of an account is kept between calls. May raise errors of its own, which the client lets through."""

    def get(self, log_in: Callable[[], Login]) -> str:
        """A token that is believed to be good; logs in if there is none."""

    def renew(self, rejected: str, log_in: Callable[[], Login]) -> str:
        """A token other than the one that Audian rejected; logs in unless somebody else just did."""


class TokensInMemory:
    """Keeps the token of one account in this process; any number of threads log in once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._login: Login | None = None
        self._lapses_at: datetime | None = None

    def get(self, log_in: Callable[[], Login]) -> str:
        with self._lock:
            if self._login is None or (self._lapses_at is not None and self._lapses_at <= datetime.now(UTC)):
                self._keep(log_in())
            return self._login.token

    def renew(self, rejected: str, log_in: Callable[[], Login]) -> str:
        with self._lock:
            if self._login is None or self._login.token == rejected:
                self._login = None
                self._keep(log_in())
            return self._login.token

    def _keep(self, login: Login) -> None:
        self._login = login
        now = datetime.now(UTC)
        # A token that is born expired tells of a wrong clock here: then Audian's 401 says when it is over.
        told = login.expires_at is not None and login.expires_at > now
        self._lapses_at = login.expires_at - min(MARGIN, (login.expires_at - now) / 10) if told else None
