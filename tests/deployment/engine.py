"""What a container engine does with docker-compose.yml, done with processes on loopback.

Commands, environment, probes, order of start and restart rules are the file's own. What is different: names such as
`database:5432` and the folders of a container stand for ports and folders of this machine, and PostgreSQL, Redis and Caddy
are the ones of this machine instead of their images.
"""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from softphones.demo.processes import Child
from tests import pairs
from tests.deployment import compose, image

# The ports at which the services find each other, and the proxy its own health.
PORTS = {"database": "5432", "broker": "6379", "web": "8000", "sandbox": "8001", "proxy": "2020"}
# What the official images bring into the environment.
OFFICIAL = {
    "database": {"PGDATA": "/var/lib/postgresql/data"},
    "broker": {},
    "proxy": {"XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/config"},
}
STOP_SIGNALS = {"database": signal.SIGINT}  # STOPSIGNAL of its image
# Nothing here has to outlive a power cut; but what was committed has to outlive a kill of the database.
FAST = ["-c", "fsync=off", "-c", "full_page_writes=off"]
PATIENCE = 60
MOST_RESTARTS = 30


def missing() -> str | None:
    """The sentence that says what this machine lacks to run the file; None if it has all of it."""
    absent = [program for program in ("caddy", "wget", "openssl") if shutil.which(program) is None]
    if absent:
        return f"What the reverse proxy is tested with is missing. Install it with: apt-get install {' '.join(absent)}"
    try:
        pairs.redis_binary()
        with tempfile.TemporaryDirectory() as folder:
            pairs.postgresql_binaries(Path(folder), None)
    except pairs.NoServer as reason:
        return str(reason)
    return None


