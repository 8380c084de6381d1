"""What a log line looks like, what it belongs to, and what never stands in one.

A line is plain text or one JSON object (`LOG_FORMAT`). It names the request, and the task, during which it was written:
the id of a request travels with the Celery messages that it sends, so that one search finds all that came of it.
"""

import json
import logging
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# One-time addresses inside of a sentence: also mistyped a little, in capitals, and quoted inside of another address.
_ONE_TIME = re.compile(r"(/s/[^\w\s-]*|(?:[?&;]|%3f|%26|%3b)(?:id|t)(?:=|%3d))[^\s\"'&]+", re.IGNORECASE)
# What may be one, and whatever follows: of a path that stands by itself nothing else has to be kept. As in deploy/proxy/log,
# for a path that was decoded already.
_REST = re.compile(r"((?:[/\\]|%2f|%5c)(?:s|%[57]3)(?:%[0-9a-f]{2}|[^a-z0-9_-])|[?;&]|%3[bf]|%26).*", re.IGNORECASE | re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_FORMATTER = logging.Formatter()
CLIENT = "portal.client"  # where a request's WSGI environment says who sent it: its REMOTE_ADDR may be a proxy of ours
# What gunicorn calls what a line of its access log tells. The request's id stands in its answer.
_ACCESS = {
    "client": f"{{{CLIENT}}}e",
    "method": "m",
    "path": "U",
    "status": "s",
    "bytes": "B",
    "milliseconds": "M",
    "request_id": "{x-request-id}o",
}

_under_way: ContextVar[Mapping[str, str]] = ContextVar("under_way", default=MappingProxyType({}))


def new_id() -> str:
    return uuid.uuid4().hex


def request_id() -> str:
    """The id of the request, or of what it set going, that is under way; "" if nothing is."""
    return _under_way.get().get("request_id", "")


@contextmanager
def belonging_to(**names: str) -> Iterator[None]:
    """Every line that this thread writes in this block names these: `request_id`, `task`, `task_id`."""
    before = _under_way.set(names)
    try:
        yield
    finally:
        _under_way.reset(before)


def without_tokens(text: str) -> str:
    return _ONE_TIME.sub(r"\1…", text)


def path_without_token(path: str) -> str:
    return _REST.sub(r"\1…", path)


def configuration(*, line: str, level: str, own: tuple[str, ...] = ()) -> dict:
    """What `logging.config.dictConfig` takes: every line goes to stderr. `line` is "text" or "json".

    The loggers `own` write by themselves, at INFO; all others by way of the root, from `level` on.
    """
    itself = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
    passed_on = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"secrets": {"()": "portal.logs.SecretsFilter"}},
        "formatters": {"line": {"()": {"text": "portal.logs.TextLine", "json": "portal.logs.JsonLine"}[line]}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["secrets"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {"django": passed_on, "django.server": passed_on} | dict.fromkeys(own, itself),
    }


class SecretsFilter(logging.Filter):
    """Renders the record and takes set-up tokens out of its text and traceback.

    Other secrets are never handed to a logger at all. A message stays on one line, so that no path forges another.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        is_access = record.name == "gunicorn.access" and isinstance(record.args, Mapping)
        if is_access:
            record.args[_ACCESS["path"]] = path_without_token(record.args[_ACCESS["path"]])
        elif hasattr(record, "request") and isinstance(record.args, tuple):
            # Django names the path of the request, decoded.
            record.args = tuple(path_without_token(each) if _is_path(each) else each for each in record.args)
        message = record.getMessage()
        cleaned = _clean(message)
        if is_access:
            record.fields = {name: _field(name, record.args[atom]) for name, atom in _ACCESS.items() if atom in record.args}
        if cleaned != message:
            record.msg, record.args = cleaned, None
        if record.exc_info:
            # Formatters keep to a text that is there already.
            record.exc_text = without_tokens(record.exc_text or _FORMATTER.formatException(record.exc_info))
        return True


class TextLine(logging.Formatter):
    """Time, level, logger, message; then what it belongs to, in brackets."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        told = _belongs_to(record)
        names = [told[name] for name in ("task", "request_id") if name in told]
        return f"{super().formatMessage(record)} [{' '.join(names)}]" if names else super().formatMessage(record)


class JsonLine(logging.Formatter):
    """One JSON object a line, in ASCII, so that no machine's encoding can spoil it. `time` is UTC."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _belongs_to(record)
        if record.exc_info or record.exc_text:
            line["exception"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(line)


def _belongs_to(record: logging.LogRecord) -> dict:
    """What gunicorn and Django write when the request is over names it itself: in its fields, as its `request`."""
    request = getattr(record, "request", None)
    named = {"request_id": request.id} if hasattr(request, "id") else {}
    return _under_way.get() | named | getattr(record, "fields", {})


def _is_path(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/")


def _field(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    return int(value) if name == "status" and value.isdecimal() else _clean(value)


def _clean(text: str) -> str:
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], without_tokens(text))
