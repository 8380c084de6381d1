"""A cheap load generator: one process, a plain socket for each request, and the next request once the answer is there.

It shares the processors with what it measures, so it parses no more of an answer than its status and its length.
"""

import re
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import cycle

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PAGE = b"HTTP/1.1 200 "
PATIENCE = 30  # seconds


class WrongAnswer(Exception):
    """The portal answered something else than the page that is measured."""


def request(path: str, *, headers: dict[str, str], form: str | None = None) -> bytes:
    """A request as it goes over the wire; a POST if there is a `form`, which is form-encoded already."""
    if form is not None:
        headers = headers | {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(form))}
    lines = [f"{'GET' if form is None else 'POST'} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n" + (form or "")).encode()


def ask(port: int, wire: bytes) -> bytes:
    """The whole answer to one request."""
    with _connection(port) as connection:
        connection.sendall(wire)
        kept = bytearray()
        while not _is_whole(kept):
            kept += _received(connection)
        return bytes(kept)


def load(port: int, visitors: Sequence[Sequence[bytes]], *, seconds: float) -> list[float]:
    """How long each answer took, in seconds, while all visitors sent their requests one after the other, over and over.

    Raises WrongAnswer for an answer that is no page.
    """
    latencies: list[float] = []
    with ExitStack() as stack:
        waiting = stack.enter_context(selectors.DefaultSelector())
        for requests in visitors:
            _Visitor(port, cycle(requests), waiting).asks()
        until = time.perf_counter() + seconds
        while waiting.get_map():
            for key, _events in _ready(waiting):
                if key.data.hears():
                    latencies.append(key.data.seconds)
                    if time.perf_counter() < until:
                        key.data.asks()
    return latencies


class _Visitor:
    def __init__(self, port: int, requests: Iterator[bytes], waiting: selectors.BaseSelector):
        self._port, self._requests, self._waiting, self._kept = port, requests, waiting, bytearray()

    def asks(self) -> None:
        """Over a connection of its own, as the portal wants it (portal/gunicorn.py). Whoever waits is registered."""
        self._kept.clear()
        self._begun = time.perf_counter()
        self._connection = _connection(self._port)
        self._waiting.register(self._connection, selectors.EVENT_READ, self)
        self._connection.sendall(next(self._requests))

    def hears(self) -> bool:
        """Whether the answer is there as a whole; then `seconds` is how long it took."""
        self._kept += _received(self._connection)
        if not _is_whole(self._kept):
            return False
        self.seconds = time.perf_counter() - self._begun
        self._waiting.unregister(self._connection)
        self._connection.close()
        if not self._kept.startswith(PAGE):
            raise WrongAnswer(self._kept.partition(b"\r\n\r\n")[0].decode(errors="replace"))
        return True


def _connection(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _received(connection: socket.socket) -> bytes:
    received = connection.recv(1 << 18)
    if not received:
        raise WrongAnswer("The portal closed the connection.")
    return received


def _is_whole(answer: bytearray) -> bool:
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    length = _LENGTH.search(answer, 0, head + 2)
    if length is None:
        raise WrongAnswer(f"An answer without its length: {answer[:head].decode(errors='replace')}")
    return len(answer) >= head + 4 + int(length[1])


def _ready(waiting: selectors.BaseSelector) -> list:
    ready = waiting.select(timeout=PATIENCE)
    if not ready:
        raise WrongAnswer(f"Nothing came for {PATIENCE} seconds.")
    return ready
