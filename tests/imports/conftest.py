"""An account whose API is an empty sandbox, an admin, people, and ways to write files."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from softphones import changes, imports, mirror
from softphones.connection import connect
from softphones.models import Import, ImportRow, Softphone, SyncRun
from softphones.pacing import Urgency
from tests.changes.conftest import PASSWORD, SHORT, again, sandbox, short_limits, softphones_of, writes  # noqa: F401
from tests.factories import make_account, make_owner, make_user


@pytest.fixture
def account(transactional_db, sandbox):  # noqa: F811
    account = make_account(slug="acme", api_url=sandbox.url, audian_id=sandbox.account_id, api_key=sandbox.api_key)
    SyncRun.objects.create(account=account, state="complete", started_at=timezone.now(), finished_at=timezone.now())
    return account


@pytest.fixture
def admin(account):
    return make_user("adam@acme.example", account=account, role="admin", name="Adam Admin")


@pytest.fixture
def alice(account, sandbox):  # noqa: F811
    return make_owner(account, "alice@acme.example", name="Alice Smith")


@pytest.fixture
def plant(sandbox, account) -> Callable[..., Softphone]:  # noqa: F811
    """A softphone that Audian and the mirror know."""

    def add(name: str, username: str) -> Softphone:
        sip = {"username": username, "password": PASSWORD, "method": "password"}
        device_id = sandbox.add_device(name=name, device_type="softphone", enabled=True, sip=sip)
        with connect(account, urgency=Urgency.PERSON) as client:
            document = client.device(device_id)
        with transaction.atomic():
            softphone = mirror.absorb(account, document, timezone.now())
        sandbox.calls.clear()
        return softphone

    return add


@pytest.fixture
def check(account, admin) -> Callable[..., Import]:
    def check(file: str | bytes, name: str = "phones.csv", **more) -> Import:
        file = file.encode() if isinstance(file, str) else file
        return imports.check(file=file, name=name, **{"account": account, "by": admin, "now": timezone.now()} | more)

    return check


@pytest.fixture
def start(admin) -> Callable[..., Import]:
    return lambda batch, **more: imports.start(batch=batch, by=admin, now=timezone.now(), **more)


@pytest.fixture
def send(account) -> Callable[[], None]:
    """Let the worker send until nothing can go any more."""

    def send() -> None:
        while changes.drain(account=account, seconds=5).more:
            pass
        imports.settle(now=timezone.now())

    return send


@pytest.fixture
def command(account, tmp_path, capsys):
    """`manage.py import_softphones` with --json, on a file with this text; returns the exit code and the answer.

    What else it said stands in `.said`, the last at the end.
    """

    def run(file: str | bytes, *options: str) -> tuple[int, dict]:
        path = tmp_path / "phones.csv"
        path.write_bytes(file.encode() if isinstance(file, str) else file)
        capsys.readouterr()
        code = 0
        try:
            call_command("import_softphones", str(path), "--json", *options)
        except Exception as error:
            code = getattr(error, "returncode", None) or -1
        written = capsys.readouterr()
        run.said.append(written.err)
        [line] = written.out.splitlines()
        return code, json.loads(line)

    run.said = []
    return run


def said(batch: Import) -> list[tuple]:
    """All problems: line, column, message."""
    return [(problem["line"], problem["column"], problem["message"]) for problem in imports.problems(batch)]


def noticed(batch: Import) -> list[tuple]:
    return [(notice["line"], notice["column"], notice["message"]) for notice in imports.notices(batch)]


def verdicts(batch: Import) -> list[str]:
    return list(batch.rows.order_by("line").values_list("verdict", flat=True))


def table(lines) -> list[dict[str, str]]:
    """A result file as other programs read it."""
    return list(csv.DictReader(io.StringIO("".join(lines).removeprefix("\ufeff"))))


def everything_stored() -> str:
    """The tables of bulk work as they stand in the database, nothing deciphered."""
    with connection.cursor() as cursor:
        found = []
        for table_of in (Import, ImportRow):
            cursor.execute(f"SELECT * FROM {table_of._meta.db_table}")  # noqa: S608
            found += cursor.fetchall()
    assert found
    return repr(found)
