"""One run at a time, each with a row that says how it went; and the command that starts one by hand."""

import json
import threading
import time
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from softphones import leases, mirror
from softphones.management.answer import CommandFailed
from softphones.mirror import runs
from softphones.models import Softphone, SyncRun
from tests.factories import make_account
from tests.mirror.conftest import account_on, look, plant_phone, plant_phones, present


def sync(capsys, *arguments) -> dict:
    """What `sync_softphones --json` prints; `exit` is what it ends with."""
    try:
        call_command("sync_softphones", "--json", *arguments)
        code = 0
    except CommandFailed as failure:
        code = failure.returncode
    return json.loads(capsys.readouterr().out) | {"exit": code}


def test_two_runs_of_one_account_never_meet(account, sandbox):
    plant_phone(sandbox)
    lease = leases.take(f"mirror:{account.pk}", 60)
    assert look(account) is None
    assert sandbox.calls == []
    lease.release()
    assert look(account).state == "complete"


def test_a_run_waits_for_the_one_before_it_if_it_is_told_to(account, sandbox):
    leases.take(f"mirror:{account.pk}", 0.5)
    assert look(account, wait=5).state == "complete"


def test_another_account_is_not_held_up(account, sandbox):
    leases.take(f"mirror:{make_account().pk}", 60)
    assert look(account).state == "complete"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", [None, "503"])
def test_a_run_whose_lease_was_taken_over_writes_nothing_more(account, sandbox, settings, fault):
    plant_phones(sandbox, 3)
    settings.LEASE_SECONDS = 0.2
    taken = []

    def replace_the_run(method, path):
        """The process sleeps for longer than its lease, and another one takes over."""
        if path.endswith("/devices"):
            time.sleep(0.3)
            taken.append(leases.take(f"mirror:{account.pk}", 60))
            SyncRun.objects.update(state="failed", message="Ended by the run that took over.")
            connection.close()  # of the sandbox's thread
            if fault:
                sandbox.faults.add(fault)

    sandbox.on_request(replace_the_run)
    run = look(account)
    assert all(taken)
    assert Softphone.objects.count() == 0
    assert (run.state, run.message) == ("failed", "Ended by the run that took over.")
    taken[0].renew()  # the one that took over still holds it


def test_the_row_of_a_crashed_run_is_ended_by_the_next(account, sandbox):
    crashed = SyncRun.objects.create(account=account, started_at=timezone.now() - timedelta(minutes=9))
    look(account)
    crashed.refresh_from_db()
    assert crashed.state == "failed"
    assert "interrupted" in crashed.message
    assert crashed.finished_at


def test_only_the_newest_runs_are_kept(account, sandbox, monkeypatch):
    monkeypatch.setattr(runs, "RUNS_KEPT", 3)
    made = [look(account).pk for _ in range(5)]
    assert sorted(account.runs.values_list("pk", flat=True)) == made[2:]


def test_an_account_is_overdue_until_a_run_began_lately(account, sandbox, settings):
    other = make_account()
    now = timezone.now()
    assert set(mirror.overdue(now)) == {account.pk, other.pk}
    look(account)
    assert mirror.overdue(now) == [other.pk]
    assert account.pk in mirror.overdue(now + timedelta(seconds=settings.MIRROR_STALE_AFTER + 60))


def test_a_look_that_was_cut_off_is_made_up_for_at_once_and_not_again_and_again(account, sandbox):
    now = timezone.now()
    look(account)
    lease = leases.take(f"mirror:{account.pk}")
    SyncRun.objects.create(account=account, started_at=now)
    assert mirror.overdue(now) == [], "it is at work"
    lease.release()
    assert mirror.overdue(now) == [account.pk], "whoever was at it is no more"
    look(account)
    assert mirror.overdue(now) == []
    SyncRun.objects.create(account=account, started_at=now)
    assert mirror.overdue(now) == [], "each look may end its worker: then the next one has time"
    assert mirror.overdue(now + timedelta(hours=1)) == [account.pk]


