"""How fast the portal is as it is deployed: `make bench`, or `python -m benchmarks.portal`. Exit code 1 if a limit is missed.

PostgreSQL with its own defaults, two gunicorn workers, 100,000 softphones that the mirror has read from a sandbox. Prints
the tables of docs/performance.md. One process asks for the pages, over a new connection each time. The pages
take turns, so that a busy spell of the machine meets all of them; of each page the quieter half of its rounds counts, and
the table tells how much of the machine others took even then.
"""

import argparse
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import WrongAnswer, ask, load
from benchmarks.pages import Page, pages
from benchmarks.stage import ROOT, Stage, stage
from benchmarks.tables import Sample, mirror_table, pages_table
from benchmarks.usage import PROCESSORS, usage
from softphones.demo.processes import Child
from tests.pairs import postgresql_server

WORKERS, CLIENTS = 2, (1, 8)
WARM_UP, START = 1.0, 60  # seconds
DEPLOYED = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
    "TRUSTED_PROXIES": "1",
    "COMPANY_NAME": "Acme Dental",
    "HELPDESK_EMAIL": "helpdesk@acme.example",
    "HELPDESK_PHONE": "+1 555 0100",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100_000, help="softphones of the company (100000)")
    parser.add_argument("--rounds", type=int, default=6, help="how often each page has its turn (6)")
    parser.add_argument("--seconds", type=float, default=2, help="how long a turn is (2)")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="softphone-portal-benchmark-") as folder,
        postgresql_server(Path(folder), {}) as (address, database),
        stage(devices=options.devices, database=address, **DEPLOYED) as place,
    ):
        print(f"{_machine(address)}; {options.devices:,} softphones.\n", flush=True)
        table, mirrored = mirror_table(first=place.measure("mirror"), unchanged=place.measure("mirror"))
        print(table, flush=True)
        measured = pages(**place.run("benchmarks.company"))
        with gunicorn(place) as (port, web):
            roots = {"web": web, "database": database}
            samples = measure(measured, port, roots, rounds=options.rounds, seconds=options.seconds)
        table, served = pages_table(measured, samples)
        print(table)
    return 0 if mirrored and served else 1


@contextmanager
def gunicorn(place: Stage) -> Iterator[tuple[int, int]]:
    """The portal behind gunicorn, configured as in production. Yields its port and its process."""
    folder = Path(place.environment["VAR_DIR"])
    environment = place.environment | {"STATIC_ROOT": str(folder / "static"), "LOG_LEVEL": "INFO"}
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"]
    subprocess.run(collect, cwd=ROOT, env=environment, check=True)
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-c", "python:portal.gunicorn", f"--workers={WORKERS}"]
    command += [f"--bind=127.0.0.1:{port}", "portal.wsgi"]
    server = Child("web server", command, log=folder / "web.log", env=environment, cwd=ROOT)
    try:
        _wait_for(server, port)
        yield port, server.pid
    finally:
        server.stop()


def measure(wanted: list[Page], port: int, roots: dict[str, int], *, rounds: int, seconds: float) -> dict:
    """Samples of each page, by its name and the number of clients."""
    samples: dict[tuple[str, int], list[Sample]] = {(page.name, clients): [] for page in wanted for clients in CLIENTS}
    for page in wanted:
        if page.shows.encode() not in ask(port, page.visitors[0][0]):
            raise WrongAnswer(f"{page.name} does not show {page.shows}.")
        load(port, page.visitors, seconds=WARM_UP)
    for _round in range(rounds):
        for page in wanted:
            for clients in CLIENTS:
                before, begun = usage(**roots), time.perf_counter()
                latencies = load(port, page.visitors[:clients], seconds=seconds)
                taken = time.perf_counter() - begun
                samples[page.name, clients].append(Sample(latencies, taken, usage(**roots).since(before)))
    return samples


def _wait_for(server: Child, port: int) -> None:
    until = time.monotonic() + START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if not server.alive() or time.monotonic() > until:
                raise server.died() from None
            time.sleep(0.1)


def _machine(address: str) -> str:
    import psycopg

    with psycopg.connect(address) as connection:
        version = connection.execute("SHOW server_version").fetchone()[0].split()[0]
    return f"Python {platform.python_version()}, PostgreSQL {version}, {PROCESSORS} processors ({_processor()})"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
