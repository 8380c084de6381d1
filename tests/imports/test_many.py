"""Hundreds of rows: the press returns after the first of them, a worker does the rest, and nothing is lost in between."""

import random
import subprocess
import sys
import threading
import time
from contextlib import suppress

import psycopg
import pytest
from celery import current_app
from celery.signals import worker_ready
from django.db import connection
from django.utils import timezone

from softphones import changes, imports, tasks
from softphones.imports import settling
from softphones.models import AuditEvent, Change, Import, Lease, Message, Softphone
from tests.changes.test_killed import ROOT, environment
from tests.changes.world import Crash
from tests.factories import make_owner, make_softphone
from tests.imports.conftest import again, softphones_of, table, verdicts, writes

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = 300
FILE = "name\n" + "".join(f"Phone {number}\n" for number in range(ROWS))
State, Kind = Import.State, Import.Kind


@pytest.fixture(autouse=True)
def woken(monkeypatch):
    """The names of the tasks that were woken."""
    names = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **more: names.append(name.rpartition(".")[2]))
    return names


@pytest.fixture
def work(account):
    """What the worker does when it is woken for bulk work."""
    return lambda: tasks.go_on_with_imports(account_id=account.pk)


def progress(batch):
    return imports.progress(batch=batch, now=timezone.now())


def send_nothing(account, sandbox) -> bool:
    changes.drain(account=account, seconds=1)
    return changes.waiting() == [] and writes(sandbox) == []


def test_the_press_leaves_most_rows_to_a_worker_and_none_goes_before_all_are_there(check, start, work, woken, account, sandbox):
    batch = start(check(FILE))
    assert 0 < Change.objects.count() < ROWS
    assert "go_on_with_imports" in woken
    assert (progress(batch).state, progress(batch).waiting) == ("running", ROWS)
    assert send_nothing(account, sandbox)
    work()
    assert again(batch).state == State.STARTED
    assert Change.objects.values("softphone").distinct().count() == Change.objects.count() == ROWS
    assert changes.waiting() == [account.pk]


def test_a_file_that_is_written_at_the_press_wakes_only_who_sends_it(check, start, woken):
    start(check("name\nLobby\n"))
    assert set(woken) == {"push_changes"}


def test_a_wake_up_that_was_lost_is_made_up_for_by_the_sweep(check, start, woken):
    start(check(FILE))
    woken.clear()
    tasks.sweep()
    assert woken.count("go_on_with_imports") == 1


def test_a_worker_that_starts_sweeps_at_once_and_when_the_leases_of_a_killed_one_lapsed(monkeypatch, settings):
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, *args, **more: sent.append((name, more["countdown"])))
    worker_ready.send(sender=None)
    assert sent == [("softphones.tasks.sweep", 0), ("softphones.tasks.sweep", settings.LEASE_SECONDS + 1)]