@pytest.mark.django_db(transaction=True)
def test_people_see_how_far_a_run_is(sandbox, settings, monkeypatch):
    monkeypatch.setattr("softphones.mirror.work.SAVED_EVERY", 0)
    settings.API_PAGE_SIZE = 2
    account = account_on(sandbox)
    plant_phones(sandbox, 6)
    seen = []

    def watch(method, path):
        if path.endswith("/devices"):
            seen.append(SyncRun.objects.values("state", "calls", "pages").get())
            from django.db import connection

            connection.close()  # of the sandbox's thread

    sandbox.on_request(watch)
    look(account)
    assert {row["state"] for row in seen} == {"running"}
    assert [row["pages"] for row in seen] == sorted({row["pages"] for row in seen})
    assert seen[-1]["calls"] > seen[0]["calls"] > 0


@pytest.mark.django_db(transaction=True)
def test_of_eight_runs_at_the_same_moment_one_looks(sandbox, account):
    plant_phones(sandbox, 5)
    sandbox.latency = 0.05
    found, start = [], threading.Barrier(8)

    def race():
        start.wait()
        found.append(look(account))
        connection.close()

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.state for run in found if run] == ["complete"]
    assert len(present()) == 5


# manage.py sync_softphones


def test_the_command_answers_with_numbers(account, sandbox, capsys):
    plant_phones(sandbox, 3)
    answer = sync(capsys)
    assert answer | {"message": ""} == {
        "status": "complete",
        "created": 3,
        "updated": 0,
        "unchanged": 0,
        "gone": 0,
        "pages": 2,
        "calls": 4,
        "message": "",
        "exit": 0,
    }
    assert answer["message"] == "The mirror is complete: 3 created, 0 updated, 0 unchanged, 0 gone."


def test_the_command_says_why_it_failed_and_prints_all_fields(db, capsys):
    make_account()
    answer = sync(capsys)
    assert (answer["status"], answer["exit"], answer["created"]) == ("failed", 1, 0)
    assert answer["message"].startswith("Audian cannot be reached.")


def test_a_held_run_is_not_success_until_its_removals_are_accepted(account, sandbox, capsys):
    planted = plant_phones(sandbox, 3)
    look(account)
    for device in planted:
        sandbox.remove_device(device)
    assert (sync(capsys)["status"], present()) == ("held", set(planted))
    held = sync(capsys)
    assert held["exit"] == 1
    assert held["message"].endswith("To release it from here, add --accept-removals.")
    assert "--" not in SyncRun.objects.latest("pk").message, "staff read it on a page, where a link releases it"
    answer = sync(capsys, "--accept-removals")
    assert (answer["status"], answer["gone"], answer["exit"]) == ("complete", 3, 0)
    assert present() == set()


def test_accepting_when_nothing_is_held_is_an_ordinary_run(account, sandbox, capsys):
    planted = plant_phones(sandbox, 3)
    look(account)
    sandbox.faults.add("empty_listing", match="GET /devices$")
    answer = sync(capsys, "--accept-removals")
    assert answer["status"] == "held"
    assert present() == set(planted)


def test_the_command_looks_at_the_account_that_is_named(account, sandbox, capsys):
    make_account(slug="unreachable")
    plant_phone(sandbox)
    assert sync(capsys, "--account", "acme")["status"] == "complete"
    assert sync(capsys, "--account", "unreachable")["status"] == "failed"


def test_without_a_name_it_looks_at_all_and_the_worst_counts(account, sandbox, capsys):
    make_account(slug="unreachable")
    plant_phones(sandbox, 2)
    answer = sync(capsys)
    assert (answer["status"], answer["created"], answer["exit"]) == ("failed", 2, 1)
    assert "acme: The mirror is complete" in answer["message"]
    assert "unreachable: Audian cannot be reached" in answer["message"]


def test_an_unknown_account_is_a_sentence(account, capsys):
    answer = sync(capsys, "--account", "nobody")
    assert (answer["exit"], answer["message"]) == (1, "There is no account nobody. Known accounts: acme.")


def test_no_account_at_all_is_a_sentence(db, capsys):
    assert "Set AUDIAN_ACCOUNT_ID" in sync(capsys)["message"]


def test_the_command_makes_the_account_that_the_environment_names(db, sandbox, settings, capsys):
    settings.AUDIAN_API_URL, settings.AUDIAN_ACCOUNT_ID = sandbox.url, sandbox.account_id
    settings.AUDIAN_API_KEY = sandbox.api_key
    plant_phone(sandbox)
    assert sync(capsys)["created"] == 1
