"""People of an account whose API is an empty sandbox, and what they do on their own pages."""

from collections.abc import Callable
from functools import partial

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from softphones import changes, mirror
from softphones.audian.sandbox import Sandbox, serve
from softphones.connection import connect
from softphones.models import Account, Change, Owner, Softphone, SyncRun
from softphones.pacing import Urgency
from tests.changes.conftest import PASSWORD, SHORT
from tests.factories import make_account, make_owner, make_user
from tests.pages.conftest import signed_in, soup, undefined_variables_fail  # noqa: F401

HTMX = {"HX-Request": "true"}


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
    account = make_account(slug="acme", api_url=sandbox.url, audian_id=sandbox.account_id, api_key=sandbox.api_key, quota=2)
    now = timezone.now()
    SyncRun.objects.create(account=account, state=SyncRun.State.COMPLETE, started_at=now, finished_at=now, calls=2)
    return account


@pytest.fixture
def alice(account):
    """Somebody whom Audian knows, with number 1001 and without a phone."""
    user = make_user("alice@acme.example", account=account, name="Alice Smith")
    make_owner(account, "alice@acme.example", user=user, name="Alice Smith", number="1001")
    return user


@pytest.fixture
def owner(alice) -> Owner:
    return alice.owners.get()


@pytest.fixture
def browser(signed_in, alice) -> Client:  # noqa: F811 - a fixture is named to be used
    """Alice's, who has just signed in."""
    return signed_in(alice)


@pytest.fixture
def drain(account) -> Callable[..., changes.Drained]:
    """The worker's part: send what waits."""
    return partial(changes.drain, account=account, seconds=5)


@pytest.fixture
def plant(sandbox, account) -> Callable[..., Softphone]:
    """A softphone of this owner that Audian and the mirror know."""

    def add(owner: Owner | None, name: str = "Alice Smith - softphone", username: str = "user_alice", **more) -> Softphone:
        document = {
            "name": name,
            "device_type": "softphone",
            "enabled": True,
            "sip": {"username": username, "password": PASSWORD, "method": "password"},
            "caller_id": {"internal": {"number": "1001", "name": "Alice Smith"}},
        }
        if owner:
            document["owner_id"] = owner.audian_id
        device_id = sandbox.add_device(**document | more)
        with connect(account, urgency=Urgency.PERSON) as client, transaction.atomic():
            softphone = mirror.absorb(account, client.device(device_id), timezone.now())
        sandbox.calls.clear()
        return softphone

    return add


@pytest.fixture
def phone(plant, owner) -> Softphone:
    """Alice's, set up long ago."""
    return plant(owner)


def press(client: Client, page, button: str, *, follow: bool = True, **values):
    """Press the button with this text on a page, as a browser without JavaScript does; `values` are typed into the form.

    Returns the response. Works on a page that is old, too: then it is what Back and a second tab do.
    """
    for form in soup(page).select("form[method=post]"):
        pressed = next((each for each in form.select("button") if button in " ".join(each.get_text(" ").split())), None)
        if pressed is not None:
            data = {each["name"]: each.get("value", "") for each in form.select("input[name]")}
            if pressed.get("name"):
                data[pressed["name"]] = pressed.get("value", "")
            return client.post(form["action"], data | values, follow=follow)
    raise AssertionError(
        f"There is no button {button!r} on {page.request['PATH_INFO']}: {soup(page).get_text(' ', strip=True)}"
    )


def creates() -> list[Change]:
    return list(Change.objects.filter(kind=Change.Kind.CREATE).order_by("pk"))
