"""Audian's envelope, and its errors turned into ours.

Decides by the HTTP status, never by `message`, whose wording varies (audian-api.md section 1). The one exception is 404,
which means four different things. Nothing that an error body says is passed on without redaction: such bodies echo
tokens, API keys and rejected passwords.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import errors
from .documents import text
from .redaction import is_secret_name, redact, redact_text
from .transport import Answer

# A server that names a longer time is not believed: a worker would sleep for hours.
LONGEST_RETRY_AFTER = 300.0

_LABELS = {
    "name": "The name",
    "owner_id": "The owner",
    "sip.username": "The SIP username",
    "sip.password": "The SIP password",
    "sip.realm": "The SIP realm",
    "caller_id.internal.name": "The caller ID name",
    "caller_id.internal.number": "The extension",
    "device_type": "The device type",
}
_BY_STATUS = {
    401: errors.Unauthorised,
    403: errors.Forbidden,
    405: errors.FaultyRequest,
    409: errors.Conflict,
    412: errors.Conflict,
    413: errors.FaultyRequest,
    415: errors.FaultyRequest,
    416: errors.TooLarge,
    423: errors.Locked,
    429: errors.TooMany,
    501: errors.FaultyRequest,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the API, read but not yet judged. `envelope` is empty if the body is not Audian's JSON."""

    answer: Answer = field(repr=False)
    envelope: Mapping[str, Any] = field(repr=False)
    request_id: str

    @classmethod
    def read(cls, answer: Answer, request_id: str) -> Reply:
        """Read the body. `request_id` is the one that was sent, for answers that name none."""
        try:
            envelope = json.loads(answer.body) if answer.body else {}
        except (ValueError, RecursionError):
            envelope = {}
        if not isinstance(envelope, dict):
            envelope = {}
        named = text(envelope.get("request_id")) or text(answer.headers.get("X-Request-ID"))
        return cls(answer, envelope, named[:100] or request_id)

    @property
    def data(self) -> Any:
        return self.envelope.get("data")

    @property
    def remaining(self) -> int | None:
        """What Audian says is left in our token bucket."""
        tokens = self.envelope.get("tokens")
        remaining = tokens.get("remaining") if isinstance(tokens, dict) else None
        return remaining if isinstance(remaining, int) and not isinstance(remaining, bool) else None

    @property
    def revision(self) -> str | None:
        """The revision of a single document, for `If-Match`; None if the server names none."""
        revision = self.envelope.get("revision")
        if isinstance(revision, str) and revision and revision != "automatic":
            return revision
        tag = self.answer.headers.get("ETag", "")
        return tag[1:-1] if len(tag) > 2 and tag[0] == tag[-1] == '"' and tag != '"automatic"' else None

    def checked(self, *, write: bool, about: str = "", secrets: Iterable[str] = ()) -> Reply:
        """Self, if the call succeeded; else raises the `AudianError` that the answer amounts to.

        `write` says whether the call may have changed something, `about` is the id of the one thing it was about;
        `secrets` must not appear in the error.
        """
        status = self.answer.status
        if 200 <= status < 300:
            if status == 204 or ("data" in self.envelope and self.envelope.get("status", "success") == "success"):
                return self
            raise errors.NotOurAnswer(**self._circumstances(doubtful=write))
        raise self._error(write, about, tuple(secrets))

    def _circumstances(self, *, doubtful: bool) -> dict[str, Any]:
        return {
            "status": self.answer.status,
            "request_id": self.request_id,
            "retry_after": _seconds(self.answer.headers.get("Retry-After")),
            "doubtful": doubtful,
        }

    def _error(self, write: bool, about: str, secrets: tuple[str, ...]) -> errors.AudianError:
        status, ours = self.answer.status, bool(self.envelope)
        refused = self._circumstances(doubtful=False)
        doubtful = self._circumstances(doubtful=write)
        if status in _BY_STATUS:
            return _BY_STATUS[status](**refused)
        if status >= 500 and status != 500:
            return errors.BadGateway(**doubtful)
        if status == 500:
            # A crash of the server behind one document has an empty body; a page of HTML is a proxy's.
            kind = errors.ServerFault if ours or not self.answer.body.strip() else errors.NotOurAnswer
            return kind(**doubtful)
        if 300 <= status < 400:
            sentence = "The address of the Audian API leads to another address. Enter the final one."
            return errors.NotOurAnswer(sentence, **doubtful)
        if not ours:
            return errors.NotOurAnswer(**doubtful)
        if status == 400:
            return self._invalid(refused, secrets)
        if status == 402:
            return self._charges(refused, secrets)
        if status == 404:
            return self._missing(about)(**refused)
        return errors.FaultyRequest(**refused)

    def _missing(self, about: str) -> type[errors.AudianError]:
        data = self.data if isinstance(self.data, dict) else {}
        slug = _slug(self.envelope.get("message"))
        if "bad_identifier" in (slug, _slug(data.get("message"))):
            # Something else may be missing than what was asked for; then nothing is said about that.
            return errors.NotFound if data.get("cause", about) == about else errors.FaultyRequest
        return errors.NoSuchRoute if slug == "not_found" else errors.FaultyRequest

    def _charges(self, circumstances: dict[str, Any], secrets: tuple[str, ...]) -> errors.AudianError:
        if _slug(self.envelope.get("message")) == "accept_charges" and isinstance(self.data, dict):
            return errors.ChargesToAccept(redact(self.data, secrets), **circumstances)
        return errors.PaymentRequired(**circumstances)

    def _invalid(self, circumstances: dict[str, Any], secrets: tuple[str, ...]) -> errors.Invalid:
        messages: dict[str, list[str]] = {}
        rules: dict[str, list[str]] = {}
        data = self.data if isinstance(self.data, dict) else {}
        for path, broken in data.items():
            if not isinstance(broken, dict):
                continue
            path = redact_text(text(path).replace("%2E", ".").replace("%2e", "."), secrets)
            for rule, detail in broken.items():
                rule = redact_text(text(rule), secrets)
                messages.setdefault(path, []).append(_message(path, rule, detail, secrets))
                rules.setdefault(path, []).append(rule)
        told = [f"{_LABELS.get(path, path)} {message}" for path, many in messages.items() for message in many]
        if not told:
            own = text(data.get("message")) or text(self.envelope.get("message"))
            told = [redact_text(own, secrets)[:300] or "it did not say why"]
        return errors.Invalid(messages, f"Audian refused this: {'; '.join(told)}.", rules=rules, **circumstances)


def _message(path: str, rule: str, detail: Any, secrets: tuple[str, ...]) -> str:
    """One broken rule in plain words. The rejected value (`value`, `cause`) is never read."""
    target = detail.get("target") if isinstance(detail, dict) else None
    if rule == "minLength" and isinstance(target, int):
        return f"must have at least {target} characters"
    if rule == "maxLength" and isinstance(target, int):
        return f"must have at most {target} characters"
    plain = {"required": "is missing", "unique": "is already in use", "pattern": "has characters that are not allowed"}
    if rule in plain:
        return plain[rule]
    told = text(detail.get("message")) if isinstance(detail, dict) else text(detail)
    if is_secret_name(path) or not told:
        return "was refused"
    return f"was refused: {redact_text(told, secrets)[:300]}"


def _slug(message: Any) -> str:
    return text(message).strip().lower().replace(" ", "_")


def _seconds(header: str | None) -> float | None:
    return min(float(header), LONGEST_RETRY_AFTER) if header and header.strip().isdecimal() else None
