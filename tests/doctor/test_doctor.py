"""manage.py doctor: what it finds where something is wrong, and what it says to do."""

import io
import json
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import F
from django.utils import timezone

from softphones import changes, mirror, tasks, vitals
from softphones.doctor import look_at_machine
from softphones.models import Account, ApiToken, Bucket, Change, Lease, Message, Pause, SyncRun
from tests.factories import make_account
from tests.mirror.conftest import _no_pacing, account_on, plant_phone, served  # noqa: F401
from tests.people.smtp_server import smtp_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sandbox(served):  # noqa: F811
    sandbox = served()
    plant_phone(sandbox)
    return sandbox


@pytest.fixture
def account(db, sandbox):
    return account_on(sandbox)


def examine(*arguments) -> dict:
    """What the command answers in JSON, whatever its exit status; `checks` by account and name.

    Whatever it is that is not well: it says what to do.
    """
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("doctor", "--json", *arguments, stdout=out, stderr=err)
        failed = False
    except CommandError:
        failed = True
    told = json.loads(out.getvalue())
    assert failed == (told["status"] == "failure")
    assert [check for check in told["checks"] if check["state"] != "ok" and not check["do"]] == []
    checks = {f"{check['account']} {check['check']}".strip(): check for check in told["checks"]}
    return told | {"checks": checks}


def found(name: str) -> tuple[str, str]:
    """The state of one check, and what it says with what to do."""
    check = examine()["checks"][name]
    return check["state"], f"{check['said']} {check['do']}".strip()


def states(told: dict, *names: str) -> list[str]:
    return [told["checks"][f"acme {name}"]["state"] for name in names]


def test_where_everything_is_well_nothing_is_a_failure(account):
    tasks.sweep()
    vitals.note_beat()
    mirror.run(account, timezone.now())
    changes.create(account=account, name="Desk", by=None, now=timezone.now())
    changes.drain(account=account, seconds=5)
    told = examine()
    fine = {name for name, check in told["checks"].items() if check["state"] == "ok"}
    abilities = {"fields", "If-Match", "status", "flags"}
    here = {"database", "keys", "clock", "worker", "beat", "mail queue", "broker"}
    there = {f"acme {name}" for name in {"api", "log-in", "clock", "realm", "mirror", "outbox", *abilities}}
    assert fine >= here | there
    assert told["status"] == "warning"  # in tests mails reach nobody
    assert {check["state"] for check in told["checks"].values()} == {"ok", "warning"}


def test_for_people_it_is_one_line_each_and_says_so_at_the_end(account, caplog):
    tasks.sweep()
    mirror.run(account, timezone.now())
    caplog.clear()
    out = io.StringIO()
    call_command("doctor", stdout=out)
    assert caplog.messages == []
    *lines, last = out.getvalue().splitlines()
    assert any(line.split()[:3] == ["ok", "acme", "log-in"] for line in lines)
    assert any(line.endswith("Set EMAIL_URL.") for line in lines)
    assert last.startswith(f"{len(lines)} checks. Failures: 0.")


def test_it_looks_and_changes_nothing_at_audian(account, sandbox):
    before = sandbox.devices()
    examine()
    assert {call.method for call in sandbox.calls if not call.path.endswith("/api_auth")} == {"GET"}
    assert sandbox.devices() == before


def test_it_logs_in_although_there_is_a_token_and_everybody_uses_the_new_one(account, sandbox):
    mirror.run(account, timezone.now())
    first = ApiToken.objects.get().token
    examine()
    assert len([call for call in sandbox.calls if call.path.endswith("/api_auth")]) == 2
    assert ApiToken.objects.get().token != first


def test_a_key_that_is_refused_is_told_apart_from_a_server_that_is_away(account, settings):
    key = account.api_key
    Account.objects.update(api_key=key[::-1])
    told = examine()
    assert states(told, "api", "log-in") == ["ok", "failure"]
    assert "does not accept the API key" in told["checks"]["acme log-in"]["said"]
    assert key[::-1] not in json.dumps(told)
    Account.objects.update(api_key=key, api_url="http://127.0.0.1:9/v2")
    told = examine()
    assert states(told, "api") == ["failure"]
    assert "acme log-in" not in told["checks"]
    Account.objects.update(api_key="")
    assert found("acme log-in") == ("failure", "There is no API key for Acme Dental. Set AUDIAN_API_KEY.")


