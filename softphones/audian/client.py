"""`AudianClient`: one method for each call of the Audian API that the portal makes.

The API is Kazoo's Crossbar; the vendor's own page differs from it in places, and the client works with both
(audian-api.md section 12). Every method raises the errors of `softphones.audian.errors` and nothing else, besides what
`tokens`, `pace` and `heard` raise.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote, quote_plus

from . import errors
from .calls import Calls, Exchange
from .credentials import ApiKey, StaticToken, TokenKeeper
from .documents import (
    DEVICE_FIELDS,
    SOFTPHONE,
    USER_FIELDS,
    AccountDocument,
    DeviceDocument,
    DeviceStatus,
    Login,
    NewDevice,
    Page,
    Registration,
    UserDocument,
    text,
    with_changes,
)
from .redaction import MASK, is_secret_name
from .replies import Reply

# How often an update looks again after it lost a race.
LOOKS = 3
# Kazoo's web server takes a first line of 8,000 bytes at most; the address itself needs some of it.
LONGEST_FILTER = 6_000
SOFTPHONES_ONLY = {"filter_device_type": SOFTPHONE}

_ID = re.compile(r"[^/?#\s]{1,128}")


class AudianClient:
    """The API of one account. One client belongs to one task or thread; close it, or use it in a `with`.

    `url` is the API address with its version ("https://api.audian.com:8443/v2"); plain http only to this machine unless
    `allow_http`. `tokens` keeps the token between calls (`TokenKeeper`). `pace(cost, login)` is called before every
    request and waits, or raises. `heard(remaining)` is told what Audian says is left in the account's bucket.
    `ended(exchange)` is told of every request, how it came out.
    `deadline` is the total time of one request in seconds. `status_route` says whether the server has the status route
    of the vendor's page; None finds out, and the attribute holds what was found. `ca_file` names the certificates to
    trust instead of the public ones.
    """

    def __init__(
        self,
        *,
        url: str,
        account_id: str,
        credentials: ApiKey | StaticToken,
        tokens: TokenKeeper | None = None,
        pace: Callable[[int, bool], object] | None = None,
        heard: Callable[[int], object] | None = None,
        ended: Callable[[Exchange], object] | None = None,
        deadline: float = 13.0,
        clock: Callable[[], float] = time.monotonic,
        status_route: bool | None = None,
        allow_http: bool = False,
        ca_file: str | None = None,
    ) -> None:
        self.account_id = account_id
        self.status_route = status_route
        self._calls = Calls(
            url=url,
            account_id=account_id,
            credentials=credentials,
            tokens=tokens,
            pace=pace,
            heard=heard,
            ended=ended,
            deadline=deadline,
            clock=clock,
            allow_http=allow_http,
            ca_file=ca_file,
        )

    def __enter__(self) -> AudianClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._calls.close()

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """A block in which all requests together take no longer than `seconds`, however many a method makes."""
        return self._calls.within(seconds)

    # Log-in and account

    def log_in(self) -> Login:
        """Exchange the API key for a token. Raises Unauthorised if the key is refused, or if there is only a token."""
        return self._calls.log_in()

    def account(self) -> AccountDocument:
        """The account, with the realm its phones register with."""
        return AccountDocument.from_json(self._one("GET", "", self.account_id).data)

    # Listings

    def device_page(self, start_key: str | None = None, page_size: int | None = None, fields: bool = True) -> Page:
        """One page of the softphones. With `fields` it asks for all that the portal knows of a device.

        `fields_honoured` tells whether the server obeyed; only then are the rows `complete`.
        """
        return self._device_page(SOFTPHONES_ONLY, start_key, page_size, fields, only_softphones=True)

    def device_pages(self, page_size: int | None = None, fields: bool = True) -> Iterator[Page]:
        """All pages of softphones. Raises RepeatedKey rather than read a page twice."""
        return self._pages(lambda key: self.device_page(key, page_size, fields))

    def user_page(self, start_key: str | None = None, page_size: int | None = None, fields: bool = True) -> Page:
        """One page of the users; `enabled` is told only where the server obeys `fields`."""
        rows, next_key = self._listing("users", {}, start_key, page_size, USER_FIELDS if fields else ())
        honoured = fields and (not rows or any("enabled" in row for row in rows))
        users = tuple(UserDocument.from_json(row, complete=honoured) for row in rows)
        return Page(users, next_key, honoured, len(rows))

    def user_pages(self, page_size: int | None = None, fields: bool = True) -> Iterator[Page]:
        """All pages of users. Raises RepeatedKey rather than read a page twice."""
        return self._pages(lambda key: self.user_page(key, page_size, fields))

    def find_by_username(self, username: str) -> list[DeviceDocument]:
        """All devices, of any type, whose SIP username is this one in any case.

        Audian's filter is exact to the letter, and a server that does not know it returns everything: so each row is
        compared here.
        """
        pages = self._pages(lambda key: self._device_page({"filter_sip.username": username}, key, None, True))
        return [row for page in pages for row in page.rows if row.username.lower() == username.lower()]

    # One device or user

    def device(self, id: str) -> DeviceDocument:
        """The whole device. Raises NotFound."""
        return self._document(self._one("GET", "devices", id))

    def exists(self, id: str) -> bool:
        """Whether Audian still has this device, by its own GET."""
        try:
            self._one("GET", "devices", id)
        except errors.NotFound:
            return False
        return True

    def obeys_if_match(self, id: str) -> bool:
        """Whether the server refuses what is meant for another revision of this device. A GET tells, so nothing is at risk.

        Kazoo's web server compares `If-Match` before any method (audian-api.md section 5), as RFC 9110 section 13.1.1 has it.
        """
        try:
            self._one("GET", "devices", id, headers={"If-Match": '"no revision"'})
        except errors.Conflict:
            return True
        return False

    def user(self, id: str) -> UserDocument:
        """The whole user. Raises NotFound."""
        return UserDocument.from_json(self._one("GET", "users", id).data, complete=True)

    def create_device(self, new: NewDevice, accept_charges: bool = False) -> DeviceDocument:
        """Make a softphone. Not idempotent: after a `doubtful` error look with `find_by_username` first.

        Raises Invalid (`taken` if the username is), ChargesToAccept.
        """
        path = self._path("devices")
        reply = self._calls.call("PUT", path, data=new.to_json(), accept_charges=accept_charges, secrets=(new.password,))
        if not isinstance(reply.data, dict) or not text(reply.data.get("id")):
            raise errors.NotOurAnswer(status=reply.answer.status, request_id=reply.request_id, doubtful=True)
        return self._document(reply, written=True)

    def update_device(
        self,
        id: str,
        changes: Mapping[str, Any],
        expected: Mapping[str, Any] | None = None,
        accept_charges: bool = False,
    ) -> DeviceDocument:
        """Change attributes of `documents.DEVICE_PATHS`; None or "" empties one. Returns the device as it is then.

        Gets the device and sends it back whole, since a POST replaces everything (audian-api.md section 5), on
        condition that nobody changed it in between. Nothing is sent if nothing would change. `expected` holds the
        values that a person saw: raises Conflict with `changed` and the `device` if one of those to change is another by
        now.
        """
        refused, conditional = None, True
        for look in range(1, LOOKS + 1):
            found = self._one("GET", "devices", id)
            device = self._document(found)
            _refuse_if_changed(device, changes, expected or {})
            wanted = with_changes(found.data, changes)
            if wanted == with_changes(found.data, {}):
                return device
            # The revision that was just refused is still the current one: this server cannot do conditions.
            conditional = conditional and (refused is None or device.revision != refused)
            headers = {"If-Match": f'"{device.revision}"'} if conditional and device.revision else {}
            secrets = [value for value in (changes.get("password"), device.password) if value]
            try:
                reply = self._one(
                    "POST", "devices", id, data=wanted, accept_charges=accept_charges, headers=headers, secrets=secrets
                )
            except errors.Conflict as error:
                if look == LOOKS:
                    raise
                refused = device.revision if error.status == 412 else None
            else:
                return self._document(reply, written=True)
        raise errors.Conflict

    def delete_device(self, id: str) -> None:
        """Remove a device. One that is gone already counts as removed."""
        try:
            self._calls.call("DELETE", self._path("devices", id), about=id)
        except errors.NotFound:
            return

    # Registered or not

    def status(self, device_id: str, username: str) -> DeviceStatus:
        """Whether the device is registered; None for unknown, which an absent row or value means.

        Tries the route of the vendor's page unless `status_route` is False, and then the list that Kazoo has. Kazoo
        reads a device with a realm of its own as not registered (audian-api.md section 6).
        """
        if self.status_route is not False:
            try:
                reply = self._calls.call("GET", f"{self._path('devices', device_id)}/status", about=device_id)
            except errors.NoSuchRoute:
                self.status_route = False
            else:
                self.status_route = True
                return DeviceStatus.from_status_route(reply.data if isinstance(reply.data, dict) else {})
        query = {"with_status": "true", "filter_sip.username": username, "paginate": "false"}
        rows, _ = self._listing("devices", query, None, None, ())
        row = next((row for row in rows if row["id"] == device_id), {})
        return DeviceStatus(DeviceDocument.from_json(row, complete=False).registered, source="with_status")

    def statuses(self, usernames: Iterable[str]) -> dict[str, bool | None]:
        """For each SIP username whether its device is registered; None for unknown. One call for a few hundred."""
        asked = list(dict.fromkeys(usernames))
        seen: dict[str, set[bool | None]] = {}
        for some in _filters(asked):
            query = {"with_status": "true", "filter_any_sip.username": some, "paginate": "false"}
            for row in self._listing("devices", query, None, None, ())[0]:
                device = DeviceDocument.from_json(row, complete=False)
                seen.setdefault(device.username.lower(), set()).add(device.registered)
        # Two devices with one username share their registrations; if they differ, the answer is worth nothing.
        return {name: found.pop() if len(found := seen.get(name.lower(), set())) == 1 else None for name in asked}

    def registrations(self) -> list[Registration]:
        """All contacts registered now. An empty list is no proof: Kazoo also answers so when it fails."""
        reply = self._calls.call("GET", self._path("registrations"))
        if not isinstance(reply.data, list):
            raise errors.NotOurAnswer(status=reply.answer.status, request_id=reply.request_id)
        return [Registration.from_json(row) for row in reply.data if isinstance(row, dict)]

    # How a call is made

    def _device_page(
        self,
        query: Mapping[str, str],
        start_key: str | None,
        page_size: int | None,
        fields: bool,
        *,
        only_softphones: bool = False,
    ) -> Page:
        rows, next_key = self._listing("devices", query, start_key, page_size, DEVICE_FIELDS if fields else ())
        # Nothing but an obeyed `fields` brings passwords into a list; a `sip` block alone proves nothing, since rows of
        # the vendor's page have one with a username.
        honoured = fields and (not rows or any("password" in _block(row, "sip") for row in rows))
        devices = (DeviceDocument.from_json(row, complete=honoured) for row in rows)
        kept = tuple(device for device in devices if not only_softphones or device.device_type == SOFTPHONE)
        return Page(kept, next_key, honoured, len(rows))

    def _listing(
        self,
        what: str,
        query: Mapping[str, str],
        start_key: str | None,
        page_size: int | None,
        fields: Iterable[str],
    ) -> tuple[list[dict[str, Any]], str | None]:
        """The rows of a page, each with an id, and the key of the next page."""
        query = dict(query)
        if fields:
            query["fields"] = json.dumps(list(fields), separators=(",", ":"))
        if page_size:
            query["page_size"] = str(page_size)
        if start_key:
            query["start_key"] = start_key
        reply = self._calls.call("GET", self._path(what), query=query)
        rows, next_key = reply.data, reply.envelope.get("next_start_key") or None
        good = isinstance(rows, list) and all(isinstance(row, dict) and text(row.get("id")) for row in rows)
        if not good or not isinstance(next_key, str | None):
            raise errors.NotOurAnswer(status=reply.answer.status, request_id=reply.request_id)
        return rows, None if query.get("paginate") == "false" else next_key

    @staticmethod
    def _pages(page_after: Callable[[str | None], Page]) -> Iterator[Page]:
        key, seen = None, set()
        while True:
            page = page_after(key)
            yield page
            key = page.next_key
            if key is None:
                return
            if key in seen:
                raise errors.RepeatedKey
            seen.add(key)

    def _one(self, method: str, what: str, id: str, **details: Any) -> Reply:
        """A call about one document, whose answer must be about the same one."""
        path = self._path(what, id) if what else self._path()
        reply = self._calls.call(method, path, about=id, **details)
        if not isinstance(reply.data, dict) or reply.data.get("id") != id:
            raise errors.NotOurAnswer(status=reply.answer.status, request_id=reply.request_id, doubtful=method != "GET")
        return reply

    @staticmethod
    def _document(reply: Reply, *, written: bool = False) -> DeviceDocument:
        # The vendor's page shows answers to writes without the password; that does not mean that there is none.
        complete = not written or "password" in _block(reply.data, "sip")
        return DeviceDocument.from_json(reply.data, complete=complete, revision=reply.revision)

    def _path(self, *parts: str) -> str:
        if not _is_id(self.account_id):
            raise errors.Unauthorised(f"“{self.account_id[:40]}” cannot be the id of an account at Audian. Correct it.")
        for part in parts:
            if not _is_id(part):
                raise errors.FaultyRequest(f"“{part[:40]}” cannot be an id at Audian.")
        return "/".join(("/accounts", quote(self.account_id, safe=""), *(quote(part, safe="") for part in parts)))


def _is_id(value: str) -> bool:
    # HTTP libraries take "." and ".." out of an address, quoted or not: the call would go elsewhere.
    return _ID.fullmatch(value) is not None and value not in (".", "..")


def _block(document: Any, name: str) -> Mapping[str, Any]:
    block = document.get(name) if isinstance(document, dict) else None
    return block if isinstance(block, dict) else {}


def _refuse_if_changed(device: DeviceDocument, changes: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raise Conflict if an attribute to change is neither what the visitor saw nor already what is wanted."""
    changed = {}
    for name, wanted in changes.items():
        now = getattr(device, name)
        if name in expected and _plain(now) not in (_plain(expected[name]), _plain(wanted)):
            changed[name] = (MASK, MASK) if is_secret_name(name) else (expected[name], now)
    if changed:
        raise errors.Conflict(
            "Somebody else changed this softphone since you opened it. Look at both values, then decide.",
            changed=changed,
            device=device,
        )


def _plain(value: Any) -> Any:
    """One form for what means the same: an empty text is an absent field, and JSON has no tuples."""
    return None if value == "" else list(value) if isinstance(value, tuple) else value


def _filters(usernames: Iterable[str]) -> Iterator[str]:
    """The usernames as JSON lists, each short enough for one address."""
    some: list[str] = []
    size = 0
    for name in usernames:
        length = len(quote_plus(json.dumps(name))) + len("%2C+")
        if some and size + length > LONGEST_FILTER:
            yield json.dumps(some)
            some, size = [], 0
        some.append(name)
        size += length
    if some:
        yield json.dumps(some)
