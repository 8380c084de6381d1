"""The sandbox: a WSGI app that stands in for the Audian API, and the test's own view of what is in it."""

import dataclasses
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from .api import Api, parsed_body
from .buckets import TokenBuckets
from .control import Control
from .dialects import DIALECTS
from .documents import merged, nested
from .envelope import Answer, CutConnection, Refusal, Request, Response, below_account, html_response
from .faults import KINDS, Fault, Faults, on_the_wire
from .state import State
from .zoiper import ZoiperService

MOST_CALLS_KEPT = 200_000


@dataclasses.dataclass
class Call:
    """One request that came in. `status` is None while it runs and 0 when the connection was cut instead."""

    method: str
    path: str
    query: dict[str, str]
    at: float
    request_id: str
    status: int | None = None

    @property
    def below(self) -> str:
        """The path below the account: "/devices/<id>", "/api_auth", "/qr.php"."""
        return below_account(self.path)


class Sandbox:
    """A stand-in for one Audian account and its API.

    `devices`: how many softphones to seed (a state file that exists already keeps what it has). `registered`: which
    share of the ordinary ones is connected. `latency`: seconds before every answer. `honours_fields` False is Kazoo
    4.3; `honours_if_match` False never answers 412. `token_seconds`: life of the tokens it hands out.
    `zoiper_token_url`: the Token URL that the operator told Zoiper; the token is put right behind it.
    `open_controls`: the switches below /sandbox answer other machines too.
    `clock`: the seconds by which the token buckets fill. The attribute `clock_ahead` holds the seconds by which the time
    that it tells in its Date headers is wrong.
    Raises `store.StateFileError` when the state file cannot be used.
    """

    def __init__(
        self,
        *,
        devices: int = 0,
        dialect: str = "kazoo",
        rate_limit: bool = True,
        latency: float = 0.0,
        state_file: str | Path | None = None,
        seed: int = 1,
        honours_fields: bool = True,
        honours_if_match: bool = True,
        token_seconds: float = 3600,
        registered: float = 0.0,
        zoiper_token_url: str = "http://127.0.0.1:8000/zoiper?id=",
        open_controls: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.state = State(softphones=devices, seed=seed, path=state_file, registered=registered, token_seconds=token_seconds)
        self.dialect = DIALECTS[dialect]
        self.latency = latency
        self.clock_ahead = 0.0
        self.buckets = TokenBuckets(enabled=rate_limit, clock=clock)
        self.faults = Faults()
        self.calls: list[Call] = []
        self.zoiper = ZoiperService(self.state.zoiper_provider_id, zoiper_token_url)
        self._callbacks: list[Callable[[str, str], None]] = []
        self._control = Control(self, open_to_all=open_controls)
        self._api = Api(
            self.state, self.buckets, self.dialect, honours_fields=honours_fields, honours_if_match=honours_if_match
        )

    @property
    def account_id(self) -> str:
        return self.state.account_id

    @property
    def foreign_account_id(self) -> str:
        """An account that exists and is not ours: 403."""
        return self.state.foreign_account_id

    @property
    def api_key(self) -> str:
        return self.state.api_key

    @property
    def realm(self) -> str:
        return self.state.realm

    @property
    def static_token(self) -> str:
        """A token that is always valid."""
        return self.state.static_token

    @property
    def zoiper_provider_id(self) -> str:
        return self.state.zoiper_provider_id

    def close(self) -> None:
        """Let go of the state file."""
        self.state.close()

    # The test's own hands. None of these is a call, and none is validated.

    def add_device(self, **document: Any) -> str:
        """Plant a device just as given (`id` chooses its id). Answers the id."""
        return self._add(self.state.devices, document)

    def add_user(self, **document: Any) -> str:
        """Plant a user just as given (`id` chooses its id). Answers the id."""
        return self._add(self.state.users, document)

    def device(self, id: str) -> dict | None:
        """A device as it is stored, with its `id`; None for an unknown one."""
        return self._read(self.state.devices, id)

    def user(self, id: str) -> dict | None:
        """A user as it is stored, with its `id`; None for an unknown one."""
        return self._read(self.state.users, id)

    def devices(self) -> list[dict]:
        """All devices, by id."""
        with self.state.lock:
            return [{**self.state.devices.document(entry), "id": entry.id} for entry in self.state.devices]

    def users(self) -> list[dict]:
        """All users, by id."""
        with self.state.lock:
            return [{**self.state.users.document(entry), "id": entry.id} for entry in self.state.users]

    def change_device(self, id: str, **changes: Any) -> None:
        """Change a device behind the API's back: dotted names or nested objects; None takes a key away."""
        self._change(self.state.devices, id, changes)

    def change_user(self, id: str, **changes: Any) -> None:
        """Change a user behind the API's back: dotted names or nested objects; None takes a key away."""
        self._change(self.state.users, id, changes)

    def remove_device(self, id: str) -> None:
        """Take a device away, and its registrations. Raises KeyError for an unknown one."""
        with self.state.lock:
            self.state.devices.remove(id)
            self.state.registrations.flush(id)

    def remove_user(self, id: str) -> None:
        """Take a user away; the phones stay. Raises KeyError for an unknown one."""
        with self.state.lock:
            self.state.users.remove(id)

    def device_id(self, username: str) -> str:
        """The id of the device with this SIP username. Raises KeyError when there is none."""
        with self.state.lock:
            found = self.state.devices.of_username(username)
        if not found:
            raise KeyError(username)
        return found[0]

    def register(
        self,
        device_id: str,
        user_agent: str = "Zoiper v5",
        ip: str = "203.0.113.50",
        port: int = 52415,
        expires: int = 300,
        at: float | None = None,
    ) -> None:
        """Let a phone connect. It renews itself every `expires` seconds until `unregister`; `at` (Unix seconds) is when
        it first did. Raises KeyError for an unknown device.
        """
        with self.state.lock:
            device = self.device(device_id)
            if device is None:
                raise KeyError(device_id)
            self.state.registrations.add(
                device_id, device, self.realm, user_agent=user_agent, ip=ip, port=port, expires=expires, at=at
            )

    def unregister(self, device_id: str) -> None:
        """Take a phone off."""
        with self.state.lock:
            self.state.registrations.flush(device_id)

    def expire_tokens(self) -> None:
        """All tokens handed out so far are refused from now on; the static one stays."""
        self.state.expire_tokens()

    def on_request(self, callback: Callable[[str, str], None]) -> None:
        """Have `callback(method, path)` run before each request is handled."""
        self._callbacks.append(callback)

    def _add(self, collection: Any, document: dict) -> str:
        with self.state.lock:
            id_ = document.pop("id", None) or self.state.new_id()
            collection.save(id_, document, self.state.now())
        return id_

    def _read(self, collection: Any, id: str) -> dict | None:
        with self.state.lock:
            entry = collection.get(id)
            return None if entry is None else {**collection.document(entry), "id": id}

    def _change(self, collection: Any, id: str, changes: dict) -> None:
        with self.state.lock:
            entry = collection.get(id)
            if entry is None:
                raise KeyError(id)
            collection.save(id, merged(collection.document(entry), nested(changes)), self.state.now())

    # The WSGI app

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        request = _request(environ)
        if request.path == "/sandbox" or request.path.startswith("/sandbox/"):
            response = self._control.respond(request)
        else:
            response = self._served(request, environ.get("sandbox.wait", time.sleep))
        headers = response.headers | {"Content-Length": str(len(response.body))}
        if response.status in (204, 304):
            del headers["Content-Length"]
        start_response(response.status_line, list(headers.items()))
        return [response.body] if response.chunks is None else response.chunks

    def _served(self, request: Request, wait: Callable[[float], Any]) -> Response:
        call = Call(request.method, request.path, request.query, time.time(), request.request_id)
        self.calls.append(call)
        if len(self.calls) > MOST_CALLS_KEPT:
            del self.calls[: MOST_CALLS_KEPT // 2]
        try:
            for callback in self._callbacks:
                callback(request.method, request.path)
            response = self._with_faults(request, wait)
        except CutConnection:
            call.status = 0
            raise
        call.status = response.status
        return response

    def _with_faults(self, request: Request, wait: Callable[[float], Any]) -> Response:
        if self.latency:
            wait(self.latency)
        delay = self.faults.take("wait", request)
        if delay and delay.name == "cut_before":
            raise CutConnection
        if delay and not delay.after:
            wait(_seconds(delay))
        instead = self.faults.take("instead", request)
        response = self._carried_out(request, instead)
        if delay and delay.after:
            wait(_seconds(delay))
        wire = self.faults.take("wire", request)
        return on_the_wire(wire, response, wait) if wire else response

    def _carried_out(self, request: Request, instead: Fault | None) -> Response:
        if not request.path.startswith("/v2"):
            response = self.zoiper.respond(request)
            return self._in_stead(request, instead) if instead else response
        planned = KINDS[instead.name].refusal(instead) if instead else None
        if isinstance(planned, Refusal) and not instead.after:
            return self._api.respond(request, self._shaped(request), planned)
        if isinstance(planned, Response) and not instead.after:
            return planned
        response = self._api.respond(request, self._shaped(request))
        return self._in_stead(request, instead) if instead else response

    def _in_stead(self, request: Request, fault: Fault) -> Response:
        planned = KINDS[fault.name].refusal(fault)
        if isinstance(planned, Response):
            return planned
        if request.path.startswith("/v2"):
            return self._api.refused(request, planned)
        return html_response(planned.status, planned.message)

    def _shaped(self, request: Request) -> Callable[[Answer], Answer]:
        """What a `content` fault makes of a list's answer."""

        def shape(answer: Answer) -> Answer:
            fault = self.faults.take("content", request)
            if fault is None:
                return answer
            paging = dict(answer.paging or {})
            if fault.name == "repeated_page_key":
                return dataclasses.replace(answer, paging={**paging, "next_start_key": paging.get("start_key")})
            paging = {**paging, "page_size": 0} if paging else {}
            if fault.name == "empty_listing":
                paging.pop("next_start_key", None)
            data: Any = {"count": 0} if isinstance(answer.data, dict) else []
            return dataclasses.replace(answer, data=data, paging=paging or None)

        return shape


def _seconds(fault: Fault) -> float:
    return float(fault.options.get("seconds", 1.0))


def _request(environ: dict) -> Request:
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    headers["content-type"] = environ.get("CONTENT_TYPE") or ""
    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    request = Request(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace"),
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        headers=headers,
        raw_body=raw,
        ip=environ.get("REMOTE_ADDR", ""),
        request_id=headers.get("x-request-id") or uuid.uuid4().hex,
        host=headers.get("host", ""),
        body=parsed_body(raw),
    )
    request.token = _token(request)
    return request


def _token(request: Request) -> str:
    """Where a token may stand, in Kazoo's order: header, query, body, Authorization."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    in_body = (request.body or {}).get("auth_token")
    return (
        request.headers.get("x-auth-token")
        or request.query.get("auth_token")
        or (in_body if isinstance(in_body, str) else "")
        or (credentials if scheme.lower() in ("basic", "bearer") else "")
    )
