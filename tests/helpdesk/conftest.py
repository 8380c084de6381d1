"""Helpdesk and an admin at their pages, and Audian, which knows Alice's phone too and hears what they ask for."""

from datetime import datetime

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from softphones import changes, mirror, search
from softphones.audian.sandbox import Sandbox, serve
from softphones.connection import connect
from softphones.models import Owner, Softphone
from softphones.pacing import Urgency
from tests.factories import make_account, make_owner
from tests.pages.conftest import signed_in, undefined_variables_fail  # noqa: F401
from tests.staffing import staff_browser

PASSWORD = "wP7kq3hTz9mB"


@pytest.fixture(autouse=True)
def short_limits(settings):
    settings.API_BUCKET_SIZE = 0
    settings.DRAIN_LINGER = 0
    settings.LIGHT_ONE_EVERY = 0


@pytest.fixture
def sandbox():
    sandbox = Sandbox(devices=0, rate_limit=False)
    with serve(sandbox) as url:
        sandbox.url = url
        yield sandbox


@pytest.fixture
def account(transactional_db, sandbox):
    return make_account(slug="acme", api_url=sandbox.url, audian_id=sandbox.account_id, api_key=sandbox.api_key)


@pytest.fixture
def helpdesk(account):
    return staff_browser(account, "helpdesk", "helen@acme.example", name="Helen Desk")


@pytest.fixture
def admin(account):
    return staff_browser(account, "admin", "adam@acme.example", name="Adam Admin")


@pytest.fixture
def plant(sandbox, account):
    """A phone that Audian and the portal know: `plant(owner, "Alice's laptop")`."""

    def add(owner: Owner | None = None, name: str = "Alice's laptop", username: str = "user_alice", **more) -> Softphone:
        sip = {"username": username, "password": PASSWORD, "method": "password"}
        document = {"name": name, "device_type": "softphone", "enabled": True, "sip": sip}
        if owner:
            document["owner_id"] = owner.audian_id
        device_id = sandbox.add_device(**document | more)
        with connect(account, urgency=Urgency.PERSON) as client:
            known = client.device(device_id)
        with transaction.atomic():
            return mirror.absorb(account, known, timezone.now())

    return add


@pytest.fixture
def alices_owner(account, alice):
    owner = make_owner(account, "alice@acme.example", user=alice)
    search.add(account, [owner])
    return owner


@pytest.fixture
def alices_phone(plant, alices_owner):
    return plant(alices_owner)


@pytest.fixture
def audian_is_told(account):
    """Send to Audian what waits for it."""
    return lambda: changes.drain(account=account, seconds=5)


@pytest.fixture
def password_at_audian(sandbox):
    return lambda phone: sandbox.device(phone.audian_id)["sip"]["password"]


@pytest.fixture
def time_machine_at():
    return lambda moment: time_machine.travel(moment, tick=True)


def times_in(part) -> list[datetime]:
    """The moments that a part of a page names."""
    return [datetime.fromisoformat(each["datetime"]) for each in part.select("time")]
