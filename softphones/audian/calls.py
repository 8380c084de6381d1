"""Calls of one account: the token, the pace, the log line and the deadline around each request."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from . import errors
from .credentials import ApiKey, StaticToken, TokenKeeper, TokensInMemory
from .documents import Login
from .replies import Reply
from .transport import Transport, checked_base

logger = logging.getLogger("softphones.audian")

CALL_COST = 1
# Kazoo takes this from the bucket for a log-in (audian-api.md section 8).
LOG_IN_COST = 35
LOG_IN = "/api_auth"

_TOKEN = re.compile(r"[!-~]{1,16384}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it came out, for those who count.

    `kind` is log_in, read or write; `result` the HTTP status in digits or what became of the answer instead, such as
    timed_out; `seconds` how long it took; `date` the server's clock, as its header tells it ("" if it does not).
    """

    kind: str
    result: str
    seconds: float
    date: str = ""


class Calls:
    """Makes the calls of `AudianClient`, which says what the parameters mean."""

    def __init__(
        self,
        *,
        url: str,
        account_id: str,
        credentials: ApiKey | StaticToken,
        tokens: TokenKeeper | None = None,
        pace: Callable[[int, bool], object] | None = None,
        heard: Callable[[int], object] | None = None,
        ended: Callable[[Exchange], object] | None = None,
        deadline: float = 13.0,
        clock: Callable[[], float] = time.monotonic,
        allow_http: bool = False,
        ca_file: str | None = None,
    ) -> None:
        self._base = checked_base(url, allow_http=allow_http)
        self._account_id = account_id
        self._credentials = credentials
        self._tokens = tokens or TokensInMemory()
        self._pace = pace or (lambda cost, login: None)
        self._heard = heard or (lambda remaining: None)
        self._ended = ended or (lambda exchange: None)
        self._clock = clock
        self._until: float | None = None
        self._transport = Transport(deadline=deadline, clock=clock, ca_file=ca_file)

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """All requests in this block together take no longer than `seconds`."""
        outer, self._until = self._until, self._clock() + seconds
        try:
            yield
        finally:
            self._until = outer

    def log_in(self) -> Login:
        """Exchange the API key for a token. Costs 35; a failed one empties the bucket (audian-api.md section 8).

        Raises Unauthorised if the key is refused, or if there is only a static token, which cannot be renewed; for
        anything else an AccountTrouble too.
        """
        if isinstance(self._credentials, StaticToken):
            raise errors.Unauthorised(
                f"Audian refuses the configured token for account {self._account_id}. Replace it by a new one."
            )
        self._pace(LOG_IN_COST, True)
        try:
            return self._exchange_key(self._credentials.key)
        except errors.RowError as error:
            # No row is at fault when the log-in fails, so none may be blamed for it.
            kind = errors.BadGateway if isinstance(error, errors.ServerFault) else errors.NoSuchRoute
            raise kind(status=error.status, request_id=error.request_id) from None
        except errors.AudianError as error:
            # Whatever the log-in was for has not begun.
            error.doubtful = False
            raise

    def _exchange_key(self, key: str) -> Login:
        reply = self._exchange("PUT", LOG_IN, body={"data": {"api_key": key}})
        if reply.answer.status in (400, 401, 404) and reply.envelope and reply.envelope.get("message") != "not_found":
            # An unknown key is a 404 that echoes it, one of a wrong length a 400 that does (audian-api.md section 1).
            raise errors.Unauthorised(
                "Audian does not accept the API key. It may be mistyped, or revoked and replaced by another.",
                status=reply.answer.status,
                request_id=reply.request_id,
            )
        login = Login.from_envelope(reply.checked(write=False, secrets=(key,)).envelope)
        if not login.token:
            raise errors.NotOurAnswer(status=reply.answer.status, request_id=reply.request_id)
        return login

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
        accept_charges: bool = False,
        headers: Mapping[str, str] | None = None,
        about: str = "",
        secrets: Iterable[str] = (),
    ) -> Reply:
        """A call with the account's token, once more with a fresh one if the first is refused."""
        body = None if data is None else {"data": data} | ({"accept_charges": True} if accept_charges else {})
        token = self._tokens.get(self.log_in) if isinstance(self._credentials, ApiKey) else self._credentials.token
        for renewed in (False, True):
            self._pace(CALL_COST, False)
            reply = self._exchange(method, path, query=query, body=body, headers=headers, token=token)
            if reply.remaining is not None:
                self._heard(reply.remaining)
            if reply.answer.status != 401:
                return reply.checked(write=method != "GET", about=about, secrets=(token, *secrets))
            if renewed or isinstance(self._credentials, StaticToken):
                break
            token = self._tokens.renew(token, self.log_in)
        raise errors.Unauthorised(
            f"Audian refuses access to account {self._account_id}. Either the account id is wrong, or the API key or "
            "token was revoked or belongs to another account.",
            status=401,
            request_id=reply.request_id,
        )

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Reply:
        """One request and its log line, which names the parameters of the query but not their values."""
        request_id = uuid.uuid4().hex
        sent = {"Accept": "application/json", "User-Agent": "softphone-portal", "X-Request-ID": request_id}
        sent.update(headers or {})
        if token is not None:
            sent["X-Auth-Token"] = _sendable(token)
        if body is not None:
            sent["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode()
        address = f"{self._base}{path}?{urlencode(query)}" if query else f"{self._base}{path}"
        shown = f"{path}?{'&'.join(query)}" if query else path
        kind = "log_in" if path == LOG_IN else "read" if method == "GET" else "write"
        started = self._clock()
        within = None if self._until is None else self._until - started
        try:
            answer = self._transport.send(method, address, headers=sent, body=content, within=within)
        except errors.AudianError as error:
            error.request_id = request_id
            took = self._clock() - started
            logger.warning("%s %s %s in %.3f s, request %s", method, shown, type(error).__name__, took, request_id)
            self._ended(Exchange(kind, _named(error), took))
            raise
        level = logging.INFO if answer.status < 400 else logging.WARNING
        took = self._clock() - started
        logger.log(level, "%s %s %d in %.3f s, request %s", method, shown, answer.status, took, request_id)
        reply = Reply.read(answer, request_id)
        foreign = answer.status < 300 and answer.body.strip() and not reply.envelope
        result = _named(errors.NotOurAnswer()) if foreign else str(answer.status)
        self._ended(Exchange(kind, result, took, answer.headers.get("Date", "")))
        return reply


def _named(error: errors.AudianError) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


def _sendable(token: str) -> str:
    # Anything else would make the HTTP library quote the token in its own exception.
    if not _TOKEN.fullmatch(token):
        raise errors.Unauthorised("The token for Audian holds characters that no token has. Enter it again.")
    return token
