"""Everything the portal needs, running on this machine: the sandbox, a Celery worker with beat, and the web server."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from softphones.demo.place import ROOT, CannotStart, Place, check_port, free_port
from softphones.demo.processes import Child

START_SECONDS = 120
PREPARATION_SECONDS = 180
GRACE_SECONDS = 8
WATCH_EVERY = 0.2


class Stopped(BaseException):
    """Somebody asked us to end: Ctrl-C, SIGTERM, or a terminal that went away."""


@contextmanager
def asked_to_stop() -> Iterator[None]:
    """Raises Stopped at the first SIGINT, SIGTERM or SIGHUP. Later ones are ignored: we are on our way out."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(*_) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped

    before = {each: signal.signal(each, stop) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@dataclass
class Stage:
    """What runs. `url` is the portal's address, `sandbox_url` the sandbox's (without /v2), `sandbox` what it says of itself."""

    place: Place
    url: str
    sandbox_url: str
    children: list[Child] = field(default_factory=list)
    sandbox: dict = field(default_factory=dict)

    def start(self, name: str, *arguments: str, env: dict[str, str]) -> Child:
        log = self.place.logs / f"{name.replace(' ', '-')}.log"
        child = Child(name, [sys.executable, *arguments], log=log, env=env, cwd=ROOT)
        self.children.append(child)
        return child

    def stop(self) -> None:
        """The web server and the worker end side by side, then the sandbox, to which they talk."""
        for child in self.children[1:]:
            child.ask_to_end()
        for child in reversed(self.children):
            child.stop(grace=GRACE_SECONDS)

    def check(self) -> None:
        """Raises ChildDied if one of them is gone."""
        for child in self.children:
            if not child.alive():
                raise child.died()

    def watch(self) -> None:
        """Never returns: raises ChildDied when one ends, or Stopped."""
        while True:
            self.check()
            time.sleep(WATCH_EVERY)

    def wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        """Returns once `ready()`. Raises ChildDied if a process ends meanwhile, CannotStart after a minute."""
        until = time.monotonic() + START_SECONDS
        while not ready():
            self.check()
            if time.monotonic() > until:
                raise CannotStart(f"The {what} did not answer within {START_SECONDS} seconds. See {self.place.logs}.")
            time.sleep(0.1)


@contextmanager
def running(place: Place, *, port: int, devices: int, say: Callable[[str], None]) -> Iterator[Stage]:
    """Runs the whole portal on 127.0.0.1:`port`, ready to sign in; stops all of it at the end.

    Raises CannotStart for a port that is taken or a demo that runs here already, and ChildDied.
    """
    sandbox_port = free_port()
    stage = Stage(place, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}")
    with place.held():
        check_port(port)
        try:
            say("Starting the sandbox that plays Audian")
            _start_sandbox(stage, sandbox_port, devices)
            env = place.environment(url=stage.url, sandbox_url=stage.sandbox_url, sandbox=stage.sandbox)
            say("Preparing the database, fetching the softphones")
            _prepare(stage, env)
            say("Starting the worker and the web server")
            options = "-m celery -A portal worker --beat --pool threads --concurrency 4 --loglevel INFO"
            worker = stage.start(
                "worker", *options.split(), "--without-gossip", "--without-mingle", "--without-heartbeat", env=env
            )
            web = f"-m gunicorn --config python:portal.gunicorn --bind 127.0.0.1:{port} portal.wsgi"
            stage.start("web server", *web.split(), env=env)
            stage.wait_for("web server", lambda: answers(f"{stage.url}/readyz"))
            stage.wait_for("worker", lambda: " ready." in worker.tail(100))
            place.tell(url=stage.url, sandbox=stage.sandbox_url)
            yield stage
        finally:
            stage.stop()


def _start_sandbox(stage: Stage, port: int, devices: int) -> None:
    options = f"-m softphones.audian.sandbox --port {port} --devices {devices} --registered 40"
    token_url = f"{stage.url}/zoiper?id="
    env = stage.place.plain_environment()
    state = str(stage.place.sandbox_state)
    stage.start("sandbox", *options.split(), "--state", state, "--zoiper-token-url", token_url, env=env)
    stage.wait_for("sandbox", lambda: answers(f"{stage.sandbox_url}/sandbox"))
    stage.sandbox = requests.get(f"{stage.sandbox_url}/sandbox", timeout=20).json()


def _prepare(stage: Stage, env: dict[str, str]) -> None:
    preparation = stage.start("preparation", "-m", "softphones.demo.prepare", str(stage.place.folder), env=env)
    ended = preparation.wait(PREPARATION_SECONDS)
    stage.children.remove(preparation)
    if preparation.stop() or not ended:
        raise preparation.died()


def answers(url: str, *, seconds: float = 5) -> bool:
    """Whether this address answers well within `seconds`. A server that is about to start may take a call and let it wait."""
    try:
        return requests.get(url, timeout=seconds).ok
    except (requests.ConnectionError, requests.Timeout):
        return False