def steady_port() -> str:
    """A free port that stays free while its service is away: the kernel gives those from 32768 on to connections."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as asked, suppress(OSError):
            asked.bind(("127.0.0.1", port))
            return str(port)


class Service:
    """One service of the file, as processes of this machine see it."""

    def __init__(self, engine: "Engine", name: str):
        self.engine, self.name, self.given = engine, name, engine.file["services"][name]
        self.once = self.given["restart"] == "no"
        own = OFFICIAL.get(name, image.variables())
        found = own | compose.environment_of(self.given, engine.variables)
        self.env = {key: engine.here(name, value) for key, value in found.items()} | {"PATH": engine.path}
        self.command = [engine.here(name, word) for word in self.given.get("command", [])]
        self.needs = {other: how["condition"] for other, how in self.given.get("depends_on", {}).items()}
        self.child: Child | None = None
        self.starts = 0
        self.healthy = False
        self._asked_at = 0.0

    def start(self) -> None:
        self.starts += 1
        log = self.engine.folder / "logs" / f"{self.name}-{self.starts}.log"
        user = self.engine.user if self.name == "database" else None
        if self.name == "database":
            self.command = self.engine.postgres(self.env)
        self.child = Child(self.name, self.command, log=log, env=self.env, cwd=self.engine.home(self.name), user=user)
        self.healthy = False

    def has_ended_well(self) -> bool:
        """Raises ChildDied if it has ended otherwise."""
        if self.child is None or self.child.alive():
            return False
        if self.child.stop() != 0:
            raise self.child.died()
        return True

    def is_healthy(self) -> bool:
        """Whether its probe says so now. Asked no more often than an engine would at its start."""
        check = self.given["healthcheck"]
        if self.healthy or self.child is None or time.monotonic() - self._asked_at < compose.seconds(check["start_interval"]):
            return self.healthy
        self.healthy = self.probe().returncode == 0
        self._asked_at = time.monotonic()
        return self.healthy

    def probe(self, **more: str) -> subprocess.CompletedProcess:
        """What its health check does and says; `more` is environment."""
        check = self.given["healthcheck"]
        kind, *command = [self.engine.here(self.name, word) for word in check["test"]]
        assert kind == "CMD"
        limit = compose.seconds(check["timeout"])
        home = self.engine.home(self.name)
        return subprocess.run(command, env=self.env | more, cwd=home, capture_output=True, text=True, timeout=limit)


class Engine:
    """Runs the services of the file that these profiles choose. `folder` holds volumes, images and logs.

    `more` is what an operator would have added to portal.env of the sandbox.
    """

    def __init__(self, folder: Path, *, profiles: set[str], more: dict[str, str]):
        self.folder = folder
        self.user = pairs.unprivileged()
        self.binaries = pairs.postgresql_binaries(folder, self.user)
        self.path = f"{self.binaries}:{pairs.redis_binary().parent}:{image.path()}"
        self.ports = {name: steady_port() for name in PORTS}
        self.variables = {"HTTP_PORT": steady_port(), "HTTPS_PORT": steady_port()}
        self.variables["PORTAL_CONFIG"] = str(self._config(more))
        self.file = compose.load(self.variables)
        self.held: set[str] = set()
        self.order: list[str] = []
        folder.chmod(0o711)  # PostgreSQL does not run as root, and has to reach its own below
        self._images()
        self.built = self.files_of_the_image()
        chosen = [name for name, given in self.file["services"].items() if set(given.get("profiles", profiles)) & profiles]
        self.services = {name: Service(self, name) for name in chosen}

    @property
    def url(self) -> str:
        return f"http://localhost:{self.variables['HTTP_PORT']}"

    # --- Running

    def up(self) -> None:
        """Start each service as soon as what it depends on is as it asks. Returns when all are well."""
        self.wait(self._all_are_well, seconds=3 * PATIENCE)

    def wait(self, until: Callable[[], object], seconds: float = PATIENCE):
        """What `until` returns, as soon as it is true; meanwhile what has ended is started again, as the file says."""
        end = time.monotonic() + seconds
        while not (found := until()):
            assert time.monotonic() < end, "it did not happen in time"
            self._tend()
            time.sleep(0.1)
        return found

    def kill(self, name: str) -> None:
        """As when a container is killed: everything in it is gone at once."""
        child = self.services[name].child
        os.killpg(child.pid, signal.SIGKILL)
        assert child.wait(10)

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Kill a service, and keep it from being started again while the block runs."""
        self.held.add(name)
        self.kill(name)
        try:
            yield
        finally:
            self.held.discard(name)

    def stop(self) -> dict[str, int]:
        """End all, dependants first, each within its grace. Returns their exit statuses: -9 for one that had to be killed."""
        self.held = set(self.services)
        statuses = {}
        for name in reversed(self.order):
            service = self.services[name]
            if not service.once:
                grace = compose.seconds(service.given["stop_grace_period"])
                statuses[name] = service.child.stop(grace=grace, with_signal=STOP_SIGNALS.get(name, signal.SIGTERM))
        return statuses

    def logs(self, *names: str) -> str:
        """Everything that these services have written."""
        paths = [path for name in names for path in sorted((self.folder / "logs").glob(f"{name}-*.log"))]
        return "\n".join(path.read_text(errors="replace") for path in paths)

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess:
        """`docker compose exec NAME COMMAND`."""
        service = self.services[name]
        words = [self.here(name, word) for word in command]
        return subprocess.run(words, env=service.env, cwd=self.home(name), capture_output=True, text=True, timeout=PATIENCE)

    def _all_are_well(self) -> bool:
        return [name for name, service in self.services.items() if not self._advance(service)] == []

    def _advance(self, service: Service) -> bool:
        if service.child is None:
            if all(self._is(self.services[other], condition) for other, condition in service.needs.items()):
                service.start()
                self.order.append(service.name)
            return False
        return service.has_ended_well() if service.once else service.is_healthy()

    def _is(self, service: Service, condition: str) -> bool:
        wanted = {"service_healthy": service.is_healthy, "service_completed_successfully": service.has_ended_well}
        return service.child is not None and wanted[condition]()

    def _tend(self) -> None:
        for name, service in self.services.items():
            if name in self.held or service.once or service.child is None or service.child.alive():
                continue
            service.child.stop()
            if service.given["restart"] != "unless-stopped" or service.starts > MOST_RESTARTS:
                raise service.child.died()
            service.start()

    def files_of_the_image(self) -> dict[str, int]:
        """Each file below /app, and when it was written."""
        app = self.folder / "images" / "app"
        return {str(path.relative_to(app)): path.stat().st_mtime_ns for path in app.rglob("*") if path.is_file()}

    # --- What stands for what

    def here(self, name: str, text: str) -> str:
        """A text from inside of a container, as it has to read on this machine."""
        for other, port in PORTS.items():
            text = re.sub(rf"\b{other}:{port}\b", f"127.0.0.1:{self.ports[other]}", text)
        if name in PORTS:
            text = re.sub(rf"(?<![\w.]){PORTS[name]}(?![\w.])", self.ports[name], text)
        for inside, outside in self._folders(name).items():
            text = re.sub(rf"(?<![\w/.]){re.escape(inside)}(?![\w.])", str(outside), text)
        return text.replace("0.0.0.0", "127.0.0.1")  # noqa: S104  (the other way round)

    def home(self, name: str) -> Path:
        return self.folder if name in OFFICIAL else self.folder / "images" / "app"

    def _folders(self, name: str) -> dict[str, Path]:
        given = self.file["services"][name]
        found = {"/app": self.folder / "images" / "app", "/etc/caddy": self.folder / "images" / "proxy" / "etc" / "caddy"}
        for volume in given.get("volumes", []):
            source, inside = volume.split(":")[:2]
            found[inside] = self.folder / "volumes" / source
        for secret in given.get("secrets", []):
            found[f"/run/secrets/{secret}"] = Path(self.file["secrets"][secret]["file"])
        return found

    def _config(self, more: dict[str, str]) -> Path:
        there = self.folder / "config"
        shutil.copytree(compose.ROOT / "deploy" / "sandbox", there)
        with (there / "portal.env").open("a") as env:
            env.writelines(f"{name}={value}\n" for name, value in more.items())
        return there

    def _images(self) -> None:
        for volume in self.file["volumes"]:
            (self.folder / "volumes" / volume).mkdir(parents=True)
        own = {key: self.here("web", value) for key, value in image.variables().items()}
        (self.folder / "images").mkdir()
        image.build(self.folder / "images" / "app", own | {"PATH": self.path})
        proxy = self.folder / "images" / "proxy"
        image.copy_files("proxy", proxy)
        caddyfile = proxy / "etc" / "caddy" / "Caddyfile"
        caddyfile.write_text(self.here("proxy", caddyfile.read_text()))

    def postgres(self, env: dict[str, str]) -> list[str]:
        """The command that the image's entry point ends in; before the first start it makes the user and the database."""
        data = Path(env["PGDATA"])
        if not (data / "PG_VERSION").exists():
            if self.user:
                shutil.chown(data, self.user)
            given = {"check": True, "capture_output": True, "user": self.user, "cwd": data, "env": env | {"LC_ALL": "C.UTF-8"}}
            options = [f"--username={env['POSTGRES_USER']}", f"--pwfile={env['POSTGRES_PASSWORD_FILE']}"]
            subprocess.run(["initdb", f"--pgdata={data}", *options, "--auth=scram-sha-256", "--no-sync"], **given)
            made = f"CREATE DATABASE {env['POSTGRES_DB']}\n".encode()
            subprocess.run(["postgres", "--single", "-D", data, *FAST, "postgres"], input=made, **given)
        loopback = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        return [str(self.binaries / "postgres"), "-D", str(data), "-p", self.ports["database"], *loopback, *FAST]