@pytest.mark.parametrize(
    ("fault", "do"),
    [
        ("403", "Have Audian give this API key access to the account, or set another one (AUDIAN_API_KEY)."),
        ("423", "Ask Audian. The portal goes on by itself."),
        ("429", "Run this again in a minute. If it stays so, something else uses the account from this address."),
        ("503", "Run this again later. If it stays so, tell Audian's support."),
        ("html_502", "Run this again later. If it stays so, tell Audian's support."),
        ("html_200", "Correct AUDIAN_API_URL, or the proxy in between."),
        ("cut_before", "Let this machine reach AUDIAN_API_URL: see its firewall, its proxy, its name server."),
    ],
)
def test_whatever_keeps_the_portal_out_it_says_what_to_do(account, sandbox, fault, do):
    sandbox.faults.add(fault, times=None)
    told = examine()
    assert next(check["do"] for check in told["checks"].values() if check["account"] and check["state"] == "failure") == do


def test_a_refused_log_in_is_not_tried_again_at_once(account, settings):
    settings.API_BUCKET_SIZE = 95
    Account.objects.update(api_key=account.api_key[::-1])
    examine()
    assert Bucket.objects.get(name="log-ins").tokens < 35


def test_an_account_that_is_somebody_elses_is_no_way_in(account, sandbox):
    Account.objects.update(audian_id=sandbox.foreign_account_id)
    told = examine()
    assert states(told, "api", "log-in") == ["ok", "failure"]
    assert "Check that the API key belongs to this account" in told["checks"]["acme log-in"]["said"]


def test_a_fixed_token_is_tried_by_a_call(account, sandbox):
    Account.objects.update(api_key="", static_token=sandbox.static_token)
    assert found("acme log-in") == ("ok", "Audian accepts the fixed token.")
    Account.objects.update(static_token="eyJhbGciOiJIUzI1NiJ9.e30.x")
    state, said = found("acme log-in")
    assert state == "failure"
    assert "eyJ" not in said


@pytest.mark.parametrize(
    ("options", "check", "said"),
    [
        ({"honours_fields": False}, "fields", "The server ignores fields"),
        ({"honours_if_match": False}, "If-Match", "The server ignores If-Match"),
    ],
)
def test_what_a_server_can_not_do_is_a_warning_that_says_what_follows(served, db, options, check, said):  # noqa: F811
    sandbox = served(**options)
    plant_phone(sandbox)
    account_on(sandbox)
    state, told = found(f"acme {check}")
    assert state == "warning"
    assert told.startswith(said)
    assert told.endswith("Nothing to do: the portal works with that.")


def test_the_vendors_own_dialect_has_the_status_route(served, db):  # noqa: F811
    sandbox = served(dialect="page")
    plant_phone(sandbox)
    account_on(sandbox)
    assert found("acme status") == ("ok", "The server says by the status route of Audian's page what is connected.")


def test_without_a_softphone_it_does_not_pretend_to_know(served, db):  # noqa: F811
    account_on(served())
    assert states(examine(), "fields", "If-Match", "status", "flags") == ["unknown"] * 4


def test_a_server_that_drops_flags_is_found_out_by_what_the_portal_made(account, sandbox):
    changes.create(account=account, name="Desk", by=None, now=timezone.now())
    changes.drain(account=account, seconds=5)
    made = Change.objects.get().softphone
    sandbox.change_device(made.audian_id, flags=[])
    state, said = found("acme flags")
    assert (state, said.split(":")[0]) == ("warning", "The server does not keep flags")
    sandbox.remove_device(made.audian_id)
    assert found("acme flags")[0] == "unknown"


