"""`manage.py demo`, started as a person starts it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from softphones.demo.place import free_port

ROOT = Path(__file__).parent.parent.parent
STARTED = "Ctrl-C stops everything."

pytestmark = pytest.mark.once


def wait_until(what, seconds: float = 180):
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)
    return found


class Started:
    """A running demo: its process, its address, and everything it has written so far."""

    def __init__(self, folder: Path, port: int):
        self.folder = folder
        self.port = port
        self.written = folder / "written"
        env = {"PATH": os.environ["PATH"], "VAR_DIR": str(folder)}
        with self.written.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo", "--port", str(self.port), "--devices", "10"],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: STARTED in self.says() or self.process.poll() is not None)
        assert self.process.poll() is None, self.says()

    def says(self) -> str:
        return self.written.read_text()

    def sign_ins(self) -> dict[str, str]:
        return dict(re.findall(r"^  (\w+@acme\.example) +(\S+)", self.says(), re.MULTILINE))

    def registrations(self) -> int:
        """How many phones are connected at the demo's sandbox."""
        running = json.loads((self.folder / "demo" / "running.json").read_text())
        return requests.get(f"{running['sandbox']}/sandbox", timeout=60).json()["registrations"]

    def stop(self, with_signal: signal.Signals) -> int:
        self.process.send_signal(with_signal)
        return self.process.wait(180)

    def processes(self) -> dict[int, str]:
        """Every process on this machine that works in the demo's folder: id and command line."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                if str(self.folder).encode() in command + (process / "environ").read_bytes():
                    found[int(process.name)] = command.replace(b"\0", b" ").decode()
            except OSError:
                continue  # it ended, or is somebody else's
        return found


@pytest.fixture
def start(tmp_path):
    started = []

    def start(port: int | None = None) -> Started:
        started.append(Started(tmp_path, port or free_port()))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """A running demo for the tests that leave it as it is."""
    demo = Started(tmp_path_factory.mktemp("standing"), free_port())
    yield demo
    demo.stop(signal.SIGTERM)


def manage(*arguments: str, folder: Path) -> subprocess.CompletedProcess:
    env = {"PATH": os.environ["PATH"], "VAR_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
    )


def test_it_prints_a_sign_in_for_each_role_and_ctrl_c_stops_everything_but_keeps_the_data(start):
    demo = start()
    first = demo.sign_ins()
    assert list(first) == ["alice@acme.example", "helen@acme.example", "adam@acme.example"]
    assert f"The portal is at http://127.0.0.1:{demo.port}\n" in demo.says()
    names = " ".join(demo.processes().values())
    assert all(each in names for each in ("audian.sandbox", "celery", "gunicorn"))
    before = demo.registrations()
    said = manage("demo", "--connect", "bob", folder=demo.folder)
    assert said.stdout == "The 2 phones of bob connected. Pages that are open turn green by themselves.\n"
    assert demo.registrations() == before + 2
    assert demo.stop(signal.SIGINT) == 0
    assert demo.processes() == {}
    assert demo.says().endswith("Stopped. Everything is kept for the next time.\n")

    again = start(demo.port)
    assert again.sign_ins() == first
    assert again.registrations() == before + 2
    assert again.stop(signal.SIGHUP) == 0
    assert again.processes() == {}


def test_what_is_printed_signs_in(standing):
    for address, password in standing.sign_ins().items():
        with requests.Session() as browser:
            browser.trust_env = False
            page = browser.get(f"http://127.0.0.1:{standing.port}/sign-in/password/", timeout=60)
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
            given = {"email": address, "password": password, "csrfmiddlewaretoken": token}
            landed = browser.post(page.url, data=given, timeout=60)
            assert landed.status_code == 200
            assert landed.url == f"http://127.0.0.1:{standing.port}/"


def test_a_process_that_dies_ends_the_demo_with_a_sentence_and_its_log(start):
    demo = start()
    (worker,) = [pid for pid, command in demo.processes().items() if "celery" in command and parent(pid) == demo.process.pid]
    os.kill(worker, signal.SIGKILL)
    assert demo.process.wait(180) == 1
    assert f"The worker has stopped. The end of {demo.folder}/demo/log/worker.log:" in demo.says()
    assert demo.processes() == {}


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_nothing_is_left_running_when_the_demo_itself_is_killed(start):
    demo = start()
    demo.stop(signal.SIGKILL)
    wait_until(lambda: not demo.processes())


def test_a_second_demo_in_the_same_folder_and_a_taken_port_are_sentences(standing, tmp_path):
    second = manage("demo", "--port", str(free_port()), folder=standing.folder)
    assert second.returncode == 1
    assert (
        second.stderr == f"The demo is already running here, at http://127.0.0.1:{standing.port}. Stop it with Ctrl-C first.\n"
    )
    elsewhere = manage("demo", "--port", str(standing.port), folder=tmp_path)
    assert elsewhere.returncode == 1
    assert elsewhere.stderr.startswith(f"Port {standing.port} is taken by another program. Choose another: make demo PORT=")
    assert "Starting" not in elsewhere.stderr


def test_the_check_walks_through_it_once(tmp_path):
    answer = manage("demo", "--check", "--json", folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {
        "message": "The demo works: signed in by a mailed code, set up a phone, saw its light turn green, and got a new one."
    }


def test_without_a_running_demo_no_phone_can_be_plugged_in(tmp_path):
    answer = manage("demo", "--connect", "alice", folder=tmp_path)
    assert answer.returncode == 1
    assert answer.stderr == "The demo is not running here. Start it with: make demo\n"


def test_a_code_for_staff_is_printed_and_opens_their_pages(standing):
    said = manage("demo", "--code", "helen", folder=standing.folder).stdout
    code = re.match(r"(\d{3} \d{3}) \(new in \d+ s\)", said)[1]
    url = f"http://127.0.0.1:{standing.port}"
    with requests.Session() as browser:
        browser.trust_env = False

        def send(page, **fields):
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
            return browser.post(page.url, data=fields | {"csrfmiddlewaretoken": token}, timeout=60)

        send(
            browser.get(f"{url}/sign-in/password/", timeout=60),
            email="helen@acme.example",
            password=standing.sign_ins()["helen@acme.example"],
        )
        landed = send(browser.get(f"{url}/acme/softphones/", timeout=60), code=code)
        assert landed.url == f"{url}/acme/softphones/"
    assert manage("demo", "--code", "alice", folder=standing.folder).returncode == 1
