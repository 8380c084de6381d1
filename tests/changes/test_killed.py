"""A worker process is killed (kill -9) at each step of the protocol; the next one finishes its work, once."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection, transaction

from softphones import changes
from softphones.models import ApiToken, Change, Lease
from tests.changes.conftest import PASSWORD, again, softphones_of, writes

ROOT = Path(__file__).parent.parent.parent
State = Change.State
METHODS = {"create": "PUT", "rename": "POST", "reset": "POST", "delete": "DELETE"}


class Worker:
    """`manage.py push_changes` in a process of its own, on the test's database, with a lease of one second."""

    def __init__(self) -> None:
        command = [sys.executable, "manage.py", "push_changes", "--max-wait", "60", "--json"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def environment() -> dict[str, str]:
    names = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "VAR_DIR", "PUBLIC_URL", "PUBLIC_URL_HTTP", "DEBUG")
    return {name: os.environ[name] for name in names} | {
        "PATH": os.environ.get("PATH", os.defpath),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": database_url(),
        "LEASE_SECONDS": "1",
        "API_DEADLINE": "60",
        "API_BUCKET_SIZE": "0",
    }


def database_url() -> str:
    """The address of the database that this test uses."""
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    port = f":{given['PORT']}" if given["PORT"] else ""
    password = f":{given['PASSWORD']}" if given["PASSWORD"] else ""
    return f"postgres://{given['USER']}{password}@{given['HOST']}{port}/{given['NAME']}"


@pytest.fixture
def worker():
    started = []

    def start() -> Worker:
        started.append(Worker())
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def wish(create, phone, ask) -> Callable[[str], Change]:
    acts = {
        "create": create,
        "rename": lambda: ask.rename(phone, "Lobby"),
        "reset": lambda: ask.reset(phone),
        "delete": lambda: ask.delete(phone),
    }
    return lambda kind: acts[kind]()


class HeldCall:
    """The first writing call of one method, held by the sandbox until `go_on`."""

    def __init__(self, method: str, path: str) -> None:
        self._method, self._path = method, path
        self._arrived, self._go_on = threading.Event(), threading.Event()

    def hold(self, method: str, path: str) -> None:
        if method == self._method and self._path in path and not self._arrived.is_set():
            self._arrived.set()
            self._go_on.wait(60)

    def arrived(self) -> bool:
        return self._arrived.wait(60)

    def go_on(self) -> None:
        self._go_on.set()


@pytest.fixture
def hold(sandbox):
    held = []

    def hold(method: str, path: str = "/devices") -> HeldCall:
        held.append(HeldCall(method, path))
        sandbox.on_request(held[-1].hold)
        return held[-1]

    yield hold
    for each in held:
        each.go_on()


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it never happened"
        time.sleep(0.01)


def finish(account, sandbox) -> None:
    """The next worker, once the lease of the killed one has lapsed."""
    sandbox.faults.clear()
    until(lambda: not changes.drain(account=account, seconds=5).left)


def check(change: Change, kind: str, sandbox) -> None:
    assert (again(change).state, change.error) == (State.DONE, "")
    devices = softphones_of(sandbox)
    if kind == "create":
        made = [device for device in devices if device.get("flags") == [change.mark]]
        assert [device["id"] for device in made] == [again(change.softphone).audian_id]
        assert change.softphone.password == made[0]["sip"]["password"]
    elif kind == "delete":
        assert devices == []
        assert again(change.softphone).gone_at
    else:
        [device] = devices
        assert device["name"] == ("Lobby" if kind == "rename" else "Alice Smith - softphone")
        assert (device["sip"]["password"] == PASSWORD) == (kind == "rename")
        assert again(change.softphone).password == device["sip"]["password"]


@pytest.fixture(autouse=True)
def long_enough_for_a_process(settings):
    settings.CREATE_AGAIN_AFTER = 2


def test_killed_before_anything_was_sent(account, sandbox, wish, worker, hold):
    change = wish("create")
    ApiToken.objects.all().delete()
    log_in = hold("PUT", "/api_auth")
    process = worker()
    assert log_in.arrived()
    process.kill()
    assert again(change).state == State.SENDING
    log_in.go_on()
    finish(account, sandbox)
    check(change, "create", sandbox)
    assert writes(sandbox) == ["PUT"]


@pytest.mark.parametrize("kind", METHODS)
def test_killed_while_the_call_was_on_its_way_and_got_lost(account, sandbox, wish, worker, hold, kind):
    change = wish(kind)
    sandbox.faults.add("cut_before", method=METHODS[kind], path="/devices")
    call = hold(METHODS[kind])
    process = worker()
    assert call.arrived()
    process.kill()
    call.go_on()
    until(lambda: sandbox.calls[-1].status is not None)
    finish(account, sandbox)
    check(change, kind, sandbox)


@pytest.mark.parametrize("kind", METHODS)
def test_killed_while_audian_carried_it_out(account, sandbox, wish, worker, hold, kind):
    change = wish(kind)
    call = hold(METHODS[kind])
    process = worker()
    assert call.arrived()
    process.kill()
    call.go_on()
    until(lambda: sandbox.calls[-1].status is not None)
    finish(account, sandbox)
    check(change, kind, sandbox)
    # A second DELETE finds nothing; nothing else is sent twice.
    assert writes(sandbox) == [METHODS[kind]] * (2 if kind == "delete" else 1)


@pytest.mark.parametrize("kind", METHODS)
def test_killed_after_the_answer_and_before_it_was_recorded(account, sandbox, wish, worker, hold, kind):
    change = wish(kind)
    call = hold(METHODS[kind])
    process = worker()
    assert call.arrived()
    with transaction.atomic():
        # Nothing can be recorded while this stands.
        Lease.objects.select_for_update().get(name=f"changes:{account.pk}")
        call.go_on()
        until(lambda: any(made.status for made in sandbox.calls if made.method == METHODS[kind] and "/devices" in made.path))
        time.sleep(0.1)
        process.kill()
    assert again(change).state == State.SENDING
    finish(account, sandbox)
    check(change, kind, sandbox)
    assert writes(sandbox) == [METHODS[kind]] * (2 if kind == "delete" else 1)


def test_killed_right_after_recording(account, sandbox, create, worker):
    wishes = create(), create()
    sandbox.latency = 0.3
    process = worker()
    until(lambda: State.DONE in {again(change).state for change in wishes})
    process.kill()
    finish(account, sandbox)
    for change in wishes:
        check(change, "create", sandbox)
    assert writes(sandbox) == ["PUT", "PUT"]
