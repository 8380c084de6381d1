"""Who is registered: the contacts that `/registrations` lists (audian-api.md section 6).

A phone that registered renews itself every `expires` seconds until it is taken off.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from .envelope import gregorian
from .store import Entry, StateFile

NOT_REGISTRABLE = {"application", "cellphone", "sip_url", "landline", "smartphone"}
"""Device types that never register (Kazoo's `not_registrable_device_types`)."""

DEFAULT_AGENT = "Zoiper v5"
DEFAULT_IP = "203.0.113.50"
DEFAULT_PORT = 52415


@dataclass(frozen=True)
class Registration:
    """One contact of one device. `since` is Unix seconds."""

    device_id: str
    owner_id: str
    username: str
    realm: str
    user_agent: str
    ip: str
    port: int
    expires: int
    since: int

    @property
    def contact(self) -> str:
        return f"sip:{self.username}@{self.ip}:{self.port};transport=udp"

    @property
    def renewed(self) -> int:
        """When the phone last sent REGISTER, in Unix seconds."""
        elapsed = max(0, int(time.time()) - self.since)
        return self.since + elapsed - elapsed % max(1, self.expires)

    def as_row(self) -> dict[str, Any]:
        """The contact as `/registrations` shows it; times are Gregorian seconds."""
        row = {
            "username": self.username,
            "realm": self.realm,
            "account_realm": self.realm,
            "authorizing_id": self.device_id,
            "authorizing_type": "device",
            "contact": self.contact,
            "original_contact": f"sip:{self.username}@192.168.1.23:{self.port}",
            "contact_ip": self.ip,
            "contact_port": self.port,
            "source_ip": self.ip,
            "source_port": self.port,
            "expires": self.expires,
            "event_timestamp": gregorian(self.renewed),
            "initial_registration": gregorian(self.since),
            "last_registration": gregorian(self.renewed),
            "user_agent": self.user_agent,
            "from_user": self.username,
            "from_host": self.realm,
            "to_user": self.username,
            "to_host": self.realm,
            "proxy_ip": "198.51.100.10",
            "proxy_port": 5060,
            "proxy_protocol": "udp",
            "call_id": f"{self.device_id}-{self.port}",
        }
        return row | ({"owner_id": self.owner_id} if self.owner_id else {})


class Registrations:
    """All contacts, by device. Not thread-safe: the sandbox holds its lock around every use."""

    KIND = "registration"

    def __init__(self, file: StateFile):
        self._file = file
        self._by_device: dict[str, dict[str, Registration]] = {}
        self._by_address: dict[str, int] = {}
        for entry in file.load(self.KIND):
            self._take(Registration(**json.loads(entry.text)))

    def __len__(self) -> int:
        return sum(len(contacts) for contacts in self._by_device.values())

    def __iter__(self) -> Iterator[Registration]:
        return (contact for contacts in self._by_device.values() for contact in contacts.values())

    def add(
        self,
        device_id: str,
        device: dict,
        account_realm: str,
        *,
        user_agent: str = DEFAULT_AGENT,
        ip: str = DEFAULT_IP,
        port: int = DEFAULT_PORT,
        expires: int = 300,
        at: float | None = None,
    ) -> Registration:
        """Register a device from one address. `at`: Unix seconds of the first REGISTER; None is now."""
        sip = device.get("sip") or {}
        registration = Registration(
            device_id=device_id,
            owner_id=str(device.get("owner_id") or ""),
            username=str(sip.get("username") or ""),
            realm=str(sip.get("realm") or account_realm),
            user_agent=user_agent,
            ip=ip,
            port=port,
            expires=expires,
            since=int(time.time() if at is None else at),
        )
        self._take(registration)
        text = json.dumps(asdict(registration))
        self._file.put(self.KIND, [Entry(f"{device_id} {registration.contact}", text, 1, 0, 0, compact=False)])
        return registration

    def flush(self, device_id: str) -> int:
        """Take all contacts of a device off. Answers how many there were."""
        contacts = self._by_device.pop(device_id, {})
        for contact in contacts.values():
            self._count(contact, -1)
            self._file.drop(self.KIND, f"{device_id} {contact.contact}")
        return len(contacts)

    def flush_username(self, username: str) -> None:
        """Take every contact of a SIP username off."""
        wanted = username.lower()
        for device_id in {contact.device_id for contact in self if contact.username.lower() == wanted}:
            self.flush(device_id)

    def of(self, device_id: str) -> list[Registration]:
        """The contacts of a device, latest first."""
        return sorted(self._by_device.get(device_id, {}).values(), key=lambda contact: contact.since, reverse=True)

    def is_registered(self, username: str, realm: str) -> bool:
        """How Kazoo looks a device up for its listing: lower-cased `username@account realm`, nothing else."""
        return f"{username}@{realm}".lower() in self._by_address

    def _take(self, registration: Registration) -> None:
        contacts = self._by_device.setdefault(registration.device_id, {})
        if registration.contact not in contacts:
            self._count(registration, 1)
        contacts[registration.contact] = registration

    def _count(self, registration: Registration, change: int) -> None:
        address = f"{registration.username}@{registration.realm}".lower()
        count = self._by_address.get(address, 0) + change
        if count:
            self._by_address[address] = count
        else:
            del self._by_address[address]