def test_a_file_of_which_a_process_died_in_the_middle_is_complete_in_the_end(check, account, tmp_path):
    path = tmp_path / "phones.csv"
    path.write_text("name\n" + "".join(f"Phone {number}\n" for number in range(1000)))
    command = [sys.executable, "manage.py", "import_softphones", str(path), "--enqueue", "--json"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not Change.objects.exists():
        assert process.poll() is None, "it ended before it wrote anything"
        assert time.monotonic() < until, "it never wrote anything"
        time.sleep(0.005)
    process.kill()
    process.wait()
    imports.catch_up(account=account, now=timezone.now())
    batch = Import.objects.get()
    assert batch.state == State.STARTED
    assert batch.rows.values("change").distinct().count() == Change.objects.count() == Softphone.objects.count() == 1000


@pytest.mark.parametrize("seed", range(2))
def test_whatever_dies_or_fails_meanwhile_each_row_is_made_once_and_told_truly(check, start, sandbox, account, seed):
    chance = random.Random(seed)
    batch = start(check("name\n" + "".join(f"Phone {number}\n" for number in range(25))))

    def die(name, change):
        if chance.random() < 0.04:
            raise Crash

    for _worker in range(20):
        for _fault in range(chance.randint(0, 2)):
            sandbox.faults.add(chance.choice(["cut_after", "cut_before", "503", "html_502"]), path="/devices")
        with suppress(Crash, SystemExit):
            changes.drain(account=account, seconds=2, step=die)
        Lease.objects.update(held_until=0)
    sandbox.faults.clear()
    until = time.monotonic() + 30
    while progress(batch).waiting:
        assert time.monotonic() < until, progress(batch).sentence
        changes.drain(account=account, seconds=2)
    assert (progress(batch).state, progress(batch).made) == ("finished", 25)
    devices = {device["id"]: device["name"] for device in softphones_of(sandbox)}
    assert len(devices) == 25
    assert {line["device_id"]: line["name"] for line in table(imports.result_csv(batch))} == devices


def test_an_import_that_can_not_go_on_keeps_no_other_waiting(check, start, work, account, admin, caplog):
    broken = start(check(FILE))
    broken.rows.filter(change=None).update(cells="{}")
    phones = [make_softphone(account) for _phone in range(60)]
    acts = imports.act_on(account=account, softphones=phones, kind=Kind.DISABLE, by=admin, now=timezone.now())
    start(acts, typed=60)
    work()
    assert Change.objects.filter(kind="update").count() == 60
    assert "could not go on" in caplog.text


def test_two_workers_at_it_at_once_write_each_row_once(check, start):
    batch = start(check(FILE))

    def work():
        imports.go_on(batch=Import.objects.get(pk=batch.pk), now=timezone.now())
        connection.close()

    threads = [threading.Thread(target=work) for _worker in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Softphone.objects.count() == Change.objects.count() == ROWS


def test_another_file_waits_until_the_first_is_written(check, start, work):
    start(check(FILE))
    other = check("name\nPhone 299\n")
    with pytest.raises(imports.NotPossible, match="just being started"):
        start(other)
    work()
    with pytest.raises(imports.ChangedMeanwhile):
        start(other)
    assert verdicts(other) == ["exists"]


def test_an_act_on_phones_that_are_there_waits_for_no_file(check, start, account, admin):
    start(check(FILE))
    phone = make_softphone(account)
    start(imports.act_on(account=account, softphones=[phone], kind=Kind.DISABLE, by=admin, now=timezone.now()))
    assert Change.objects.filter(kind="update").count() == 1


def test_paused_while_it_is_written_it_is_written_and_not_sent(check, start, work, account, admin, sandbox):
    batch = imports.pause(batch=start(check(FILE)), by=admin, now=timezone.now())
    work()
    assert (progress(batch).state, Change.objects.count()) == ("paused", ROWS)
    assert send_nothing(account, sandbox)
    batch = imports.resume(batch=batch, by=admin, now=timezone.now())
    assert (batch.state, changes.waiting()) == (State.STARTED, [account.pk])


def test_cancelled_nothing_goes_from_the_press_on_though_a_worker_has_to_end_the_rows(
    check, start, work, woken, account, admin, sandbox
):
    batch = start(check(FILE))
    work()
    woken.clear()
    imports.cancel(batch=batch, by=admin, now=timezone.now())
    assert (progress(batch).state, progress(batch).ended, progress(batch).waiting) == ("cancelled", ROWS, 0)
    assert {row.sentence for row in imports.rows(batch).rows} == {"Cancelled before it was sent."}
    assert Change.objects.filter(state="queued").exists()
    assert send_nothing(account, sandbox)
    assert "go_on_with_imports" in woken
    work()
    assert (again(batch).state, progress(batch).ended) == (State.CANCELLED, ROWS)
    assert not Change.objects.exclude(state="replaced").exists()
    assert not Softphone.objects.present().exists()
    assert AuditEvent.objects.filter(act="bulk:cancelled").count() == 1


def test_cancelled_while_it_is_written_no_more_is_written(check, start, work, admin):
    batch = start(check("name,sip_password\n" + "".join(f"Phone {number},a-password-{number}\n" for number in range(ROWS))))
    written = Change.objects.count()
    imports.cancel(batch=batch, by=admin, now=timezone.now())
    work()
    assert (Change.objects.count(), progress(batch).ended) == (written, ROWS)
    assert not batch.rows.filter(password__isnull=False).exists()


def test_what_is_being_cancelled_is_not_there_for_the_next_file(check, start, work, admin):
    imports.cancel(batch=start(check(FILE)), by=admin, now=timezone.now())
    assert Softphone.objects.present().exists()
    mended = start(check(FILE + "One more\n"))
    work()
    work()
    assert set(verdicts(mended)) == {"will_create"}
    assert Softphone.objects.present().count() == ROWS + 1


def test_the_history_says_from_where_also_of_what_a_worker_wrote(check, admin, work):
    imports.start(batch=check(FILE), by=admin, ip="192.0.2.7", now=timezone.now())
    work()
    assert AuditEvent.objects.filter(act="softphone:created", ip="192.0.2.7", actor=admin).count() == ROWS


def test_mails_of_a_selection_can_be_paused_and_cancelled(account, admin, start, work, settings):
    settings.EMAIL_PER_MINUTE = 4
    phones = [make_softphone(account, make_owner(account, f"p{number}@acme.example")) for number in range(10)]
    batch = start(imports.act_on(account=account, softphones=phones, kind=Kind.SEND_LINKS, by=admin, now=timezone.now()))
    work()
    assert (Message.objects.count(), progress(batch).waiting) == (4, 10)
    Message.objects.update(state=Message.State.SENT)
    batch = imports.pause(batch=batch, by=admin, now=timezone.now())
    work()
    assert Message.objects.count() == 4
    batch = imports.resume(batch=batch, by=admin, now=timezone.now())
    assert Message.objects.count() == 8
    batch = imports.cancel(batch=batch, by=admin, now=timezone.now())
    work()
    assert (Message.objects.count(), progress(batch).ended) == (8, 2)


def test_after_much_was_written_postgresql_knows_how_full_its_tables_are(check, start, work):
    many = 5 * settling.CREATES_AT_ONCE + 1
    start(check("name\n" + "".join(f"Phone {number}\n" for number in range(many))))
    work()
    if connection.vendor == "postgresql":  # which plans as if they were nearly empty otherwise
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE relname = %s", [Change._meta.db_table])
            assert cursor.fetchone() == (many,)
    assert Change.objects.count() == many


def test_a_table_that_somebody_works_on_keeps_no_import_waiting(check, start, work, caplog):
    start(check("name\n" + "".join(f"Phone {number}\n" for number in range(5 * settling.CREATES_AT_ONCE))))
    if connection.vendor == "postgresql":
        given = connection.get_connection_params()
        with psycopg.connect(**{name: given[name] for name in ("host", "port", "user", "dbname")}) as elsewhere:
            elsewhere.execute(f"LOCK TABLE {Softphone._meta.db_table} IN SHARE UPDATE EXCLUSIVE MODE")  # as VACUUM does
            work()
    else:
        work()
    assert again(Import.objects.get()).state == State.STARTED
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
