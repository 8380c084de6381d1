"""One walk through the whole portal with secrets that are known, then a search for them in everything it left behind."""

import io
import json
import logging
import re
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from django.core import mail as outbox
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client
from django.utils import timezone

from portal.logs import SecretsFilter
from softphones import changes, imports, mail, mirror, setup_links
from softphones.audian.sandbox import Sandbox, serve
from softphones.clients import apps
from softphones.models import ApiToken, Import, Softphone
from tests.factories import make_account, make_user
from tests.staffing import staff_browser

PASSWORD = "canary-sings-7Qz"
IMPORTED, REFUSED = "canary-hums-9Xw", "canary whistles 3Kv"  # the second holds spaces, which no password may
SLIPPED = "canary-slips-4Td"  # under another column, by a comma too many or a header left out
ZOIPER = "Z5 5.6.4 Zoiper rv2.10.20"
LINPHONE = {"User-Agent": "LinphoneAndroid/6.0.21", "X-Linphone-Provisioning": "1"}

pytestmark = pytest.mark.django_db(transaction=True)


class Lines(logging.Handler):
    """Every line that would be written anywhere, tracebacks included, at the most talkative level."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.addFilter(SecretsFilter())
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture
def logged():
    root = logging.getLogger()
    lines, level = Lines(), root.level
    root.addHandler(lines)
    root.setLevel(logging.DEBUG)
    yield lines.lines
    root.removeHandler(lines)
    root.setLevel(level)


@pytest.fixture
def sandbox():
    # Without its rate limit: a refused log-in would empty the bucket for the next one.
    sandbox = Sandbox(devices=0, rate_limit=False)
    with serve(sandbox) as sandbox.url:
        yield sandbox


@pytest.fixture
def phone(sandbox):
    owner = sandbox.add_user(first_name="Alice", last_name="Smith", email="alice@acme.example", enabled=True)
    return sandbox.add_device(
        name="Alice Smith - softphone",
        device_type="softphone",
        owner_id=owner,
        sip={"username": "user_alice", "password": PASSWORD},
    )


def test_no_secret_is_left_in_a_log_a_table_a_message_a_page_or_a_file(sandbox, phone, logged, settings):
    settings.API_BUCKET_SIZE = 0
    account = make_account(slug="acme", api_url=sandbox.url, audian_id=sandbox.account_id, api_key=sandbox.api_key)
    look_in_fair_weather_and_foul(sandbox, account)
    pages, shown, code = sign_in_and_set_up()
    tokens = open_links(pages, shown)
    look_as_staff(account, pages)
    import_as_staff(account, pages)
    look_as_operator(settings, pages)

    assert len(shown) == 5
    assert all(PASSWORD in text for text in shown)
    assert IMPORTED in json.dumps(sandbox.devices())
    secrets = {PASSWORD, IMPORTED, REFUSED, SLIPPED, sandbox.api_key, ApiToken.objects.get().token, *tokens}
    left_behind = {
        "logs": "\n".join(logged),
        "pages": "\n".join(pages),
        "mails": "\n".join(f"{each.subject}\n{each.body}\n{each.alternatives}" for each in outbox.outbox),
        "tables": everything_in_the_database(),
        "broker": everything_in_redis(settings),
        "files": everything_in_files(settings.VAR_DIR),
    }
    assert "user_alice" in left_behind["tables"]  # the search does look
    assert "GET /accounts/" in left_behind["logs"]
    found = {place for place, text in left_behind.items() for secret in secrets if secret in text}
    assert found == set()
    # The mailed code is the one secret that a mail is for.
    assert code in left_behind["mails"]
    assert not re.search(rf"\b{code}\b", left_behind["logs"] + left_behind["broker"] + signed_in_rows())


def look_in_fair_weather_and_foul(sandbox, account):
    for fault in (None, "500", "html_200", "truncated_body", "expired_token", "cut_after", "403"):
        if fault:
            sandbox.faults.add(fault, path="/devices")
        mirror.run(account, timezone.now())
        sandbox.faults.clear()
    account.api_key = sandbox.api_key[::-1]  # refused, and echoed by Kazoo
    ApiToken.objects.update(token=None)
    assert mirror.run(account, timezone.now()).state == "failed"
    account.refresh_from_db()
    assert mirror.run(account, timezone.now()).state == "complete"


def sign_in_and_set_up() -> tuple[list[str], list[str], str]:
    """Everything the person does. Returns the pages that may not hold the password, those that must, and the code."""
    browser = Client()
    pages, shown = [], []
    browser.post("/sign-in/", {"email": "alice@acme.example"})
    mail.send_due(timezone.now())
    code = re.search(r"\b(\d{6})\b", outbox.outbox[-1].body)[1]
    pages.append(text_of(browser.post("/sign-in/code/", {"code": "000000" if code != "000000" else "111111"})))
    pages.append(text_of(browser.post("/sign-in/code/", {"code": code}, follow=True)))
    softphone = Softphone.objects.get()
    address = f"/softphones/{softphone.pk}/"
    every_app = [app.slug for app in apps()]
    pages.extend(text_of(browser.get(address, {"app": slug})) for slug in every_app)
    pages.append(text_of(browser.post(f"{address}code/", {"app": "linphone"})))
    pages.append(text_of(browser.post(f"{address}link/", {"app": "linphone"})))
    pages.append(text_of(browser.get("/lights/", headers={"HX-Request": "true"})))
    shown.append(text_of(browser.post(f"{address}password/", {"app": "manual"})))
    shown.append(text_of(browser.post(f"{address}password/", {"app": "zoiper"}, headers={"HX-Request": "true"})))
    pages.append(text_of(browser.get(address)))
    pages.append(text_of(browser.get("/softphones/999999/")))
    return pages, shown, code


def open_links(pages: list[str], shown: list[str]) -> list[str]:
    """A browser, Zoiper and Linphone each use a link, and come again when it is dead. Returns the tokens."""
    softphone = Softphone.objects.get()
    alice = softphone.owner.user
    tokens = [setup_links.draw(softphone=softphone, user=alice, ip="192.0.2.1", now=timezone.now()).token for _link in range(3)]
    browser, stranger = Client(), Client()
    # The page of a link has to name its own address; it is searched for the password, not for its token.
    assert PASSWORD not in text_of(browser.get(f"/s/{tokens[0]}"))
    shown.append(text_of(browser.post(f"/s/{tokens[0]}", follow=True)))
    pages.append(text_of(stranger.get(f"/s/{tokens[0]}")).replace(tokens[0], ""))
    shown.append(text_of(Client().get("/zoiper", {"id": tokens[1]}, headers={"User-Agent": ZOIPER, "Accept": "*/*"})))
    shown.append(text_of(Client().get(f"/s/{tokens[2]}", headers=LINPHONE)))
    pages.append(text_of(Client(REMOTE_ADDR="192.0.2.9").get(f"/s/{tokens[2]}", headers=LINPHONE)))
    return tokens


def look_as_staff(account, pages: list[str]) -> None:
    browser = Client()
    browser.force_login(make_user("adam@acme.example", account=account, role="admin"))
    pages.extend(text_of(browser.get(address)) for address in ("/", "/acme/", "/readyz"))


def import_as_staff(account, pages: list[str]) -> None:
    """A file with passwords: checked, pasted next to another one, started, sent, and its result taken away."""
    browser = staff_browser(account, "admin", "ada@acme.example")
    file = f"name,sip_password\nLobby,{IMPORTED}\nHall,{REFUSED}\nGate, North,{SLIPPED}\n"
    both = {"text": file, "file": SimpleUploadedFile("phones.csv", file.encode())}
    pages.append(text_of(browser.post("/acme/imports/", both)))
    pages.append(text_of(browser.post("/acme/imports/", {"text": file}, follow=True)))
    batch = Import.objects.get()
    assert [row.password for row in batch.rows.order_by("line")][:2] == [IMPORTED, REFUSED]
    stored = everything_in_the_database()
    assert not [secret for secret in (IMPORTED, REFUSED, SLIPPED) if secret in stored], "encrypted at once"
    page = f"/acme/imports/{batch.pk}/"
    pages.append(text_of(browser.post(f"{page}start/")))
    pages.append(text_of(browser.post(f"{page}start/", {"skip_errors": "on"}, follow=True)))
    changes.drain(account=account, seconds=10)
    imports.settle(now=timezone.now())
    addresses = ("/acme/", "/acme/imports/", page, f"{page}?show=all", f"{page}csv/", f"{page}handouts/", "/acme/history/")
    pages.extend(text_of(browser.get(address)) for address in addresses)
    pages.append(text_of(browser.post(f"{page}undo/", follow=True)))
    pages.append(text_of(browser.post(f"{page}mails/", follow=True)))
    import_what_slipped(browser, pages)


def import_what_slipped(browser, pages: list[str]) -> None:
    """The template with commas and cells too many and too few, and its rows alone: as a file, pasted, and by the command."""
    header = "name,owner_email,owner_id,extension,caller_id_name,sip_username,sip_password,enabled\n"
    rows = (
        f"Smith, John,,,1001,John,john.1,{SLIPPED},yes\n"
        f"Smith, John,,,1001,John,,{SLIPPED}\n"
        f"Lobby,1001,Lobby,lobby.1,{SLIPPED},yes\n"
        f"Lobby;;;1001;Lobby;lobby.1;{SLIPPED};yes\n"
    )
    for file in (header + rows, rows):
        pages.append(text_of(browser.post("/acme/imports/", {"text": file}, follow=True)))
        batch = Import.objects.latest("pk")
        page = f"/acme/imports/{batch.pk}/"
        pages.extend(text_of(browser.get(address)) for address in (page, f"{page}?show=error", f"{page}csv/", "/acme/imports/"))
        pages.append(text_of(browser.post(f"{page}start/", {"skip_errors": "on"}, follow=True)))
        uploaded = {"file": SimpleUploadedFile("phones.csv", (file + " \n").encode())}
        pages.append(text_of(browser.post("/acme/imports/", uploaded, follow=True)))
        pages.append(said_by_the_command(file))


def said_by_the_command(file: str) -> str:
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        path, result = Path(folder) / "phones.csv", Path(folder) / "result.csv"
        path.write_text(file)
        with suppress(CommandError):
            call_command("import_softphones", path, "--json", "--result", result, stdout=said, stderr=said)
        return said.getvalue() + result.read_text()


def look_as_operator(settings, pages: list[str]) -> None:
    settings.METRICS_TOKEN = "only-the-operator-knows-it"
    pages.append(text_of(Client().get("/metrics", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"})))
    for command in ("doctor", "rotate_keys"):
        said = io.StringIO()
        with suppress(CommandError):  # no worker swept here, which the doctor calls a failure
            call_command(command, "--json", stdout=said, stderr=said)
        assert said.getvalue()
        pages.append(said.getvalue())


def text_of(response) -> str:
    content = b"".join(response).decode()
    return json.dumps(dict(response.headers)) + content


def everything_in_the_database() -> str:
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            found.extend(repr(row) for row in cursor.fetchall())
    return "\n".join(found)


def signed_in_rows() -> str:
    """The rows that know of a code: its own, the mail's, and the sessions."""
    with connection.cursor() as cursor:
        found = []
        for table in ("softphones_signincode", "softphones_message", "softphones_auditevent"):
            cursor.execute(f"SELECT * FROM {table}")  # noqa: S608
            found.extend(repr(row) for row in cursor.fetchall())
    return "\n".join(found)


def everything_in_redis(settings) -> str:
    if not settings.REDIS_URL:
        return ""
    client = redis.Redis.from_url(settings.REDIS_URL)
    readers = {
        b"list": lambda key: client.lrange(key, 0, -1),
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
    }
    return "\n".join(repr(readers.get(client.type(key), client.get)(key)) for key in client.scan_iter())


def everything_in_files(folder: Path) -> str:
    """Read by a process of its own: one that closes SQLite's file beside SQLite loses every lock that it holds there."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return subprocess.run(["cat", "--", *paths], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout.decode(
        "latin-1"
    )
