"""Everything that can go wrong at the other end, on demand.

A fault is added by name, waits for a request that fits, and is used up by it (or stands until cleared).
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .envelope import CutConnection, Refusal, Request, Response, html_response

WRITES = ("PUT", "POST", "PATCH", "DELETE")


@dataclass
class Fault:
    """One thing to go wrong. `times` None stands until cleared; `path` is part of the path below the account."""

    name: str
    times: int | None = 1
    method: str = ""
    path: str = ""
    after: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def fits(self, request: Request) -> bool:
        """Whether this request is one that the fault is meant for and that it can happen to."""
        below = request.below
        if self.method and self.method != request.method:
            return False
        if self.path.endswith("$"):
            if below != self.path[:-1]:
                return False
        elif (self.path and self.path not in below) or (not self.path and not request.path.startswith("/v2")):
            return False
        return KINDS[self.name].suits(request)

    def as_dict(self) -> dict[str, Any]:
        named = {"name": self.name, "times": self.times, "method": self.method, "path": self.path, "after": self.after}
        return {**named, **self.options}


@dataclass(frozen=True)
class Kind:
    """How a fault shows: `stage` is "instead" (of the answer), "wait", "content" (of a list) or "wire" (its bytes)."""

    stage: str
    suits: Callable[[Request], bool]
    refusal: Callable[[Fault], Refusal | Response] | None = None


def _any(request: Request) -> bool:
    return True


def _write(request: Request) -> bool:
    return request.method in WRITES and "/accounts/" in request.path


def _list(request: Request) -> bool:
    tail = request.below.rstrip("/").rsplit("/", 1)[-1]
    return request.method == "GET" and (tail in ("devices", "users") or request.below == "/devices/status")


def _device_write(request: Request) -> bool:
    return request.method in ("PUT", "POST", "PATCH") and request.below.startswith("/devices")


def _says(status: int, message: str, data: Any = None) -> Callable[[Fault], Refusal]:
    return lambda fault: Refusal(status, message, data)


def quote(fault: Fault) -> Refusal:
    """The 402 of a billable addition (audian-api.md section 9); `rate` and `activation_charges` can be given."""
    rate, activation = fault.options.get("rate", 2.0), fault.options.get("activation_charges", 1.0)
    item = {"category": "devices", "item": "softphone", "quantity": 1, "rate": rate, "activation_charges": activation}
    return Refusal(402, "accept charges", {"devices": {"softphone": item}, "activation_charges": activation})


KINDS: dict[str, Kind] = {
    "expired_token": Kind(
        "instead", lambda r: "/api_auth" not in r.path and r.path.startswith("/v2"), _says(401, "invalid credentials", {})
    ),
    "402": Kind("instead", _device_write, quote),
    "402_standing": Kind("instead", _device_write, _says(402, "no_credit", {"message": "no credit"})),
    "403": Kind("instead", _any, _says(403, "forbidden")),
    "409": Kind("instead", _write, _says(409, "datastore_conflict", {"message": "conflicting documents"})),
    "412_empty": Kind("instead", lambda r: "if-match" in r.headers, lambda fault: Refusal(412, empty=True)),
    "416": Kind("instead", _list, _says(416, "range not satisfiable", {})),
    "423": Kind("instead", _any, _says(423, "locked", {"account": {"disabled": {"message": "account disabled"}}})),
    "429": Kind("instead", _any, _says(429, "too_many_requests")),
    "500": Kind("instead", _any, _says(500, "unspecified_fault")),
    "503": Kind("instead", _any, _says(503, "datastore_unreachable")),
    "html_502": Kind("instead", _any, lambda fault: html_response(502, "502 Bad Gateway")),
    "html_200": Kind("instead", _any, lambda fault: html_response(200, "Please wait")),
    "empty_body_200": Kind("instead", _any, lambda fault: Response(200, {"Content-Type": "application/json"}, b"")),
    "slow": Kind("wait", _any),
    "cut_before": Kind("wait", _any),
    "cut_after": Kind("wire", _any),
    "truncated_body": Kind("wire", _any),
    "drip": Kind("wire", _any),
    "empty_listing": Kind("content", _list),
    "empty_page": Kind("content", _list),
    "repeated_page_key": Kind("content", _list),
    "registrations_empty": Kind("content", lambda r: r.method == "GET" and r.below.startswith("/registrations")),
}


class Faults:
    """The faults that wait for a request. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(
        self,
        name: str,
        times: int | None = 1,
        *,
        match: str = "",
        method: str = "",
        path: str = "",
        after: bool = False,
        **options: Any,
    ) -> Fault:
        """Add a fault by name.

        `match` is "GET /devices" in one; a path ending in "$" must be the whole path below the account. `after` lets a
        status fault (or `slow`) come after the request was carried out. `seconds` belongs to `slow` and `drip`, `rate`
        and `activation_charges` to `402`, which is used up only when a request accepts the charges.
        Raises ValueError for an unknown name.
        """
        if name not in KINDS:
            raise ValueError(f"There is no fault {name!r}. Known faults: {', '.join(KINDS)}.")
        if match:
            method, _, path = match.partition(" ") if match[0] != "/" else ("", "", match)
        fault = Fault(name, times, method.upper(), path, after, options)
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._waiting.clear()

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(list(self._waiting))

    def take(self, stage: str, request: Request) -> Fault | None:
        """The first waiting fault of this stage that fits the request, counted as used."""
        with self._lock:
            for fault in self._waiting:
                if KINDS[fault.name].stage == stage and fault.fits(request):
                    accepted = fault.name == "402" and (request.body or {}).get("accept_charges") is True
                    if accepted or fault.name != "402":
                        self._use(fault)
                    return None if accepted else fault
        return None

    def _use(self, fault: Fault) -> None:
        if fault.times is not None:
            fault.times -= 1
            if fault.times < 1:
                self._waiting.remove(fault)


def on_the_wire(fault: Fault, response: Response, wait: Callable[[float], None] = time.sleep) -> Response:
    """The response as it arrives under a `wire` fault: cut off, cut short, or byte by byte.

    Raises CutConnection when not a byte of it arrives.
    """
    if fault.name == "cut_after":
        raise CutConnection
    if fault.name == "truncated_body":
        chunks = _half(response.body)
    else:
        chunks = _drops(response.body, float(fault.options.get("seconds", 0.05)), wait)
    return Response(response.status, response.headers, response.body, chunks)


def _half(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise CutConnection


def _drops(body: bytes, seconds: float, wait: Callable[[float], None]) -> Iterator[bytes]:
    for position in range(len(body)):
        yield body[position : position + 1]
        wait(seconds)