def test_a_realm_that_is_not_the_apis_is_a_warning(account, sandbox):
    assert found("acme realm") == ("ok", f"Phones are told the realm {sandbox.realm}, as the API says.")
    Account.objects.update(sip_realm="elsewhere.example")
    state, said = found("acme realm")
    assert state == "warning"
    assert f"elsewhere.example, but the API says {sandbox.realm}. Take SIP_REALM out" in said


@pytest.mark.parametrize("ahead", [-3600, 120])
def test_clocks_that_are_apart_are_a_failure(account, sandbox, ahead):
    sandbox.clock_ahead = ahead
    state, said = found("acme clock")
    assert state == "failure"
    assert said.endswith("apart. Let this machine keep its time by NTP.")


def test_a_fault_of_one_ability_leaves_the_others_alone(account, sandbox):
    sandbox.faults.add("403", path="/devices", times=1)
    told = examine()
    assert states(told, "log-in", "fields", "If-Match", "flags", "mirror") == ["ok", "failure", "unknown", "unknown", "failure"]


def test_the_mirror_tells_how_the_last_look_went(account, sandbox):
    assert found("acme mirror") == ("failure", "Audian was never looked at. Run manage.py sync_softphones.")
    mirror.run(account, timezone.now())
    state, said = found("acme mirror")
    assert (state, "was complete: 3 calls in" in said) == ("ok", True)
    long_ago = timezone.now() - timedelta(hours=5)
    SyncRun.objects.update(started_at=long_ago, finished_at=long_ago)
    assert found("acme mirror")[1].startswith("The last look was 5 h ago. Start the worker and beat")
    SyncRun.objects.update(finished_at=timezone.now(), state=SyncRun.State.FAILED, message="It was away.")
    do = "Mend what the lines above say. The portal looks again every 5 minutes, or at once with manage.py sync_softphones."
    assert found("acme mirror") == ("failure", f"The look 0 s ago failed: It was away. {do}")
    SyncRun.objects.update(state=SyncRun.State.HELD, message="12 would go.")
    assert found("acme mirror")[0] == "warning"


def test_trouble_that_stops_the_outbox_is_told_with_its_reason(account):
    now = timezone.now()
    changes.create(account=account, name="Desk", by=None, now=now)
    assert found("acme outbox") == ("ok", "1 changes wait.")
    Pause.objects.create(account=account, since=now - timedelta(minutes=7), until=now, reason="Audian has locked this account.")
    said = "Nothing was sent for 7 min, 1 changes wait: Audian has locked this account."
    do = "Mend what the lines above say; the portal then goes on by itself."
    assert found("acme outbox") == ("failure", f"{said} {do}")


def test_workers_that_are_silent_are_a_failure(account):
    assert found("worker")[1].startswith("No worker ever finished a sweep. Start the worker and beat")
    tasks.sweep()
    assert found("worker")[0] == "ok"
    Lease.objects.filter(name=vitals.SWEPT).update(held_until=F("held_until") - 600)
    assert found("worker")[1].startswith("No worker finished a sweep for 10 min.")
    Lease.objects.filter(name=vitals.SWEPT).update(held_until=F("held_until") + 4200)
    assert found("worker")[1].startswith("No worker finished a sweep since the database's clock was set back. Start")


def test_a_beat_that_is_silent_is_a_warning_for_workers_do_without_it(account):
    said = "Beat never sent anything: workers look by themselves for what is due, every 90 s. Start beat, or restart it."
    assert found("beat") == ("warning", said)
    vitals.note_beat()
    assert found("beat")[0] == "ok"
    Lease.objects.filter(name=vitals.BEAT).update(held_until=F("held_until") - 600)
    assert found("beat")[1].startswith("Beat has sent nothing for 10 min: workers look by themselves")


def test_a_broker_that_is_away_is_a_failure(account, settings):
    settings.REDIS_URL = "redis://127.0.0.1:9"
    state, said = found("broker")
    assert (state, said.rpartition(". ")[2]) == ("failure", "Start it, or correct REDIS_URL.")


