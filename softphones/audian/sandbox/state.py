"""The account the sandbox plays: its documents, who is registered, and the tokens it has handed out."""

import base64
import hashlib
import hmac
import json
import random
import threading
import time
from pathlib import Path
from typing import Any

from .people import Population
from .registrations import Registrations
from .store import Collection, Entry, StateFile
from .validation import DEVICE_DEFAULTS, USER_DEFAULTS

ACCOUNT_NAME = "Acme Ltd"
VENDOR_REALM = "sip.audian.com"
"""The realm that the vendor's softphones page shows in every answer."""


class State:
    """Everything that outlives a request. `lock` is held around every use."""

    def __init__(
        self, *, softphones: int, seed: int, path: str | Path | None, registered: float = 0.0, token_seconds: float = 3600
    ):
        self.lock = threading.RLock()
        self.token_seconds = token_seconds
        self._file = StateFile(path)
        self.seed = self._remembered("seed", seed)
        self.account_id = self._secret("account")[:32]
        self.foreign_account_id = self._secret("somebody else's account")[:32]
        self.api_key = self._secret("api key")
        self.realm = "acme.sip.audian.com"
        self.zoiper_provider_id = self._secret("zoiper provider")[:32]
        self.token_epoch: int = self._remembered("token_epoch", 0)
        self.static_token = self._signed({"account_id": self.account_id, "method": "cb_api_auth", "static": True})
        self.devices = Collection("device", self._file, DEVICE_DEFAULTS)
        self.users = Collection("user", self._file, USER_DEFAULTS)
        self.registrations = Registrations(self._file)
        if not self._file.fact("seeded"):
            self._populate(softphones, registered)
            self._file.keep("seeded", True)

    def close(self) -> None:
        """Let go of the state file."""
        with self.lock:
            self._file.close()

    def now(self) -> int:
        return int(time.time())

    def new_id(self) -> str:
        return f"{random.SystemRandom().getrandbits(128):032x}"

    # Tokens

    def issue_token(self) -> str:
        """A JWT for the account, good for `token_seconds`; 0 or less means without an end."""
        claims: dict[str, Any] = {
            "iss": "kazoo",
            "account_id": self.account_id,
            "method": "cb_api_auth",
            "identity_sig": str(self.token_epoch),
            "jti": self.new_id(),
        }
        if self.token_seconds > 0:
            claims["exp"] = int(time.time() + self.token_seconds)
        return self._signed(claims)

    def claims_of(self, token: str) -> dict | None:
        """The claims of a token of ours, or None for one that never was. `expired` is added to one that is no more."""
        if hmac.compare_digest(token.encode(), self.static_token.encode()):
            return {"account_id": self.account_id, "method": "cb_api_auth"}
        head, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(head), signature.encode()):
            return None
        claims = json.loads(base64.urlsafe_b64decode(head.split(".")[1] + "=="))
        late = claims.get("exp") is not None and claims["exp"] <= time.time()
        if late or claims.get("identity_sig") != str(self.token_epoch):
            claims["expired"] = True
        return claims

    def expire_tokens(self) -> None:
        """Every token handed out so far is refused from now on; the static one stays."""
        with self.lock:
            self.token_epoch += 1
            self._file.keep("token_epoch", self.token_epoch)

    def _signed(self, claims: dict) -> str:
        head = b".".join(
            _base64(json.dumps(part, separators=(",", ":")).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)
        )
        return f"{head.decode()}.{self._signature(head.decode()).decode()}"

    def _signature(self, head: str) -> bytes:
        return _base64(hmac.digest(self._secret("tokens").encode(), head.encode(), "sha256"))

    # Seeding

    def _populate(self, softphones: int, registered: float) -> None:
        chance = random.Random(f"registered {self.seed}")
        now = self.now()
        entries: dict[str, list[Entry]] = {"user": [], "device": []}
        online = []
        for seeded in Population(softphones, self.seed):
            text = json.dumps(seeded.document, separators=(",", ":"))
            entries[seeded.kind].append(Entry(seeded.id, text, 1, now, now, compact=True))
            if seeded.ordinary and chance.random() < registered:
                online.append((seeded.id, seeded.document, now - chance.randrange(60, 86400)))
        self.users.fill(entries["user"], keep=True)
        self.devices.fill(entries["device"], keep=True)
        for id_, document, since in online:
            self.registrations.add(id_, document, self.realm, at=since)

    def _remembered(self, name: str, otherwise: Any) -> Any:
        value = self._file.fact(name)
        if value is None:
            self._file.keep(name, otherwise)
            return otherwise
        return value

    def _secret(self, purpose: str) -> str:
        return hashlib.sha256(f"{purpose} {self.seed}".encode()).hexdigest()


def _base64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
