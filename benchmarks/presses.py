"""How long somebody waits for the presses of an import of the largest file, in a company with 10,000 softphones.

An admin who has shown a second factor sends the real forms to the real web server: checks the file, as CSV and as .xlsx,
each with all eight columns; starts it; and cancels it once all of it is in the outbox. A press is over when the page that
it leads to has come.
"""

import time
from pathlib import Path
from urllib.parse import urljoin

import requests

from benchmarks.databases import fresh_database
from benchmarks.load import WrongAnswer
from benchmarks.mirror import Line
from benchmarks.pages import CSRF, HOST, headers
from benchmarks.portal import gunicorn
from benchmarks.stage import Stage, stage

MIRRORED = 10_000
CHECK_LIMIT, PRESS_LIMIT = 5, 1  # seconds
PATIENCE = 60
FOUND, OK = 302, 200


def presses(server: str) -> bool:
    """Measure it on SQLite, or on the PostgreSQL server at this address. Prints lines of the table; returns whether all
    limits are kept."""
    with (
        fresh_database(server) as database,
        stage(devices=MIRRORED, database=database, TRUSTED_PROXIES="1") as place,
    ):
        there = place.measure("mirror")["created"]
        made = place.measure("presses")
        with gunicorn(place) as (port, _process):
            seconds = _seconds(_Admin(port, made["cookie"]), place, made)
    said = f"{made['rows']:,} rows of 8 columns, {there:,} softphones there, {'PostgreSQL' if server else 'SQLite'}"
    limits = {what: CHECK_LIMIT if "check" in what else PRESS_LIMIT for what in seconds}
    lines = [Line(f"seconds {what}", taken, limits[what], detail=said) for what, taken in seconds.items()]
    for line in lines:
        print(line, flush=True)
    return all(line.kept for line in lines)


def _seconds(admin: "_Admin", place: Stage, made: dict) -> dict[str, float]:
    listed, says, taken = f"/{made['slug']}/imports/", f"{made['rows']} softphones will be created", {}
    admin.look(listed)
    for kind, path in made["files"].items():
        page, taken[f"to check a file: {kind}"] = admin.press(listed, path, says=says)
    _page, taken["until it is started"] = admin.press(f"{page}start/", says="Under way")
    place.measure("go_on")
    _page, taken["until it is cancelled"] = admin.press(f"{page}cancel/", says="The rest was cancelled")
    return taken


class _Admin:
    """Somebody with a browser, whose second factor was shown in its session."""

    def __init__(self, port: int, cookie: str):
        self._root, self._session = f"http://127.0.0.1:{port}", requests.Session()
        self._session.trust_env = False
        self._session.headers.update(headers({"cookie": cookie}) | {"Origin": f"https://{HOST}"})

    def look(self, path: str) -> requests.Response:
        return self._session.get(self._root + path, timeout=PATIENCE)

    def press(self, form: str, path: str = "", *, says: str) -> tuple[str, float]:
        """Send a form, with a file if a path is given. Returns where that led, and the seconds until that page had come.

        Raises WrongAnswer if it does not say `says`.
        """
        content = Path(path).read_bytes() if path else b""
        files = {"file": (Path(path).name, content)} if path else None
        begun = time.perf_counter()
        answer = self._session.post(
            self._root + form, data={"csrfmiddlewaretoken": CSRF}, files=files, allow_redirects=False, timeout=PATIENCE
        )
        if answer.status_code != FOUND:
            raise WrongAnswer(f"{form} was answered with {answer.status_code}.")
        led = urljoin(form, answer.headers["Location"])
        page = self.look(led)
        seconds = time.perf_counter() - begun
        if page.status_code != OK or says not in page.text:
            raise WrongAnswer(f"{led} was answered with {page.status_code}, and does not say “{says}”.")
        return led, seconds
