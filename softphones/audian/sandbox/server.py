"""A threaded HTTP/1.1 server for the sandbox, on loopback, that can cut a connection or let a body drip."""

import io
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_to_bytes

from .app import Sandbox
from .envelope import CutConnection

LOOPBACK = "127.0.0.1"
IDLE_SECONDS = 75
BIGGEST_BODY_READ = 32_000_000


class SandboxServer(ThreadingHTTPServer):
    """Serves one sandbox. `stop` closes the door and every open connection, so that clients notice at once."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, sandbox: Sandbox, port: int, host: str):
        self.sandbox = sandbox
        self.closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._idle = threading.Condition()
        self._thread = threading.Thread(target=self._accept, name="sandbox", daemon=True)
        super().__init__((host, port), SandboxHandler)

    @property
    def url(self) -> str:
        """Where the API is: "http://127.0.0.1:<port>/v2"."""
        return f"http://{self.server_name}:{self.server_port}/v2"

    def server_bind(self) -> None:
        """Bind without asking DNS for a name, as http.server would. A port that was just left is free."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address

    def start(self) -> None:
        """Begin to answer, in a thread of its own."""
        self._thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            self.handle_request()

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond the server's end: then CutConnection is raised."""
        if self.closing.wait(seconds):
            raise CutConnection

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._idle:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._idle:
            self._connections.discard(request)
            self._idle.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of faults of ours; that a client was killed is none."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def stop(self, patience: float = 2.0) -> None:
        """End serving; wait at most `patience` seconds for requests that are being answered."""
        self.closing.set()
        with suppress(OSError):
            socket.create_connection((self.server_name, self.server_port), timeout=patience).close()
        self._thread.join(patience)
        self.server_close()
        with self._idle:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._idle.wait_for(lambda: not self._connections, timeout=patience)


class SandboxHandler(BaseHTTPRequestHandler):
    """One connection: drives the WSGI app and writes what it says, byte for byte."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    server: SandboxServer

    def run_app(self) -> None:
        """Answer one request, or cut the connection when the sandbox says so."""
        try:
            self._answer()
        except (CutConnection, ConnectionError, TimeoutError):
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_OPTIONS = run_app

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: addresses and bodies hold secrets."""

    def _answer(self) -> None:
        head: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            date = formatdate(time.time() + self.server.sandbox.clock_ahead, usegmt=True)
            known = [f"HTTP/1.1 {status}", "Server: Cowboy", f"Date: {date}"]
            lines = [*known, *(f"{name}: {value}" for name, value in headers)]
            head.append("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))

        pieces = iter(self.server.sandbox(self._environ(), start_response))
        if self.command == "HEAD":
            self.wfile.write(head[0])
            return
        self.wfile.write(head[0] + next(pieces, b""))
        for piece in pieces:
            self.wfile.write(piece)

    def _environ(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        length = self._body_length()
        environ = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_PROTOCOL": self.request_version,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "wsgi.input": io.BytesIO(self.rfile.read(length)),
            "wsgi.url_scheme": "http",
            "sandbox.wait": self.server.wait,
        }
        for name, value in self.headers.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        return environ

    def _body_length(self) -> int:
        """How much body to read; a body whose end is not known in advance ends the connection instead."""
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > BIGGEST_BODY_READ or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return 0
        return int(length)


@contextmanager
def serve(sandbox: Sandbox, port: int = 0, host: str = LOOPBACK) -> Iterator[str]:
    """Serve the sandbox while the block runs; yields the API's address ("http://127.0.0.1:43211/v2").

    Port 0 takes any free one. Raises OSError for a port that is taken.
    """
    server = SandboxServer(sandbox, port, host)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
