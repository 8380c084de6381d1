"""push_changes on the command line, and the tasks that wake a drain."""

import json

import pytest
from celery import current_app
from django.core.management import call_command
from django.db import transaction

from softphones import changes, leases, tasks
from softphones.management.answer import CommandFailed
from softphones.models import Change, Pause
from tests.changes.conftest import again, softphones_of
from tests.factories import make_account


@pytest.fixture
def push(capsys):
    """Run push_changes with --json: what it printed, and whether it was content."""

    def run(*arguments: str) -> tuple[dict, bool]:
        capsys.readouterr()
        try:
            call_command("push_changes", "--json", *arguments)
            content = True
        except CommandFailed:
            content = False
        return json.loads(capsys.readouterr().out), content

    return run


@pytest.fixture
def woken(monkeypatch):
    """The names of the tasks that were woken, and for which account."""
    found = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs, **_: found.append((name.rpartition(".")[2], kwargs)))
    return found


def test_it_sends_all_that_waits_and_counts_it(sandbox, create, phone, ask, push):
    create()
    ask.rename(phone, "Lobby")
    answer, content = push()
    assert answer == {"done": 2, "failed": 0, "held": 0, "left": 0, "message": "2 done, 0 failed, 0 held, 0 left."}
    assert content
    assert len(softphones_of(sandbox)) == 2


def test_with_nothing_to_do_it_is_content(account, push):
    assert push() == ({"done": 0, "failed": 0, "held": 0, "left": 0, "message": "0 done, 0 failed, 0 held, 0 left."}, True)


def test_it_waits_for_what_has_to_be_tried_again(sandbox, create, push):
    sandbox.faults.add("503", times=3, path="/devices")
    create()
    assert push()[0]["done"] == 1


def test_what_failed_or_is_held_is_no_success(sandbox, create, push):
    create(caller_id_name="x" * 36)
    assert push()[0]["failed"] == 1
    sandbox.faults.add("402")
    create()
    answer, content = push()
    assert (answer["failed"], answer["held"], content) == (0, 1, False)


def test_it_stops_when_its_time_is_up_and_says_why_something_is_left(sandbox, create, push):
    sandbox.faults.add("423", times=None)
    create()
    answer, content = push("--max-wait", "0.5")
    assert (answer["left"], content) == (1, False)
    assert "Audian has locked this account" in answer["message"]


def test_it_waits_for_another_drain_and_counts_what_that_one_did(account, create, push):
    create()
    lease = leases.take(f"changes:{account.pk}", 1)
    answer, content = push("--max-wait", "20")
    assert (answer["done"], content) == (1, True)
    assert leases.take(f"changes:{account.pk}").epoch > lease.epoch


def test_it_can_be_about_one_account_only(create, push):
    make_account(slug="other")
    create()
    assert push("--account", "other")[0]["left"] == 0
    assert Change.objects.get().state == Change.State.QUEUED
    assert push("--account", "nobody")[0]["message"].startswith("There is no account nobody.")


def test_what_a_person_asks_for_wakes_a_drain_after_the_commit(account, create, woken):
    with transaction.atomic():
        create()
        assert woken == []
    assert set(map(str, woken)) == {str(("push_changes", {"account_id": account.pk}))}


def test_bulk_wakes_nobody_by_itself(create, woken):
    create(urgent=False)
    assert woken == []


def test_the_sweep_wakes_whatever_was_forgotten(account, create, woken):
    create(urgent=False)
    make_account(slug="idle")
    tasks.sweep()
    assert ("push_changes", {"account_id": account.pk}) in woken
    assert len([name for name, _ids in woken if name == "push_changes"]) == 1


def test_the_sweep_leaves_a_paused_account_alone_until_it_is_due(sandbox, account, create, drain, woken, settings):
    settings.PAUSE_FIRST = settings.RETRY_MOST = 60
    sandbox.faults.add("423", times=None)
    create(urgent=False)
    drain()
    woken.clear()
    tasks.sweep()
    assert "push_changes" not in [name for name, _ids in woken]
    Pause.objects.update(until="2020-01-01T00:00Z")
    tasks.sweep()
    assert "push_changes" in [name for name, _ids in woken]


def test_a_drain_whose_time_is_up_hands_over_to_the_next(sandbox, account, create, woken, settings):
    settings.DRAIN_SECONDS = 0.2
    sandbox.latency = 0.1
    for _each in range(30):
        create(urgent=False)
    tasks.push_changes(account_id=account.pk)
    assert woken == [("push_changes", {"account_id": account.pk})]


def test_what_cannot_go_yet_does_not_spin(sandbox, account, create, ask, drain_once, woken):
    sandbox.faults.add("402", times=None)
    change = create()
    drain_once()
    assert again(change).state == Change.State.HELD
    waits = ask.reset(change.softphone)
    drain_once()
    woken.clear()
    ask.rename(change.softphone, "Another question")
    drain_once()
    woken.clear()
    tasks.push_changes(account_id=account.pk)
    assert woken == []
    assert again(waits).state == Change.State.HELD
    assert changes.waiting() == []
