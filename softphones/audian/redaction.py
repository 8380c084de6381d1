"""Secrets taken out of anything that may be logged, shown or put into an exception.

Audian answers hold secrets in many places: `sip.password` in documents, the rejected password in validation errors,
the caller's own token in every body, an unknown API key in a 404 (audian-api.md sections 1 to 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

MASK = "••••••••"

_SECRET_NAME = re.compile(r"pass(word|wd|phrase)?$|secret|token|api_?key|sha\d*_key|credential|authorization|^cookie$", re.I)
_JSON_WEB_TOKEN = re.compile(r"\beyJ[\w-]+(\.[\w-]+){1,2}")
_LONG_HEX = re.compile(r"\b[0-9a-fA-F]{64}\b")
_IN_QUERY = re.compile(r"((?:auth_token|token|api_key|password|secret)=)[^&\s\"']+", re.I)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name (dotted or not) holds a secret."""
    return bool(_SECRET_NAME.search(name.rsplit(".", 1)[-1]))


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets, and without anything that looks like a token or an API key."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASK)
    text = _JSON_WEB_TOKEN.sub(MASK, text)
    text = _LONG_HEX.sub(MASK, text)
    return _IN_QUERY.sub(rf"\g<1>{MASK}", text)


def redact(value: Any, secrets: Iterable[str] = ()) -> Any:
    """A copy of a JSON value in which no secret is left, in names, values or text.

    What stands below a field with a secret name goes as a whole: a validation error echoes the rejected password as
    `{"sip.password": {"minLength": {"value": "abc"}}}`.
    """
    secrets = tuple(secrets)
    if isinstance(value, dict):
        return {
            redact_text(str(name), secrets): MASK if is_secret_name(str(name)) else redact(item, secrets)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(item, secrets) for item in value]
    if isinstance(value, str):
        return redact_text(value, secrets)
    return value
