"""An account whose API is an empty sandbox, people who ask for things, and time limits small enough for tests."""

from collections.abc import Callable
from functools import partial

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from softphones import changes, clock, mirror
from softphones.audian.sandbox import Sandbox, serve
from softphones.connection import connect
from softphones.models import Account, Change, Pause, Softphone
from softphones.pacing import Urgency
from tests.factories import make_account, make_user, worker_sweeps

PASSWORD = "wP7kq3hTz9mB"
SHORT = {
    "API_BUCKET_SIZE": 0,
    "API_DEADLINE": 20,
    "CHANGE_RETRY": 0.02,
    "PAUSE_FIRST": 0.02,
    "RETRY_MOST": 0.1,
    "CREATE_AGAIN_AFTER": 0.1,
    "DRAIN_LINGER": 0.5,
}


@pytest.fixture(autouse=True)
def short_limits(settings):
    for name, value in SHORT.items():
        setattr(settings, name, value)


@pytest.fixture
def sandbox():
    sandbox = Sandbox(devices=0, rate_limit=False)
    with serve(sandbox) as url:
        sandbox.url = url
        yield sandbox


@pytest.fixture
def account(transactional_db, sandbox) -> Account:
    worker_sweeps()
    return make_account(slug="acme", api_url=sandbox.url, audian_id=sandbox.account_id, api_key=sandbox.api_key)


@pytest.fixture
def admin(account):
    return make_user("adam@acme.example", account=account, role="admin", name="Adam Admin")


@pytest.fixture
def create(account, admin) -> Callable[..., Change]:
    return lambda name="Alice Smith - softphone", **more: changes.create(
        account=account, name=name, **{"by": admin, "now": timezone.now()} | more
    )


@pytest.fixture
def drain(account) -> Callable[..., changes.Drained]:
    return partial(changes.drain, account=account, seconds=30)


@pytest.fixture
def drain_once(account) -> Callable[[], changes.Drained]:
    """Send what is due now, once; whatever has to be tried again is due when this returns."""

    def once() -> changes.Drained:
        with override_settings(CHANGE_RETRY=60, PAUSE_FIRST=60, RETRY_MOST=60, CREATE_AGAIN_AFTER=60):
            drained = changes.drain(account=account, seconds=5)
        Change.objects.filter(account=account).update(next_attempt_at=None)
        Pause.objects.update(until=clock.now())
        return drained

    return once


@pytest.fixture
def plant(sandbox, account) -> Callable[..., Softphone]:
    """A softphone that Audian and the mirror know."""

    def add(name: str = "Alice Smith - softphone", username: str = "user_alice", **more) -> Softphone:
        sip = {"username": username, "password": PASSWORD, "method": "password"}
        document = {"name": name, "device_type": "softphone", "enabled": True, "sip": sip}
        device_id = sandbox.add_device(**document | more)
        with connect(account, urgency=Urgency.PERSON) as client:
            found = client.device(device_id)
        with transaction.atomic():
            softphone = mirror.absorb(account, found, timezone.now())
        sandbox.calls.clear()
        return softphone

    return add


@pytest.fixture
def phone(plant) -> Softphone:
    return plant()


@pytest.fixture
def ask(admin) -> "Asking":
    return Asking(admin)


class Asking:
    """What the admin asks for."""

    def __init__(self, by) -> None:
        self.by = by

    def update(self, phone: Softphone, values: dict, seen: dict | None = None, **more) -> Change:
        return changes.update(softphone=phone, values=values, seen=seen or {}, **self._more(more))

    def rename(self, phone: Softphone, name: str, **more) -> Change:
        return self.update(phone, {"name": name}, {"name": phone.name}, **more)

    def reset(self, phone: Softphone, **more) -> Change:
        return changes.reset_password(softphone=phone, **self._more(more))

    def delete(self, phone: Softphone, **more) -> Change:
        return changes.delete(softphone=phone, **self._more(more))

    def try_again(self, change: Change, **more) -> Change:
        return changes.try_again(change=change, **self._more(more))

    def accept(self, change: Change) -> int:
        return changes.accept(change=change, by=self.by, now=timezone.now())

    def decline(self, change: Change) -> int:
        return changes.decline(change=change, by=self.by, now=timezone.now())

    def _more(self, more: dict) -> dict:
        return {"by": self.by, "now": timezone.now()} | more


def softphones_of(sandbox: Sandbox) -> list[dict]:
    return [device for device in sandbox.devices() if device.get("device_type") == "softphone"]


def writes(sandbox: Sandbox) -> list[str]:
    """The writing calls about devices that Audian answered, in order."""
    return [call.method for call in sandbox.calls if call.method != "GET" and call.below.startswith("/devices")]


def again(row):
    row.refresh_from_db()
    return row