def test_the_mail_server_is_asked_without_a_mail(account, settings):
    assert found("mail") == ("warning", "There is no mail server: mails are kept, and reach nobody. Set EMAIL_URL.")
    with smtp_server(settings) as server:
        assert found("mail")[0] == "ok"
        assert server.taken == []
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "portal", "pa55word"
        told = examine()
        assert told["checks"]["mail"]["state"] == "failure"
        assert "pa55word" not in json.dumps(told)
    assert found("mail")[1].endswith("Correct EMAIL_URL, or let this machine reach the mail server.")


def test_mails_that_wait_for_long_are_a_warning(account):
    assert found("mail queue") == ("ok", "No mail waits.")
    Message.objects.create(kind="setup_link", to="a@acme.example", next_attempt_at=timezone.now())
    assert found("mail queue")[0] == "ok"
    Message.objects.update(created_at=timezone.now() - timedelta(minutes=20))
    assert found("mail queue")[1].startswith("1 mails wait, the oldest for 20 min.")
    assert found("mail queue")[0] == "warning"


def test_secrets_under_an_older_key_and_under_none_are_told_apart(account, settings):
    first, second = settings.FIELD_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [second, first]
    assert found("keys")[1].endswith("are encrypted with an older key. Run manage.py rotate_keys before you take that key out.")
    settings.FIELD_ENCRYPTION_KEYS = [second]
    told = examine()
    assert told["checks"]["keys"]["state"] == "failure"
    assert "such as softphones_account.api_key of row" in told["checks"]["keys"]["said"]
    assert told["checks"]["accounts"]["do"] == "Mend what is above, then run this again."


def test_a_migration_that_is_missing_is_a_failure(account):
    recorder = MigrationRecorder(connection)
    last = recorder.migration_qs.filter(app="softphones").order_by("-name")[0].name
    recorder.record_unapplied("softphones", last)
    try:
        assert found("database")[1].endswith("lacks 1 of the migrations. Run manage.py migrate.")
    finally:
        recorder.record_applied("softphones", last)


def test_a_database_that_was_not_told_how_long_to_wait_is_a_warning(account):
    if connection.vendor != "postgresql":
        assert found("database")[0] == "ok"
        return
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 0")
    state, said = found("database")
    assert (state, said.rpartition(": ALTER ROLE")[1]) == ("warning", ": ALTER ROLE")
    connection.close()
    assert found("database")[0] == "ok"


def test_a_database_that_is_away_is_a_sentence_too(account):
    def refuse(*_):
        raise OperationalError("password=pa55word is wrong")

    with connection.execute_wrapper(refuse):
        told = examine()
    assert told["checks"]["database"]["said"] == "The database can't be used (OperationalError)."
    assert {told["checks"][name]["state"] for name in ("keys", "worker", "mail queue", "accounts")} == {"unknown"}
    assert {"broker", "mail"} <= told["checks"].keys()
    assert "pa55word" not in json.dumps(told)


def test_settings_that_are_not_as_in_production_are_warnings(account, settings):
    check = examine()["checks"]["settings"]
    assert check["state"] == "warning"
    settings.DEBUG = True
    assert found("settings") == ("warning", "DEBUG is on: right in development only. Set DEBUG=false in production.")


def test_what_the_settings_silence_is_not_said(account, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    hints = {"portal.W003": "Set EMAIL_URL.", "portal.W004": "Set TRUSTED_PROXIES=1."}
    settings.PUBLIC_URL, settings.TRUSTED_PROXIES = "https://phones.acme.example", 0

    def told() -> set[str]:
        return {finding.do for finding in look_at_machine(now=timezone.now()) if finding.check == "settings"}

    assert set(hints.values()) <= told()
    for check, hint in hints.items():
        settings.SILENCED_SYSTEM_CHECKS = [*settings.SILENCED_SYSTEM_CHECKS, check]
        assert hint not in told()


def test_one_account_can_be_chosen(account, sandbox):
    make_account(slug="other")
    checks = examine("--account", "acme")["checks"]
    assert not any(name.startswith("other ") for name in checks)
    told = examine("--account", "nobody")
    assert told["checks"]["accounts"]["said"] == "There is no account nobody. Known accounts: acme, other."
