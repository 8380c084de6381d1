"""Health checks of the containers: `probe.py web|worker|sandbox`. Exit status 0 means well; else a sentence says what is not.

Small on purpose: it runs every half minute, so it does not start Django.
"""

import http.client
import os
import sys
from urllib.parse import urlsplit

SECONDS = 4
# By the database's clock, as the sweep leaves it there.
LAST_SWEEP = "SELECT extract(epoch FROM clock_timestamp())::float8 - held_until FROM softphones_lease WHERE name = 'swept'"


def web() -> None:
    """The web server of this container answers, to the name that it answers to."""
    _ask(8000, "/healthz", host=urlsplit(os.environ["PUBLIC_URL"]).netloc)


def sandbox() -> None:
    """The sandbox in this container answers."""
    _ask(8001, "/sandbox", host="localhost")


def worker() -> None:
    """A sweep was finished lately: beat asks for one every half minute, and a worker carries it out."""
    import psycopg

    longest = float(os.environ.get("WORKER_SILENT_AFTER") or 180)
    try:
        with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=SECONDS) as connection:
            row = connection.execute(LAST_SWEEP).fetchone()
    except psycopg.Error as error:
        sys.exit(f"The database does not tell: {type(error).__name__}")
    if row is None or row[0] > longest:
        sys.exit(f"No sweep was finished in the last {longest:.0f} seconds.")


def _ask(port: int, path: str, *, host: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Host": host})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"{path} does not answer: {type(error).__name__}")
    if status != http.client.OK:
        sys.exit(f"{path} answers {status}.")


if __name__ == "__main__":
    {"web": web, "worker": worker, "sandbox": sandbox}[sys.argv[1]]()
