"""Addresses under /v2, who may ask, and the envelope around every answer (audian-api.md sections 1, 2 and 8)."""

import json
import time
from collections.abc import Callable
from typing import Any

from .buckets import CALL_COST, LOGIN_COST, TokenBuckets
from .devices import Devices
from .dialects import Dialect
from .envelope import (
    NODE,
    VERSION,
    Answer,
    Refusal,
    Request,
    Response,
    invalid,
    iso,
    json_response,
    no_such_route,
    wrong_method,
)
from .resources import given_object
from .state import ACCOUNT_NAME, State
from .users import Users
from .validation import validated

MAX_BODY = 8_000_000
BODY_METHODS = ("PUT", "POST", "PATCH")


class Api:
    """The API below /v2 for one account."""

    def __init__(self, state: State, buckets: TokenBuckets, dialect: Dialect, *, honours_fields: bool, honours_if_match: bool):
        self.state = state
        self.buckets = buckets
        self.dialect = dialect
        switches = {"honours_fields": honours_fields, "honours_if_match": honours_if_match}
        self.devices = Devices(state, dialect, **switches)
        self.users = Users(state, dialect, **switches)

    def respond(self, request: Request, shape: Callable[[Answer], Answer], planned: Refusal | None = None) -> Response:
        """Carry out a request. `shape` may change the answer; a `planned` refusal is given in its stead."""
        tokens = {"consumed": 0, "remaining": 0}
        try:
            _check_body(request)
            tokens = self._pay(request)
            if planned is not None:
                raise planned
            with self.state.lock:
                answer = shape(self._answer(request))
        except Refusal as refusal:
            return self._refused(request, refusal, tokens)
        return self._answered(request, answer, tokens)

    def refused(self, request: Request, refusal: Refusal) -> Response:
        """A refusal in its envelope, without anything done or counted."""
        return self._refused(request, refusal, {"consumed": 0, "remaining": 0})

    # Who asks

    def _pay(self, request: Request) -> dict[str, int]:
        parts = request.parts
        account = parts[1] if parts[:1] == ["accounts"] and len(parts) > 1 else "no_account"
        known = account in (self.state.account_id, self.state.foreign_account_id)
        cost = LOGIN_COST if parts == ["api_auth"] and request.method == "PUT" else CALL_COST
        enough, tokens = self.buckets.consume(f"{request.ip}/{account if known else 'no_account'}", cost)
        if not enough:
            raise Refusal(429, "too_many_requests")
        return tokens

    def _authenticate(self, request: Request) -> dict[str, Any]:
        claims = self.state.claims_of(request.token) if request.token else None
        if claims is None:
            raise Refusal(401, "invalid_credentials")
        if claims.get("expired"):
            raise Refusal(401, "invalid credentials", {})
        return claims

    # Where to

    def _answer(self, request: Request) -> Answer:
        match request.parts:
            case ["api_auth"]:
                return self._log_in(request)
            case ["token_auth"]:
                return self._token(request)
            case ["accounts", account, *rest]:
                if account not in (self.state.account_id, self.state.foreign_account_id):
                    raise Refusal(401, "invalid credentials")
                self._authenticate(request)
                if account == self.state.foreign_account_id:
                    raise Refusal(403, "forbidden")
                return self._in_account(request, rest)
        raise no_such_route()

    def _in_account(self, request: Request, rest: list[str]) -> Answer:
        match rest:
            case []:
                return _by_method(request, GET=self._account)
            case ["devices", *tail]:
                return self._devices(request, tail)
            case ["users", *tail]:
                return self._users(request, tail)
            case ["registrations", *tail]:
                return self._registrations(request, tail)
        raise no_such_route()

    def _devices(self, request: Request, tail: list[str]) -> Answer:
        devices = self.devices
        match tail:
            case []:
                return _by_method(request, GET=lambda: devices.listing(request), PUT=lambda: devices.create(request))
            case ["status"]:
                return _by_method(request, GET=lambda: devices.statuses(request))
            case [id_]:
                return _by_method(request, **_crud(devices, request, id_), PUT=lambda: devices.act(request, id_))
            case [id_, "sync"]:
                return _by_method(request, POST=lambda: devices.sync(id_))
            case [id_, "status"] if self.dialect.own_status:
                return _by_method(request, GET=lambda: devices.status(id_))
        raise no_such_route()

    def _users(self, request: Request, tail: list[str]) -> Answer:
        users = self.users
        match tail:
            case []:
                return _by_method(request, GET=lambda: users.listing(request), PUT=lambda: users.create(request))
            case [id_]:
                return _by_method(request, **_crud(users, request, id_))
            case [id_, "devices"]:
                users.entry(id_)
                phones = self.state.devices.of_owner(id_)
                return _by_method(request, GET=lambda: self.devices.listing(request, within=phones))
        raise no_such_route()

    def _registrations(self, request: Request, tail: list[str]) -> Answer:
        registrations = self.state.registrations

        def flush() -> Answer:
            if tail:
                registrations.flush_username(tail[0])
            else:
                for device_id in {contact.device_id for contact in registrations}:
                    registrations.flush(device_id)
            return Answer("ok")

        match tail:
            case []:
                return _by_method(request, GET=lambda: Answer([c.as_row() for c in registrations]), DELETE=flush)
            case ["count"]:
                return _by_method(request, GET=lambda: Answer({"count": len(registrations)}))
            case [_]:
                return _by_method(request, DELETE=flush)
        raise no_such_route()

    def _account(self) -> Answer:
        return Answer(
            {
                "id": self.state.account_id,
                "name": ACCOUNT_NAME,
                "realm": self.state.realm,
                "enabled": True,
                "language": "en-us",
                "timezone": "America/Chicago",
                "caller_id": {},
                "call_restriction": {},
                "ringtones": {},
            },
            metadata={"id": self.state.account_id},
        )

    def _log_in(self, request: Request) -> Answer:
        if request.method != "PUT":
            raise wrong_method()
        given, errors = validated("api_auth", given_object(request))
        if errors:
            raise invalid(errors)
        if given["api_key"] != self.state.api_key:
            self.buckets.empty(f"{request.ip}/no_account")
            raise Refusal(404, "bad identifier", [given["api_key"]])
        account = {
            "account_id": self.state.account_id,
            "account_name": ACCOUNT_NAME,
            "apps": [],
            "language": "en-US",
            "is_reseller": False,
            "reseller_id": self.state.foreign_account_id,
            "cluster_id": "sandbox",
            "capabilities": {},
            "ui_config": {},
        }
        return Answer(account, status=201, auth_token=self.state.issue_token())

    def _token(self, request: Request) -> Answer:
        claims = self._authenticate(request)
        if request.method == "DELETE":
            raise Refusal(404, "bad_identifier", {"message": "bad identifier", "cause": "token"})
        return _by_method(request, GET=lambda: Answer(claims))

    # The envelope

    def _answered(self, request: Request, answer: Answer, tokens: dict) -> Response:
        if answer.status in (204, 304):
            return Response(answer.status, self._headers(request), b"")
        envelope: dict[str, Any] = {"data": answer.data, "status": "success"}
        token = answer.auth_token or request.token
        if token:
            envelope["auth_token"] = token
        envelope |= {k: v for k, v in (answer.paging or {}).items() if v is not None}
        if self.dialect.plain:
            return json_response(answer.status, envelope, self._headers(request))
        envelope["revision"] = answer.revision
        if answer.metadata:
            envelope["metadata"] = answer.metadata
        envelope |= self._always(request, tokens)
        return json_response(answer.status, envelope, {**self._headers(request), **answer.headers})

    def _refused(self, request: Request, refusal: Refusal, tokens: dict) -> Response:
        if refusal.empty:
            return Response(refusal.status, self._headers(request), b"")
        message = self.dialect.slugs.get(refusal.status, refusal.message)
        envelope = {"data": refusal.data, "status": "error", "error": str(refusal.status), "message": message}
        if request.token:
            envelope["auth_token"] = request.token
        if not self.dialect.plain:
            envelope |= self._always(request, tokens)
        return json_response(refusal.status, envelope, self._headers(request))

    @staticmethod
    def _always(request: Request, tokens: dict) -> dict[str, Any]:
        return {
            "version": VERSION,
            "node": NODE,
            "request_id": request.request_id,
            "timestamp": iso(time.time()),
            "tokens": tokens,
        }

    @staticmethod
    def _headers(request: Request) -> dict[str, str]:
        return {"X-Request-ID": request.request_id}


def _by_method(request: Request, **handlers: Callable[[], Answer]) -> Answer:
    if request.method not in handlers:
        raise wrong_method()
    return handlers[request.method]()


def _crud(resource: Devices | Users, request: Request, id: str) -> dict[str, Callable[[], Answer]]:
    return {
        "GET": lambda: resource.get(request, id),
        "POST": lambda: resource.replace(request, id),
        "PATCH": lambda: resource.patch(request, id),
        "DELETE": lambda: resource.delete(request, id),
    }


def _check_body(request: Request) -> None:
    """The 413, 415 and 400 that come before anything else is looked at."""
    if len(request.raw_body) > MAX_BODY:
        raise Refusal(413, empty=True)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.raw_body and kind and kind not in ("application/json", "application/x-json"):
        raise Refusal(415, empty=True)
    if request.body is None:
        request.body = {}
        message = {"message": "Failed to parse the JSON body", "target": "body"}
        raise invalid({"json": {"invalid": message}})
    if request.method in BODY_METHODS and "data" not in request.body and "action" not in request.body:
        raise invalid({"data": {"required": {"message": "Field is required but missing", "value": "data"}}})


def parsed_body(raw: bytes) -> dict | None:
    """The JSON object of a body; empty for no body, None for anything else."""
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
