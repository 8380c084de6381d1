"""A page that watches phones, in front of the sandbox, and a clock that goes forward only when a test says so."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F

from softphones import lights
from softphones.audian.sandbox import Sandbox, serve
from softphones.models import Bucket, Lease, Softphone
from tests.factories import make_account, make_softphone


class World:
    """An account at a sandbox, and phones that both know. `now` is what time it is for everybody."""

    def __init__(self, sandbox: Sandbox, url: str, **account):
        given = {"api_url": url, "audian_id": sandbox.account_id, "api_key": "", "static_token": sandbox.static_token}
        self.sandbox = sandbox
        self.account = make_account(**given | account)
        self.now = datetime.now(UTC)

    def phone(self, username: str = "alice", **fields) -> Softphone:
        sip = {"username": username, "password": "wP7kq3hTz9mB"} | ({"realm": fields["realm"]} if "realm" in fields else {})
        id_ = self.sandbox.add_device(name=f"{username} - softphone", device_type="softphone", enabled=True, sip=sip)
        return make_softphone(self.account, audian_id=id_, sip_username=username, **fields)

    def register(self, phone: Softphone, *, ago: float = 0, **contact) -> None:
        self.sandbox.register(phone.audian_id, at=self.now.timestamp() - ago, **contact)

    def unregister(self, phone: Softphone) -> None:
        self.sandbox.unregister(phone.audian_id)

    def later(self, seconds: float) -> None:
        """Time passes, here and by the database's clock."""
        self.now += timedelta(seconds=seconds)
        Lease.objects.update(held_until=F("held_until") - seconds)
        Bucket.objects.update(at=F("at") - seconds)

    def watch(self, *phones: Softphone, opened_at: datetime | None = None) -> lights.Light | dict[int, lights.Light]:
        """What a page shows that asks now: one light for one phone."""
        fresh = list(Softphone.objects.filter(pk__in=[each.pk for each in phones]))
        seen = lights.watch(softphones=fresh, now=self.now, opened_at=opened_at)
        return seen[phones[0].pk] if len(phones) == 1 else seen

    def calls(self) -> list[str]:
        """The calls since the last look, below the account, without queries."""
        made = [f"{call.method} {call.below}" for call in self.sandbox.calls]
        self.sandbox.calls.clear()
        return made


@pytest.fixture
def make_world(db):
    running = []

    def make(*, account: dict | None = None, **options) -> World:
        sandbox = Sandbox(**options)
        server = serve(sandbox)
        running.append(server)
        return World(sandbox, server.__enter__(), **account or {})

    yield make
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """The account at a Kazoo."""
    return make_world()


@pytest.fixture(params=["kazoo", "page"])
def either(request, make_world: Callable[..., World]) -> World:
    """The account at a Kazoo, and at a server as the vendor's page describes it."""
    return make_world(dialect=request.param)
