"""Redis is gone while a worker has long work: the worker goes on, and does what comes as soon as Redis is back."""

import os
import re
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from celery import current_app
from kombu import Connection
from kombu.exceptions import OperationalError

from softphones import vitals
from softphones.demo.place import free_port
from softphones.demo.processes import Child
from softphones.models import SyncRun
from tests import pairs
from tests.deployment.outside import certificate
from tests.portal.conftest import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


class Redis:
    """A Redis server of our own, which can be killed and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        self._server = pairs.start_redis(self._folder, self.port)

    def kill(self) -> None:
        os.kill(self._server.pid, signal.SIGKILL)
        self._server.stop()

    def stop(self) -> None:
        self._server.stop()

    def send(self, task: str, **ids: int) -> bool:
        """Send a wake-up call. Returns whether it went."""
        try:
            with Connection(self.url) as link:
                current_app.send_task(f"softphones.tasks.{task}", kwargs=ids, connection=link, retry=False)
        except OperationalError:
            return False
        return True


@pytest.fixture
def broker(tmp_path) -> Iterator[Redis]:
    try:
        broker = Redis(tmp_path)
    except pairs.NoServer as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    yield broker
    broker.stop()


@pytest.fixture
def begin_long_look(sandbox, sandbox_account, broker):
    """Has a worker begin a look at Audian that goes on until the test is over."""
    asked, over = Event(), Event()

    def keep_waiting(method: str, path: str) -> None:
        asked.set()
        over.wait(120)

    def begin(worker: Child) -> None:
        sandbox.on_request(keep_waiting)
        broker.send("mirror_account", account_id=sandbox_account.pk)
        wait_until(asked.is_set, worker)

    yield begin
    over.set()


def is_looking() -> bool:
    return SyncRun.objects.filter(state=SyncRun.State.RUNNING).exists() and vitals.at_work()


def test_a_worker_that_lost_redis_during_long_work_sweeps_as_soon_as_redis_is_back(start_worker, broker, begin_long_look):
    worker = start_worker(REDIS_URL=broker.url, API_DEADLINE="120")
    begin_long_look(worker)
    broker.kill()
    wait_until(lambda: "Connection to broker lost" in worker.log.read_text(), worker)
    broker.start()

    def has_swept_since() -> bool:
        since = worker.log.read_text().partition("Connection to broker lost")[2]
        received = re.findall(r"tasks\.sweep\[(\S+)\] received", since)
        return any(f"tasks.sweep[{sweep}] succeeded" in since for sweep in received)

    wait_until(lambda: broker.send("sweep") and has_swept_since(), worker)
    assert is_looking()
    assert "EMERGENCY DUMP" not in worker.log.read_text()


def test_a_worker_that_ends_through_an_error_does_not_wait_for_long_work(start_worker, broker, begin_long_look):
    """Nobody would sweep meanwhile. What starts it again does so at once."""
    worker = start_worker("broker.connection_retry=no", REDIS_URL=broker.url, API_DEADLINE="120")
    begin_long_look(worker)
    broker.kill()
    wait_until(lambda: not worker.alive())
    assert worker.stop() == 1
    assert is_looking()


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError), closing(source), closing(target):
        while data := source.recv(4096):
            target.sendall(data)


@pytest.fixture
def tls(broker, tmp_path) -> Iterator[tuple[str, Path]]:
    """The same Redis behind TLS: `rediss://…`, and the certificate that it shows."""
    own = certificate(tmp_path / "redis.crt", tmp_path / "redis.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own, tmp_path / "redis.key")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    visitor, _ = server.accept()
                except OSError:
                    return
                with suppress(OSError):  # one that does not like the certificate
                    inner = context.wrap_socket(visitor, server_side=True)
                    redis = socket.create_connection(("127.0.0.1", broker.port))
                    for pair in ((inner, redis), (redis, inner)):
                        Thread(target=pump, args=pair, daemon=True).start()

        Thread(target=serve, daemon=True).start()
        yield f"rediss://localhost:{server.getsockname()[1]}/0", own
        server.shutdown(socket.SHUT_RDWR)


def test_a_redis_behind_tls_is_said_to_answer_where_messages_can_be_sent_to_it(settings, tls):
    url, own = tls
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 1}
    certified = f"ssl_ca_certs={own}"
    for query, answers in {
        "ssl_cert_reqs=CERT_NONE": True,
        "ssl_cert_reqs=none": True,
        f"ssl_cert_reqs=CERT_REQUIRED&{certified}": True,
        f"ssl_cert_reqs=required&{certified}": True,
        "ssl_cert_reqs=required": False,
    }.items():
        settings.REDIS_URL = f"{url}?{query}"
        assert vitals.broker_answers() is answers, query
