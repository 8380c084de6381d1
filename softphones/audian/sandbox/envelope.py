"""What goes into and out of the sandbox's API: the parsed request, the answer, and the refusals Kazoo knows.

The shapes are those of audian-api.md section 2. Nothing here knows what a device is.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

VERSION = "5.4.32.6"
NODE = "sandbox@api.audian.invalid"
GREGORIAN_OFFSET = 62167219200
"""Kazoo counts seconds from the year 0: unix = gregorian - 62167219200 (audian-api.md section 2)."""

REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    423: "Locked",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class CutConnection(Exception):
    """Raised by the WSGI app, or while its body is read, to have the connection closed without another byte."""


class Refusal(Exception):
    """A request that is not done. `data` None means an empty body, as cowboy answers by itself."""

    def __init__(self, status: int, message: str = "", data: Any = None, *, empty: bool = False):
        super().__init__(message)
        self.status = status
        self.message = message
        self.data = {"message": message.replace("_", " ")} if data is None and not empty else data
        self.empty = empty


def bad_identifier(identifier: str) -> Refusal:
    """The 404 for a document that is unknown, deleted, or of another type."""
    return Refusal(404, "bad_identifier", {"message": "bad identifier", "cause": identifier})


def no_such_route() -> Refusal:
    """The 404 for an address that Kazoo has no module for."""
    return Refusal(404, "not_found")


def wrong_method() -> Refusal:
    """The 405 for an address that exists, under another verb."""
    return Refusal(405, "invalid_method")


def faulty_request() -> Refusal:
    """The 404 that a bad `page_size` or `fields` earns."""
    return Refusal(404, "faulty_request")


def invalid(errors: dict[str, dict]) -> Refusal:
    """The 400 that lists each rule a document breaks: {"sip.username": {"unique": {"message": ...}}}."""
    return Refusal(400, "validation error", errors)


@dataclass
class Request:
    """One request to the API, read once."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw_body: bytes
    ip: str
    request_id: str
    host: str = ""
    body: dict[str, Any] | None = field(default_factory=dict)
    token: str = ""
    claims: dict | None = None

    @property
    def parts(self) -> list[str]:
        """The segments below /v2."""
        return [part for part in self.path.split("/") if part][1:]

    @property
    def below(self) -> str:
        """The path below the account ("/devices/<id>"), else below /v2 ("/api_auth"), else the path itself ("/qr.php")."""
        return below_account(self.path)

    @property
    def data(self) -> Any:
        """What stands under `data` in the body."""
        return (self.body or {}).get("data")


def below_account(path: str) -> str:
    """Cut "/v2/accounts/<id>" or "/v2" from the front of a path; the account itself is "/"."""
    parts = path.split("/")
    if parts[1:2] != ["v2"]:
        return path
    return "/" + "/".join(parts[4:] if parts[2:3] == ["accounts"] else parts[2:])


@dataclass
class Answer:
    """An answer of the API before it is dressed in its envelope."""

    data: Any
    status: int = 200
    revision: str = "automatic"
    metadata: dict | None = None
    paging: dict | None = None
    headers: dict[str, str] = field(default_factory=dict)
    auth_token: str = ""


@dataclass
class Response:
    """Bytes for the wire. `chunks` may sleep between two pieces, or raise CutConnection."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunks: Iterable[bytes] | None = None

    @property
    def status_line(self) -> str:
        return f"{self.status} {REASONS[self.status]}"


def gregorian(unix: float) -> int:
    """Unix seconds as Kazoo's Gregorian seconds."""
    return int(unix) + GREGORIAN_OFFSET


def iso(unix: float) -> str:
    """Unix seconds as "2026-02-04T18:45:54Z"."""
    return datetime.fromtimestamp(int(unix), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def encode(value: Any) -> bytes:
    """JSON as Kazoo writes it: compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def json_response(status: int, envelope: dict, headers: dict[str, str]) -> Response:
    """An envelope as bytes; a list page also gets its weak ETag (audian-api.md section 5)."""
    body = encode(envelope)
    headers = {"Content-Type": "application/json", **headers}
    if envelope.get("revision") == "automatic" and isinstance(envelope.get("data"), list):
        headers["ETag"] = f'W/"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    return Response(status, headers, body)


def html_response(status: int, title: str) -> Response:
    """What a proxy in front of the API says when the API does not."""
    page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>\r\n"
    return Response(status, {"Content-Type": "text/html"}, page.encode())
