"""/accounts/{id}/devices: audian-api.md sections 3 to 6."""

import re
from typing import Any

from .dialects import Dialect
from .documents import value_at
from .envelope import Answer, Refusal, Request, invalid, iso
from .listing import chosen_fields, listed, projected
from .registrations import NOT_REGISTRABLE
from .resources import Resource, text
from .state import VENDOR_REALM, State
from .store import Entry
from .validation import validated

FLUSHING = ("sip.username", "sip.password", "sip.realm", "owner_id", "enabled")
"""A change of one of these takes the phone off the registrar."""


class Devices(Resource):
    """Devices of the account."""

    def __init__(self, state: State, dialect: Dialect, *, honours_fields: bool, honours_if_match: bool):
        super().__init__(state, state.devices, dialect, honours_if_match=honours_if_match)
        self.honours_fields = honours_fields

    def listing(self, request: Request, within: list[str] | None = None) -> Answer:
        """The list; with `within` (the phones of one user) each row also says `hotdesked`."""
        fields = chosen_fields(request.query) if self.honours_fields else None
        with_status = request.query.get("with_status") == "true"

        def row(entry: Entry, document: dict, defaults: dict) -> dict:
            shown = self._row(entry, document) if fields is None else projected(entry, self.shown(document), defaults, fields)
            if with_status:
                shown |= self._light(document)
            return shown if within is None else {**shown, "hotdesked": False}

        return listed(self.collection, request.query, row, paging=self.dialect.paging, within=within)

    def statuses(self, request: Request) -> Answer:
        """GET /devices/status: every device, paged like any list."""
        return listed(
            self.collection,
            request.query,
            lambda entry, document, defaults: {"device_id": entry.id, **self._light(document)},
            paging=self.dialect.paging,
        )

    def status(self, id: str) -> Answer:
        """GET /devices/{id}/status as the vendor's page shows it; Kazoo has no such route."""
        self.entry(id)
        contacts = self.state.registrations.of(id)
        if not contacts:
            return Answer({"registered": False})
        latest = contacts[0]
        return Answer(
            {
                "registered": True,
                "ip": latest.ip,
                "port": latest.port,
                "last_registration": iso(latest.renewed),
            }
        )

    def act(self, request: Request, id: str) -> Answer:
        """PUT /devices/{id} is no way to save: it wants an `action`."""
        self.entry(id)
        action = (request.body or {}).get("action")
        if not action:
            raise Refusal(400, "action required", {})
        if action != "notify":
            raise Refusal(400, "invalid action", {})
        return Answer("NOTIFY sent", status=202)

    def sync(self, id: str) -> Answer:
        """POST /devices/{id}/sync."""
        self.entry(id)
        return Answer("sync request sent", status=202)

    def checked(self, id: str, document: dict, old: dict | None) -> dict:
        document.pop("sync", None)
        self._cleanse(document)
        document, errors = validated(self.dialect.device_schema, document)
        for path, rule, message, cause in self._broken(id, document, old):
            errors.setdefault(path, {})[rule] = {"message": message, "cause": cause}
        if document.get("device_type") == "mobile" and not (document.get("mobile") or {}).get("mdn"):
            missing = {"message": "Field is required but missing", "value": "mdn"}
            errors.setdefault("mobile.mdn", {})["required"] = missing
        if errors:
            raise invalid(errors)
        return document

    def new_id(self, document: dict) -> str:
        new = self.state.new_id()
        return f"device_{text(document.get('device_type')) or 'device'}_{new[:12]}" if self.dialect.plain else new

    def answer(self, entry: Entry, *, created: bool = False) -> Answer:
        answer = super().answer(entry, created=created)
        if created and self.dialect.short_rows:
            answer.data = self._short(entry.id, answer.data)
        return answer

    def shown(self, document: dict) -> dict:
        if self.dialect.vendor_realm and isinstance(document.get("sip"), dict):
            document["sip"] = {"realm": VENDOR_REALM, **document["sip"]}
        return document

    def saved(self, entry: Entry, old: dict, new: dict) -> None:
        if any(value_at(old, path) != value_at(new, path) for path in FLUSHING):
            self.state.registrations.flush(entry.id)

    def removed(self, request: Request, entry: Entry) -> None:
        self.state.registrations.flush(entry.id)

    def _cleanse(self, document: dict) -> None:
        """What Kazoo puts right before it looks: bare hex for the MAC, no realm that is the account's own."""
        if isinstance(document.get("mac_address"), str):
            document["mac_address"] = re.sub(r"[^0-9a-f]", "", document["mac_address"].lower())
        sip = document.get("sip")
        if isinstance(sip, dict) and sip.get("realm") in self._own_realms():
            document["sip"] = {key: value for key, value in sip.items() if key != "realm"}

    def _own_realms(self) -> tuple[str, ...]:
        return (self.state.realm, VENDOR_REALM) if self.dialect.vendor_realm else (self.state.realm,)

    def _broken(self, id: str, document: dict, old: dict | None) -> list[tuple[str, str, str, Any]]:
        """The rules that no schema holds: (path, rule, message, cause)."""
        broken = []
        username, mac = value_at(document, "sip.username"), document.get("mac_address")
        if isinstance(username, str) and set(self.collection.of_username(username)) - {id}:
            broken.append(("sip.username", "unique", "SIP credentials already in use", username))
        if mac and self._holds_mac(id, mac):
            broken.append(("mac_address", "unique", "MAC address already in use", mac))
        if old is not None and document.get("device_type") != old.get("device_type"):
            cause = document.get("device_type") or ""
            broken.append(("device_type", "invalid", "Not authorized to change type of device", cause))
        return broken

    def _holds_mac(self, id: str, mac: str) -> bool:
        return any(entry.id != id and mac in entry.text and entry.raw().get("mac_address") == mac for entry in self.collection)

    def _row(self, entry: Entry, document: dict) -> dict:
        if self.dialect.short_rows:
            return self._short(entry.id, document)
        sip = document.get("sip")
        row = {
            "id": entry.id,
            "name": document.get("name"),
            "mac_address": text(document.get("mac_address")),
            "enabled": document.get("enabled", True),
            "device_type": document.get("device_type", "sip_device"),
            "flags": document.get("flags", []),
            "features": ["caller_id"] if document.get("caller_id") else [],
            "call_recording": document.get("call_recording", {}),
            "mobile": document.get("mobile", {}),
        }
        if "owner_id" in document:
            row["owner_id"] = document["owner_id"]
        if isinstance(sip, dict) and "username" in sip:
            row["username"] = sip["username"]
        return row

    @staticmethod
    def _short(id: str, document: dict) -> dict:
        """A device as the vendor's page shows it."""
        kept = {key: document[key] for key in ("name", "device_type", "owner_id") if key in document}
        row = {"id": id, **kept, "enabled": document.get("enabled", True)}
        sip = document.get("sip")
        if isinstance(sip, dict):
            row["sip"] = {key: sip[key] for key in ("username",) if key in sip}
            row["sip"]["realm"] = sip.get("realm", VENDOR_REALM)
        return row

    def _light(self, document: dict) -> dict:
        """`registered` is there only for what can register; a realm of the device's own always reads false."""
        if document.get("device_type", "sip_device") in NOT_REGISTRABLE:
            return {"registrable": False}
        sip = document.get("sip")
        username = text(sip.get("username")) if isinstance(sip, dict) else ""
        registered = bool(username) and self.state.registrations.is_registered(username, self.state.realm)
        return {"registrable": True, "registered": registered}
