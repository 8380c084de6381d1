"""Health checks of the containers. Exit status 0 means well; else a sentence says what is not.

    probe.py http PORT PATH    what listens on PORT of this container answers 200
    probe.py sweep             a worker has swept lately: it is asked to every half minute
    probe.py beat              beat has asked for that lately

Small on purpose: it runs every half minute, so it does not start Django.
"""

import http.client
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 4
# By the database's clock, as a sweep and beat leave it there.
AGE = "SELECT extract(epoch FROM clock_timestamp())::float8 - held_until FROM softphones_lease WHERE name = %s"


def given(name: str) -> str:
    """A variable as portal/environment.py reads it: from the file that NAME_FILE names, unless that is blank; "" for none."""
    file = os.environ.get(f"{name}_FILE", "").strip()
    return (file and Path(file).read_text().strip()) or os.environ.get(name, "").strip()


def ask(port: str, path: str) -> None:
    # The portal answers to its own name alone.
    host = urlsplit(given("PUBLIC_URL")).netloc or "localhost"
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Host": host})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"{path} does not answer: {type(error).__name__}")
    if status != http.client.OK:
        sys.exit(f"{path} answers {status}.")


def look_for(sign: str, longest: float, otherwise: str) -> None:
    import psycopg

    try:
        with psycopg.connect(given("DATABASE_URL"), connect_timeout=SECONDS) as connection:
            row = connection.execute(AGE, [sign]).fetchone()
    except psycopg.Error as error:
        sys.exit(f"The database does not tell: {type(error).__name__}")
    # Below zero: the database's clock was set back since.
    if row is None or not -1 <= row[0] <= longest:
        sys.exit(f"{otherwise} for {longest:.0f} seconds.")


if __name__ == "__main__":
    silent_after = float(given("WORKER_SILENT_AFTER") or 180)
    match sys.argv[1:]:
        case ["http", port, path]:
            ask(port, path)
        case ["sweep"]:
            look_for("swept", silent_after, "No sweep was finished")
        case ["beat"]:
            # From then on the workers ask for sweeps themselves.
            look_for("beat", silent_after / 2, "Beat has sent nothing")
        case _:
            sys.exit(__doc__)
