"""One HTTP exchange: bytes there, bytes back, in a bounded time and size. Knows nothing of Audian but its manners.

The deadline is total: name and connection, TLS, sending, headers and body share it, so a server that sends one byte a
second is cut off like one that sends none. A read time-out alone would start anew with every byte. (Only the system's
name resolver, when it hangs, cannot be interrupted; its time counts against what is left.)
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.exceptions import HTTPError as PoolError
from urllib3.util import Retry
from urllib3.util.connection import create_connection

from .errors import AccountTrouble, BadAddress, CutOff, NotOurAnswer, TimedOut, TooLarge, Unreachable

CONNECT_SECONDS = 3.05
CHUNK_BYTES = 65_536


class _Exchange(threading.local):
    """What the connection classes have to know of the exchange that this thread is making."""

    ends = float("inf")
    clock: Callable[[], float] = staticmethod(time.monotonic)
    # Whether anything was sent. Until then nothing can have been carried out.
    sent = False

    def left(self) -> float:
        """Seconds left; raises TimeoutError if there are none."""
        left = self.ends - self.clock()
        if left <= 0:
            raise TimeoutError("the time for this exchange is up")
        return left


_exchange = _Exchange()


class _TimedReader(io.RawIOBase):
    """The bytes of a socket; every read waits no longer than the exchange has left."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:
        self._sock.settimeout(_exchange.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: object, **kwargs: object) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))


class _Timed:
    """Mixed into urllib3's connections: connecting and sending share the deadline too."""

    response_class = _TimedResponse

    def _new_conn(self) -> socket.socket:
        try:
            addresses = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise NameResolutionError(self.host, self, error) from None
        failure: Exception = OSError("no address")
        for tries_left, (*_, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                seconds = min(CONNECT_SECONDS, _exchange.left() / tries_left)
                return create_connection(address[:2], seconds, socket_options=self.socket_options)
            except TimeoutError as error:
                failure = ConnectTimeoutError(self, str(error))
            except OSError as error:
                failure = NewConnectionError(self, str(error))
        raise failure

    def send(self, data: object) -> None:
        if self.sock is None and self.auto_open:
            self.connect()
        self.sock.settimeout(_exchange.left())
        _exchange.sent = True
        super().send(data)


class _TimedHTTPConnection(_Timed, HTTPConnection):
    pass


class _TimedHTTPSConnection(_Timed, HTTPSConnection):
    pass


class _TimedHTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _TimedHTTPConnection


class _TimedHTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TimedHTTPSConnection


class _TimedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _TimedHTTPPool, "https": _TimedHTTPSPool}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: `allow_redirects=False` alone would still read the whole body and look at where it leads."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came, complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Transport:
    """Sends requests to one API. Repeats only a connection that was never made, twice at most.

    `deadline` is the total time in seconds of one exchange, `max_bytes` the most that is read of an answer (after
    decompression). `ca_file` names the certificates to trust instead of the public ones. A Transport belongs to one task
    or thread.
    """

    def __init__(
        self,
        *,
        deadline: float = 13.0,
        max_bytes: int = 64 * 1024 * 1024,
        clock: Callable[[], float] = time.monotonic,
        ca_file: str | None = None,
    ) -> None:
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._clock = clock
        # Proxies and .netrc from the environment would send the token elsewhere.
        self._session = _Session()
        self._session.trust_env = False
        self._session.verify = ca_file or True
        never_made = Retry(
            total=None, connect=2, read=False, redirect=False, status=0, other=0, backoff_factor=0.1, backoff_max=0.2
        )
        adapter = _TimedAdapter(pool_connections=1, pool_maxsize=8, max_retries=never_made)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Give back the connections."""
        self._session.close()

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, within: float | None = None
    ) -> Answer:
        """One exchange, in `within` seconds if that is sooner than the deadline.

        Raises Unreachable if nothing was sent; TimedOut, CutOff, NotOurAnswer or TooLarge if something was. `doubtful`
        is set on the latter for any method but GET.
        """
        seconds = self._deadline if within is None else min(self._deadline, within)
        if seconds <= 0:
            raise TimedOut("There was no time left to ask Audian. The portal keeps trying.")
        _exchange.clock, _exchange.ends, _exchange.sent = self._clock, self._clock() + seconds, False
        answer = trouble = None
        try:
            answer = self._receive(method, url, headers, body, seconds)
        except AccountTrouble as error:
            trouble = error
        except (requests.RequestException, PoolError, OSError, http.client.HTTPException) as error:
            trouble = self._trouble(error, seconds)
        finally:
            _exchange.ends = float("inf")
        # Raised here and not where it was caught: so the library's exception, whose text may hold a secret, is not
        # carried along as the context of ours.
        if trouble is not None:
            trouble.doubtful = _exchange.sent and method != "GET"
            raise trouble
        return answer

    def _receive(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float) -> Answer:
        response = self._session.request(
            method,
            url,
            headers=headers,
            data=body,
            timeout=(min(CONNECT_SECONDS, seconds), seconds),
            allow_redirects=False,
            stream=True,
        )
        try:
            return Answer(response.status_code, response.headers, self._read(response))
        finally:
            # A connection that still owes us bytes is not used again.
            response.close()

    def _read(self, response: requests.Response) -> bytes:
        chunks, size = [], 0
        try:
            for chunk in response.raw.stream(CHUNK_BYTES, decode_content=True):
                chunks.append(chunk)
                size += len(chunk)
                if size > self._max_bytes:
                    break
        except (PoolError, OSError, http.client.HTTPException) as error:
            if self._is_over(error):
                raise
            cut = True
        else:
            cut = False
        if cut:
            raise NotOurAnswer("Audian's answer was cut short. The portal keeps trying.", status=response.status_code)
        if size > self._max_bytes:
            raise TooLarge(status=response.status_code)
        return b"".join(chunks)

    def _is_over(self, error: Exception) -> bool:
        seen: BaseException | None = error
        while seen is not None:
            if isinstance(seen, TimeoutError | urllib3.exceptions.TimeoutError | requests.Timeout):
                return True
            seen = seen.__cause__ or seen.__context__
        return self._clock() >= _exchange.ends

    def _trouble(self, error: Exception, seconds: float) -> AccountTrouble:
        if not _exchange.sent:
            if isinstance(error, requests.exceptions.SSLError):
                return Unreachable("The server's certificate could not be trusted. Check the API address.")
            return Unreachable()
        if self._is_over(error):
            return TimedOut(f"Audian did not answer within {seconds:.3g} seconds. The portal keeps trying.")
        return CutOff()


def checked_base(url: str, *, allow_http: bool = False) -> str:
    """The API address without a closing slash. Raises BadAddress unless it is https, or http to this machine."""
    try:
        parts = urlsplit(url.strip())
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise BadAddress()
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise BadAddress("The address of the Audian API must hold no name, password, ? or #.")
    if parts.scheme == "http" and not (allow_http or _is_loopback(host)):
        raise BadAddress()
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
