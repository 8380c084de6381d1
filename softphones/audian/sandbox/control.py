"""The same switches from outside the process: plain JSON under /sandbox, for loopback unless they are open to all."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Any

from .envelope import Request, Response, encode

if TYPE_CHECKING:
    from .app import Sandbox

REGISTRATION_OPTIONS = ("user_agent", "ip", "port", "expires", "at")


class Wrong(Exception):
    """A request that cannot be done; the message is a sentence."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Control:
    """Routes /sandbox/... to the sandbox's own methods. None of it counts as a call."""

    def __init__(self, sandbox: Sandbox, *, open_to_all: bool):
        self.sandbox = sandbox
        self.open_to_all = open_to_all

    def respond(self, request: Request) -> Response:
        """Answer a control request: 200 with JSON, or a sentence under `error`."""
        try:
            if not (self.open_to_all or request.ip.startswith("127.") or request.ip == "::1"):
                raise Wrong(404, "The controls of the sandbox answer on loopback only.")
            if request.body is None:
                raise Wrong(400, "The body is not a JSON object.")
            status, data = 200, self._do(request, request.body)
        except Wrong as wrong:
            status, data = wrong.status, {"error": str(wrong)}
        except KeyError as missing:
            status, data = 404, {"error": f"There is no {missing.args[0]!r} here."}
        except (TypeError, ValueError) as error:
            status, data = 400, {"error": str(error)}
        return Response(status, {"Content-Type": "application/json"}, encode(data))

    def _do(self, request: Request, body: dict) -> Any:
        sandbox = self.sandbox
        parts = [part for part in request.path.split("/") if part][1:]
        match [request.method, *parts]:
            case ["GET"]:
                return self._summary()
            case ["GET", "calls"]:
                return [dataclasses.asdict(call) for call in list(sandbox.calls)]
            case ["DELETE", "calls"]:
                sandbox.calls.clear()
            case ["GET", "faults"]:
                return [fault.as_dict() for fault in sandbox.faults]
            case ["POST", "faults"]:
                return self._add_fault(body)
            case ["DELETE", "faults"]:
                sandbox.faults.clear()
            case ["POST", "register"]:
                options = {name: body[name] for name in REGISTRATION_OPTIONS if name in body}
                sandbox.register(self._device(body), **options)
            case ["POST", "unregister"]:
                sandbox.unregister(self._device(body))
            case ["POST", "expire_tokens"]:
                sandbox.expire_tokens()
            case ["POST", "devices"]:
                return {"id": sandbox.add_device(**body)}
            case ["POST", "users"]:
                return {"id": sandbox.add_user(**body)}
            case [_, "devices" | "users" as kind, id_]:
                return self._document(request.method, kind, id_, body)
            case _:
                raise Wrong(404, f"The sandbox has no control {request.method} {request.path}.")
        return {}

    def _document(self, method: str, kind: str, id: str, body: dict) -> Any:
        sandbox = self.sandbox
        read, change, remove = (
            (sandbox.device, sandbox.change_device, sandbox.remove_device)
            if kind == "devices"
            else (sandbox.user, sandbox.change_user, sandbox.remove_user)
        )
        if read(id) is None:
            raise KeyError(id)
        if method == "PATCH":
            change(id, **body)
        elif method == "DELETE":
            remove(id)
            return {}
        elif method != "GET":
            raise Wrong(405, f"A planted document takes GET, PATCH and DELETE, not {method}.")
        return read(id)

    def _add_fault(self, body: dict) -> dict:
        if not isinstance(body.get("name"), str):
            raise Wrong(400, "A fault needs a name.")
        return self.sandbox.faults.add(**body).as_dict()

    def _device(self, body: dict) -> str:
        if "device_id" in body:
            return body["device_id"]
        if "username" in body:
            return self.sandbox.device_id(body["username"])
        raise Wrong(400, "Say which phone: device_id or username.")

    def _summary(self) -> dict:
        sandbox = self.sandbox
        statuses = Counter(str(call.status) for call in list(sandbox.calls))
        return {
            "account_id": sandbox.account_id,
            "api_key": sandbox.api_key,
            "static_token": sandbox.static_token,
            "realm": sandbox.realm,
            "dialect": sandbox.dialect.name,
            "zoiper_provider_id": sandbox.zoiper_provider_id,
            "devices": len(sandbox.state.devices),
            "users": len(sandbox.state.users),
            "registrations": len(sandbox.state.registrations),
            "calls": len(sandbox.calls),
            "calls_by_status": dict(statuses),
        }
