"""What a test sees of the running process set from outside: its answers, its rows, and what the sandbox was told."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urljoin

import psycopg
import requests

from softphones.demo.round_trip import Browser


def got(url: str, verify: bool | str = True) -> requests.Response | None:
    """The answer, also one that is an error; None while nobody answers."""
    try:
        return requests.get(url, verify=verify, timeout=20)
    except requests.ConnectionError:
        return None


def certificate(path: Path, key: Path) -> Path:
    """Write a certificate for localhost that nobody but itself stands for, and its key. Returns what to verify it with."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    made = [*command.split(), "-keyout", str(key), "-out", str(path)]
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    return path


class From(requests.adapters.HTTPAdapter):
    """Calls from another address of this machine."""

    def __init__(self, address: str):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, source_address=(self.address, 0), **kwargs)


def upload(browser: Browser, action: str, name: str, text: str) -> None:
    """Send the current page's form for `action` with a file of this name, and go where that leads."""
    form = browser.page.form(action)
    fields = {field: value for field, value in form["fields"].items() if field != "file"}
    headers, address = {"Origin": browser.url}, urljoin(browser.page.url, form["action"])
    answer = browser.session.post(address, data=fields, files={"file": (name, text)}, headers=headers, timeout=20)
    assert answer.status_code == 200
    browser.open(answer.url)


def newest_address(running) -> str:
    """Where the last act came from, as the audit log of the running portal has it."""
    env = running.services["web"].env
    with psycopg.connect(env["DATABASE_URL"], passfile=env["PGPASSFILE"]) as connection:
        return connection.execute("SELECT host(ip) FROM softphones_auditevent ORDER BY id DESC LIMIT 1").fetchone()[0]


def passwords_at_audian(sandbox) -> dict[str, str]:
    """The passwords of all phones that the portal wrote or looked at one by one."""
    found = {re.search(r"/devices/([0-9a-f]{32})$", call["path"]) for call in sandbox("/calls")}
    return {match[1]: sandbox(f"/devices/{match[1]}")["sip"]["password"] for match in found if match}
