"""A sandbox without rate limit, an account on it, and short ways to plant people and phones and to look at them."""

import pytest
from django.utils import timezone

from softphones import mirror
from softphones.audian.sandbox import Sandbox, serve
from softphones.models import Owner, Softphone
from tests.factories import make_account


@pytest.fixture(autouse=True)
def _no_pacing(settings):
    settings.API_BUCKET_SIZE = 0


@pytest.fixture
def served():
    """Starts sandboxes with options of their own: `served(dialect="page")`."""
    open_doors = []

    def start(**options) -> Sandbox:
        sandbox = Sandbox(**{"devices": 0, "rate_limit": False} | options)
        door = serve(sandbox)
        sandbox.url = door.__enter__()
        open_doors.append(door)
        return sandbox

    yield start
    for door in open_doors:
        door.__exit__(None, None, None)


@pytest.fixture
def sandbox(served):
    return served()


def account_on(sandbox, **fields):
    return make_account(
        **{"slug": "acme", "api_url": sandbox.url, "audian_id": sandbox.account_id, "api_key": sandbox.api_key} | fields
    )


@pytest.fixture
def account(db, sandbox):
    return account_on(sandbox)


def plant_person(sandbox, first="Alice", last="Smith", **fields) -> str:
    given = {"first_name": first, "last_name": last, "email": f"{first.lower()}@acme.example"}
    return sandbox.add_user(**given | {"presence_id": "1001", "enabled": True} | fields)


def plant_phone(sandbox, username="user_alice", owner=None, **fields) -> str:
    given = {
        "name": "Alice Smith - softphone",
        "device_type": "softphone",
        "enabled": True,
        "sip": {"username": username, "password": "wP7kq3hTz9mB", "method": "password"},
        "caller_id": {"internal": {"number": "1001", "name": "Alice Smith"}},
    }
    if owner:
        given["owner_id"] = owner
    return sandbox.add_device(**given | fields)


def plant_phones(sandbox, count) -> list[str]:
    return [plant_phone(sandbox, f"user_{number:04d}", name=f"Phone {number}") for number in range(count)]


def look(account, **options):
    """One run of the mirror, now."""
    return mirror.run(account, timezone.now(), **options)


def phone(audian_id) -> Softphone:
    return Softphone.objects.get(audian_id=audian_id)


def owner(audian_id) -> Owner:
    return Owner.objects.get(audian_id=audian_id)


def present() -> set[str]:
    """Audian's ids of the softphones that the portal believes to be there."""
    return set(Softphone.objects.present().values_list("audian_id", flat=True))
