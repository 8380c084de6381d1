"""What comes from Audian and goes there, as frozen dataclasses: the only place that knows the shape of its JSON.

Reading is lenient, since rows differ between Kazoo 4.3, Kazoo 5 and the vendor's page (audian-api.md sections 3, 4, 6,
7 and 12): a value of a wrong type reads as absent. No `repr` shows a password or a token. Text is made storable: NUL
and lone surrogates, which JSON allows and databases refuse, are taken out.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

SOFTPHONE = "softphone"
DEVICE_FIELDS = (
    "name",
    "device_type",
    "owner_id",
    "enabled",
    "sip.username",
    "sip.password",
    "sip.realm",
    "sip.method",
    "sip.transport",
    "caller_id.internal.number",
    "caller_id.internal.name",
    "flags",
)
USER_FIELDS = ("first_name", "last_name", "email", "username", "presence_id", "enabled")
# The attributes of a device that can be changed, and where they stand in Audian's document.
DEVICE_PATHS = {
    "name": ("name",),
    "owner_id": ("owner_id",),
    "enabled": ("enabled",),
    "username": ("sip", "username"),
    "password": ("sip", "password"),
    "caller_id_number": ("caller_id", "internal", "number"),
    "caller_id_name": ("caller_id", "internal", "name"),
    "flags": ("flags",),
}
# Kazoo counts seconds since year 0 of the Gregorian calendar (audian-api.md section 2).
GREGORIAN_EPOCH = 62_167_219_200

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Login:
    """The answer to a log-in. `expires_at` is what the token says of itself, None if it says nothing."""

    token: str = field(repr=False)
    expires_at: datetime | None = None
    account_id: str = ""
    wss_url: str = ""

    @classmethod
    def from_envelope(cls, envelope: Mapping[str, Any]) -> Login:
        """Read the 201 of `PUT /api_auth`; the token stands beside `data`, not in it. "" if there is none."""
        data = _mapping(envelope.get("data"))
        token = text(envelope.get("auth_token"))
        web_socket = _at(data, "ui_config", "api", "webrtc_websocket", "url")
        return cls(token, token_expiry(token), text(data.get("account_id")), text(web_socket))


@dataclass(frozen=True, slots=True)
class AccountDocument:
    """An account. `realm` is the SIP domain its phones register with."""

    id: str
    name: str = ""
    realm: str = ""
    enabled: bool | None = None
    timezone: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AccountDocument:
        return cls(
            text(data.get("id")),
            text(data.get("name")),
            text(data.get("realm")),
            flag(data.get("enabled", True)),
            text(data.get("timezone")),
        )


@dataclass(frozen=True, slots=True)
class UserDocument:
    """A person of the account. `enabled` is None where a row does not tell; `complete` says that nothing is left out."""

    id: str
    first_name: str = ""
    last_name: str = ""
    name: str = ""
    email: str = ""
    username: str = ""
    presence_id: str = ""
    enabled: bool | None = None
    complete: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, complete: bool) -> UserDocument:
        first, last = text(data.get("first_name")), text(data.get("last_name"))
        username, email = text(data.get("username")), text(data.get("email"))
        return cls(
            id=text(data.get("id")),
            first_name=first,
            last_name=last,
            name=f"{first} {last}".strip() or username or email,
            email=email,
            username=username,
            presence_id=text(data.get("presence_id")),
            enabled=flag(data.get("enabled", True if complete else None)),
            complete=complete,
        )


@dataclass(frozen=True, slots=True)
class DeviceDocument:
    """A device. `complete` says that it came with all its fields: then a `password` of None means that it has none.

    `registered` is None where the answer does not tell, which is not the same as False. `revision` is what `If-Match`
    takes, None from a list row.
    """

    id: str
    name: str = ""
    device_type: str = ""
    owner_id: str = ""
    enabled: bool | None = None
    username: str = ""
    password: str | None = field(default=None, repr=False)
    realm: str | None = None
    method: str = "password"
    caller_id_number: str = ""
    caller_id_name: str = ""
    flags: tuple[str, ...] = ()
    transport: str = ""
    revision: str | None = None
    registered: bool | None = None
    complete: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, complete: bool, revision: str | None = None) -> DeviceDocument:
        """Read a document or a list row: a row of Kazoo has a flat `username`, the vendor's page a `sip` block."""
        sip = data.get("sip")
        if not isinstance(sip, dict):
            sip = {}
        caller_id = _mapping(_mapping(data.get("caller_id")).get("internal"))
        flags = data.get("flags")
        return cls(
            id=text(data.get("id")),
            name=text(data.get("name")),
            device_type=text(data.get("device_type")),
            owner_id=text(data.get("owner_id")),
            enabled=flag(data.get("enabled", True if complete else None)),
            username=text(sip.get("username") or data.get("username")),
            password=secret(sip.get("password")),
            realm=text(sip.get("realm")) or None,
            method=text(sip.get("method")) or "password",
            caller_id_number=text(caller_id.get("number")),
            caller_id_name=text(caller_id.get("name")),
            flags=tuple(text(item) for item in flags if isinstance(item, str)) if isinstance(flags, list) else (),
            transport=text(sip.get("transport")),
            revision=revision,
            # A type that cannot register has no `registered`, or a meaningless one (audian-api.md section 6).
            registered=None if data.get("registrable") is False else flag(data.get("registered")),
            complete=complete,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing: rows, the key of the next page (None at the end), whether `fields` was obeyed.

    `size` counts the rows as they came, before rows of other kinds were left out.
    """

    rows: tuple[Any, ...]
    next_key: str | None
    fields_honoured: bool
    size: int


@dataclass(frozen=True, slots=True)
class Registration:
    """A contact that is registered now. `expires` is in seconds; `at` is when it last registered, `since` when it first did."""

    username: str
    realm: str = ""
    device_id: str = ""
    user_agent: str = ""
    contact: str = ""
    ip: str = ""
    port: int | None = None
    expires: int | None = None
    at: datetime | None = None
    since: datetime | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Registration:
        return cls(
            username=text(data.get("username")),
            realm=text(data.get("realm")),
            device_id=text(data.get("authorizing_id")),
            user_agent=text(data.get("user_agent")),
            contact=text(data.get("contact")),
            ip=text(data.get("contact_ip")),
            port=_number(data.get("contact_port")),
            expires=_number(data.get("expires")),
            at=moment(data.get("event_timestamp")),
            since=moment(data.get("initial_registration")),
        )


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """Whether a device is registered: True, False or None (unknown). `source` names the call that told."""

    registered: bool | None
    ip: str = ""
    port: int | None = None
    at: datetime | None = None
    source: str = ""

    @classmethod
    def from_status_route(cls, data: Mapping[str, Any]) -> DeviceStatus:
        """Read the `/devices/{id}/status` of the vendor's page."""
        return cls(
            flag(data.get("registered")),
            text(data.get("ip")),
            _number(data.get("port")),
            moment(data.get("last_registration")),
            "status",
        )


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A softphone to create. `flags` carry the mark by which we know it again."""

    name: str
    username: str
    password: str = field(repr=False)
    owner_id: str | None = None
    enabled: bool = True
    caller_id_number: str = ""
    caller_id_name: str = ""
    flags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        # Monster UI, the vendor's own console, creates softphones with these two: without the first the account's
        # contact gets a mail whenever a mobile phone sleeps (audian-api.md section 10).
        document: dict[str, Any] = {"device_type": SOFTPHONE, "suppress_unregister_notifications": True}
        document["sip"] = {"method": "password"}
        return with_changes(document, {name: getattr(self, name) for name in DEVICE_PATHS})


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One line of a quote: what is billed, how often, at what price, and once for setting it up."""

    category: str
    item: str
    quantity: int
    rate: Decimal
    activation: Decimal


def charge_lines(quote: Mapping[str, Any]) -> tuple[ChargeLine, ...]:
    """The lines of the quote of a 402 (audian-api.md section 9), in the order they came."""
    found = []
    for category, items in quote.items():
        for item, line in _mapping(items).items():
            if isinstance(line, dict):
                found.append(
                    ChargeLine(
                        text(line.get("category")) or text(category),
                        text(line.get("item")) or text(item),
                        _number(line.get("quantity")) or 1,
                        _money(line.get("rate")),
                        _money(line.get("activation_charges")),
                    )
                )
    return tuple(found)


def with_changes(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of Audian's whole document with the changed attributes of `DEVICE_PATHS`; None or "" removes the field."""
    changed = copy.deepcopy(dict(document))
    for name, value in changes.items():
        *parents, last = DEVICE_PATHS[name]
        block = changed
        for parent in parents:
            if not isinstance(block.get(parent), dict):
                block[parent] = {}
            block = block[parent]
        if value is None or value == "":
            block.pop(last, None)
        else:
            block[last] = list(value) if isinstance(value, tuple) else value
    if not _at(changed, "caller_id", "internal") and isinstance(changed.get("caller_id"), dict):
        changed["caller_id"].pop("internal", None)
        if not changed["caller_id"]:
            del changed["caller_id"]
    # Private to the server; of no use in a document that is sent back.
    changed.pop("_read_only", None)
    return changed


def token_expiry(token: str) -> datetime | None:
    """When a JSON web token says it expires; None if it does not say so. Not verified: only to renew in time."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError, binascii.Error):
        return None


def moment(value: Any) -> datetime | None:
    """A point in time from Gregorian seconds (number or digits) or from ISO 8601 text; UTC where none is named."""
    seconds = _number(value)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(seconds - GREGORIAN_EPOCH, UTC) if seconds > GREGORIAN_EPOCH else None
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def text(value: Any) -> str:
    """The value as storable text; "" for anything that is neither text nor a number."""
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        return value.replace("\0", "").encode("utf-8", "ignore").decode()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def secret(value: Any) -> str | None:
    """A password as it is; None if there is none, or none that a phone could be given."""
    return value if isinstance(value, str) and value and text(value) == value else None


def flag(value: Any) -> bool | None:
    """True or False, also where a document carries them as text; None for anything else."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _number(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _money(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return Decimal(0)
    return Decimal(str(value))
