"""A client in front of the sandbox, and a server that answers whatever a test writes."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest

from softphones.audian.client import AudianClient
from softphones.audian.credentials import ApiKey, StaticToken
from softphones.audian.sandbox import Sandbox, serve


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., tuple[Sandbox, str]]]:
    """Start a sandbox with the given options: (sandbox, url). No rate limit unless a test asks for it."""
    running = []

    def make(**options) -> tuple[Sandbox, str]:
        sandbox = Sandbox(**{"rate_limit": False} | options)
        server = serve(sandbox, port=0)
        url = server.__enter__()
        running.append(server)
        return sandbox, url

    yield make
    for server in reversed(running):
        server.__exit__(None, None, None)


@pytest.fixture
def started(make_sandbox) -> tuple[Sandbox, str]:
    return make_sandbox()


@pytest.fixture
def sandbox(started) -> Sandbox:
    return started[0]


@pytest.fixture
def make_client(started) -> Iterator[Callable[..., AudianClient]]:
    """A client of the sandbox with the right credentials; a test may give others, or another sandbox as `at`."""
    made = []

    def make(at: tuple[Sandbox, str] | None = None, **options) -> AudianClient:
        sandbox, url = at or started
        known = {"url": url, "account_id": sandbox.account_id, "credentials": ApiKey(sandbox.api_key)}
        client = AudianClient(**known | options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client) -> AudianClient:
    return make_client()


@pytest.fixture
def plant(sandbox) -> Callable[..., str]:
    """Put a softphone into the account as an operator could have left it: its id."""

    def add(name: str = "Alice Smith - softphone", username: str = "alice", password: str = "s3cret-of-alice", **more):
        document = {
            "name": name,
            "device_type": "softphone",
            "enabled": True,
            "sip": {"username": username, "password": password, "method": "password"},
        }
        return sandbox.add_device(**document | more)

    return add


class RudeServer:
    """Answers each connection with the given pieces, `pause` seconds after each, then closes. Counts connections.

    `finished` counts those that stayed until all was said and the last pause was over. Speaks TLS with the context
    given as `tls`.
    """

    def __init__(self, *pieces: bytes, pause: float = 0.0, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.pieces = pieces
        self.pause = pause
        self.connections = self.finished = 0
        self.requests: list[bytes] = []
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v2"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                with self._tls.wrap_socket(connection, server_side=True) if self._tls else connection as spoken:
                    self._answer(spoken)
            except OSError:
                connection.close()

    def _answer(self, connection: socket.socket) -> None:
        try:
            self.requests.append(connection.recv(65_536))
            for piece in self.pieces:
                connection.sendall(piece)
                if self._closing.wait(self.pause):
                    return
            self.finished += 1
        except OSError:
            return

    def close(self) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def rude() -> Iterator[Callable[..., RudeServer]]:
    servers = []

    def make(*pieces: bytes, **options) -> RudeServer:
        servers.append(RudeServer(*pieces, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def answered(rude, make_client) -> Callable[..., AudianClient]:
    """A client whose every call gets this answer; `data` alone is a good answer around that JSON text."""

    def make(status: int = 200, body: str | None = None, *, data: str = "", headers: str = "") -> AudianClient:
        content = (f'{{"data": {data}, "status": "success"}}' if body is None else body).encode()
        head = f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        server = rude(head.encode() + content)
        return make_client(url=server.url, credentials=StaticToken("token"))

    return make
