"""What goes first, what waits for what, how trouble passes, and what costs money."""

import threading
import time
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connections
from django.db.models.signals import pre_save
from django.utils import timezone

from softphones import changes, leases
from softphones.models import AuditEvent, Change, Import, Lease, Pause, Softphone
from softphones.models.imports import batch_of
from tests.changes.conftest import again, softphones_of, writes

State = Change.State


def names_in_order(sandbox) -> list[str]:
    created = sorted(softphones_of(sandbox), key=lambda device: int(device["flags"][0].removeprefix("portal:")))
    return [device["name"] for device in created]


def progress(change: Change) -> changes.Progress:
    return changes.progress(change=change, now=timezone.now())


# Order


def test_what_a_person_waits_for_goes_before_bulk(create, drain, settings):
    settings.DRAIN_WIDTH = settings.DRAIN_BULK_WIDTH = 1
    order = []
    bulk = [create(urgent=False) for _each in range(3)]
    urgent = create(urgent=True)
    drain(step=lambda step, change: order.append(change.pk) if step == "claimed" else None)
    assert order == [urgent.pk, *(change.pk for change in bulk)]


@pytest.fixture
def together(sandbox):
    """Audian holds the first calls that create a softphone until so many are there, or are known not to come."""

    def hold(number: int) -> None:
        there = threading.Barrier(number)

        def wait(method, path):
            if method == "PUT" and path.endswith("/devices") and not there.broken:
                with suppress(threading.BrokenBarrierError):
                    there.wait(20)
                    there.abort()

        sandbox.on_request(wait)

    return hold


def most_under_way(drain) -> int:
    """Drains; returns how many changes were on their way at the same time."""
    under_way, most = set(), [0]

    def watch(step, change):
        if step == "claimed":
            under_way.add(change.pk)
            most.append(len(under_way))
        elif step == "recording":
            under_way.discard(change.pk)

    drain(step=watch)
    return max(most)


def test_wishes_for_one_softphone_go_one_after_the_other(sandbox, phone, ask, drain):
    sandbox.latency = 0.02
    ask.rename(phone, "Lobby")
    ask.reset(phone)
    ask.update(phone, {"enabled": False})
    assert most_under_way(drain) == 1
    assert len(sandbox.calls) >= 4


def test_different_softphones_go_side_by_side_but_not_too_many(together, create, drain, settings):
    settings.API_DEADLINE = 60
    together(8)
    for _each in range(20):
        create()
    assert most_under_way(drain) == 8


def test_bulk_leaves_hands_for_people(together, create, drain, settings):
    settings.API_DEADLINE = 60
    together(6)
    for _each in range(20):
        create(urgent=False)
    assert most_under_way(drain) == 6


def test_an_urgent_wish_pulls_those_before_it_along(phone, ask):
    renaming = ask.rename(phone, "Lobby", urgent=False)
    ask.reset(phone)
    assert again(renaming).urgent


def test_a_reset_during_a_bulk_run_goes_before_what_is_left_of_it(sandbox, create, phone, ask, worker, settings):
    """At Audian within three seconds, at the rate of one account: so many calls of the bulk run may still be answered."""
    settings.API_BUCKET_SIZE, settings.API_TOKENS_PER_SECOND = 40, 9.5
    sandbox.buckets.enabled = True
    sandbox.latency = 0.05
    for number in range(300):
        create(f"Phone {number}", urgent=False)
    worker.start()
    while len(writes(sandbox)) < 35 and worker.is_alive():
        time.sleep(0.05)  # until the burst is spent, and bulk goes on at the rate that is left
    change = ask.reset(phone)
    asked_after = len(sandbox.calls)
    while again(change).state != State.DONE and worker.is_alive():
        time.sleep(0.05)
    [answered] = [number for number, call in enumerate(sandbox.calls) if call.method == "POST"]
    assert answered - asked_after < 3 * settings.API_TOKENS_PER_SECOND
    assert 429 not in [call.status for call in sandbox.calls]


@pytest.fixture
def worker(account, settings):
    """A worker that drains this account as the task does, until the test is over."""
    settings.DRAIN_SECONDS = 1
    over = threading.Event()

    def work():
        while not over.is_set():
            if not changes.drain(account=account).more:
                over.wait(0.1)
        connections.close_all()

    thread = threading.Thread(target=work)
    yield thread
    over.set()
    thread.join()


def test_a_drain_hands_over_when_its_time_is_up(sandbox, create, account):
    sandbox.latency = 0.1
    for _each in range(60):
        create(urgent=False)
    drained = changes.drain(account=account, seconds=0.3)
    assert 0 < drained.done < 60
    assert drained.more
    assert changes.waiting() == [account.pk]


def test_two_drains_never_work_at_once(account, create, drain):
    create()
    lease = leases.take(f"changes:{account.pk}")
    assert drain().busy
    lease.release()
    assert drain().done == 1


def test_a_drain_that_was_replaced_writes_nothing(account, sandbox, create, drain):
    change = create()

    def take_over(step, change):
        if step == "answered" and not took_over:
            Lease.objects.filter(name=f"changes:{account.pk}").update(held_until=0)
            took_over.append(leases.take(f"changes:{account.pk}"))

    took_over = []
    drain(step=take_over)
    assert again(change).state == State.SENDING
    took_over[0].release()
    assert drain().done == 1
    assert len(softphones_of(sandbox)) == 1


# Trouble


@pytest.mark.parametrize(
    "fault", ["503", "html_502", "html_200", "403", "423", "429", "402_standing", "cut_before", "expired_token"]
)
def test_trouble_of_the_account_counts_no_attempt_and_ends_by_itself(sandbox, phone, ask, drain, fault):
    change = ask.rename(phone, "Lobby")
    sandbox.faults.add(fault, times=4, path="/devices")
    assert drain().done == 1
    assert again(change).attempts == 0
    assert not Pause.objects.exists()


def test_while_the_account_is_in_trouble_the_queue_says_so(sandbox, account, phone, ask, drain_once):
    change = ask.rename(phone, "Lobby")
    sandbox.faults.add("423", times=None)
    drained = drain_once()
    assert "locked this account" in drained.message
    assert progress(change).state == "paused"
    assert progress(change).paused_because == changes.paused(account).reason
    trouble = "Audian has locked this account. Ask Audian to unlock it."
    assert progress(change).sentence == f"Waiting. {trouble} Nothing is lost: it goes on as soon as that is over."


def test_trouble_is_probed_by_one_call_at_a_time_ever_more_seldom(sandbox, create, drain, settings):
    settings.RETRY_MOST = 10
    sandbox.faults.add("503", times=None, path="/devices")
    for _each in range(12):
        create()
    drain()
    probes = Pause.objects.get().probes
    assert probes >= 2
    times = [call.at for call in sandbox.calls if call.below == "/devices"]
    assert len(times) <= 8 + probes, "at most eight were under way when it began"
    # Before the first probe others of those that were under way may still arrive.
    pauses = [later - earlier for earlier, later in pairwise(times)][1 - probes :]
    assert all(pause > 0.95 * 0.02 * 2**number for number, pause in enumerate(pauses, start=1))


def test_one_row_that_always_runs_into_trouble_does_not_keep_the_others_waiting(sandbox, plant, create, ask, drain):
    cursed = plant()
    sandbox.faults.add("html_502", times=None, path=cursed.audian_id)
    ask.rename(cursed, "Never")
    others = [create() for _each in range(20)]
    for _round in range(30):
        drain(seconds=1)
        if {again(change).state for change in others} == {State.DONE}:
            break
    else:
        raise AssertionError("the others never went")


def test_when_nothing_waits_nothing_is_paused(account, phone, ask, sandbox, drain_once, create):
    sandbox.faults.add("423", times=None)
    change = create()
    drain_once()
    assert changes.paused(account)
    ask.delete(change.softphone)
    assert changes.paused(account) is None


def test_a_wrong_address_pauses_and_says_what_to_do(account, create, drain_once):
    account.api_url = "http://api.example.com/v2"
    account.save()
    create()
    assert "must start with https" in drain_once().message


# Rows that fail


def test_an_answer_about_the_row_counts_and_the_tenth_ends_it(sandbox, phone, ask, drain):
    change = ask.rename(phone, "Lobby")
    sandbox.faults.add("500", method="POST", times=None)
    assert drain().failed == 1
    assert (again(change).state, change.attempts) == (State.FAILED, 10)
    assert change.error == "Audian failed while working on this softphone."
    assert progress(change).sentence == change.error


def test_a_failed_one_can_be_tried_again(sandbox, phone, ask, drain):
    change = ask.rename(phone, "Lobby")
    sandbox.faults.add("500", method="POST", times=None)
    drain()
    sandbox.faults.clear()
    ask.try_again(change)
    assert drain().done == 1
    with pytest.raises(changes.NotPossible, match="nothing to try again"):
        ask.try_again(change)


def test_a_fault_of_the_portal_costs_one_row_only(sandbox, account, create, drain):
    broken, good = create(), create()
    Change.objects.filter(pk=broken.pk).update(values={"no_such_field": 1})
    assert drain().failed == 1
    assert "fault of its own" in again(broken).error
    assert again(good).state == State.DONE


def test_an_answer_that_cannot_be_stored_costs_one_row_only(sandbox, plant, ask, create, drain):
    cursed = plant()
    ask.rename(cursed, "Lobby")
    good = create()

    def forbid(sender, instance, **kwargs):
        if instance.pk == cursed.pk:
            raise ValueError

    pre_save.connect(forbid, sender=Softphone)
    try:
        drained = drain()
    finally:
        pre_save.disconnect(forbid, sender=Softphone)
    assert (drained.done, drained.failed) == (1, 1)
    assert again(good).state == State.DONE


# Words


def test_the_place_in_the_queue_is_said(create):
    first, second, third = create(urgent=False), create(urgent=False), create(urgent=True)
    assert [progress(change).place for change in (third, first, second)] == [1, 2, 3]
    assert progress(second).sentence == "Waiting: 2 changes go first."


def test_each_wish_and_its_outcome_stand_in_the_audit(phone, ask, drain, admin):
    ask.reset(phone, reason="Ticket 4711", ip="192.0.2.7")
    drain()
    asked, done = AuditEvent.objects.filter(act="password:reset").order_by("pk")
    assert (asked.outcome, asked.actor, asked.reason, asked.ip) == ("asked", admin, "Ticket 4711", "192.0.2.7")
    assert (done.outcome, done.reason) == ("done", "Ticket 4711")


# Charges


def test_what_costs_money_is_held_with_the_quote(sandbox, create, drain):
    sandbox.faults.add("402", rate=2.0, activation_charges=1.0)
    change = create()
    assert drain().held == 1
    assert again(change).state == State.HELD
    assert change.quote["devices"]["softphone"]["rate"] == 2.0
    assert progress(change).state == "held"
    assert softphones_of(sandbox) == []


def test_accepted_charges_are_recorded_and_the_softphone_is_made(sandbox, create, drain, ask, admin):
    sandbox.faults.add("402")
    change = create()
    drain()
    assert ask.accept(change) == 1
    assert drain().done == 1
    assert again(change).decided_by == admin
    assert len(softphones_of(sandbox)) == 1
    assert AuditEvent.objects.filter(act="charges:accepted", actor=admin).exists()


def test_a_dearer_quote_is_asked_about_again(sandbox, create, drain, ask):
    sandbox.faults.add("402", rate=2.0)
    change = create()
    drain()
    ask.accept(change)
    sandbox.faults.clear()
    sandbox.faults.add("402", rate=3.0)
    assert drain().held == 1
    assert again(change).quote["devices"]["softphone"]["rate"] == 3.0
    assert softphones_of(sandbox) == []


def test_declined_charges_end_it(sandbox, create, drain, ask):
    sandbox.faults.add("402")
    change = create()
    drain()
    assert ask.decline(change) == 1
    assert again(change).error == "The charges were declined."
    with pytest.raises(changes.NotPossible):
        ask.accept(change)
    assert drain().left == 0


def test_a_batch_stops_at_the_first_quote_and_asks_once_for_all(sandbox, create, drain, ask, settings):
    settings.DRAIN_WIDTH = settings.DRAIN_BULK_WIDTH = 1
    sandbox.faults.add("402", times=None)
    batch = [create(f"Phone {number}", batch="import:1") for number in range(5)]
    other = create("Another")
    drain()
    assert [again(change).state for change in batch] == [State.HELD] + [State.QUEUED] * 4
    assert again(other).state == State.HELD
    assert {progress(change).state for change in batch} == {"held"}, "none of them goes before the question is answered"
    assert ask.accept(batch[0]) == 5
    assert drain().done == 5
    assert again(other).state == State.HELD


def test_a_declined_batch_ends_whole(sandbox, create, drain, ask, settings):
    settings.DRAIN_WIDTH = settings.DRAIN_BULK_WIDTH = 1
    sandbox.faults.add("402", times=None)
    batch = [create(f"Phone {number}", batch="import:1") for number in range(5)]
    drain()
    assert ask.decline(batch[0]) == 5
    assert {again(change).state for change in batch} == {State.FAILED}


def test_a_held_question_lets_a_reset_and_a_deletion_pass(sandbox, phone, ask, drain):
    sandbox.faults.add("402", method="POST")
    enabling = ask.update(phone, {"caller_id_number": "1009"})
    drain()
    assert again(enabling).state == State.HELD
    sandbox.faults.clear()
    reset = ask.reset(phone)
    drain()
    assert again(reset).state == State.DONE
    ask.delete(phone)
    assert drain().left == 0
    assert again(enabling).state == State.REPLACED


def test_what_builds_upon_an_open_question_says_that_it_waits_for_the_answer(sandbox, create, drain, ask):
    change = create()
    sandbox.faults.add("402")
    drain()
    Change.objects.filter(pk=change.pk).update(tried_at=timezone.now())  # nothing more may be folded into it
    later = [ask.rename(change.softphone, "Lobby"), ask.reset(change.softphone)]
    assert [progress(each).state for each in later] == ["held", "held"]


def test_bulk_work_that_somebody_paused_says_so(account, create):
    batch = Import.objects.create(
        account=account, name="phones.csv", sha256="0" * 64, state="paused", created_at=timezone.now()
    )
    change = create(batch=batch.batch)
    assert progress(change).state == "paused"
    assert progress(change).sentence == "Waiting: it is part of bulk work that was paused. It goes on when that is resumed."
    assert progress(change).paused_because == ""


def test_another_wish_for_the_same_fields_makes_it_another_question(sandbox, phone, ask, drain):
    sandbox.faults.add("402", method="POST")
    first = ask.update(phone, {"caller_id_number": "1009"})
    drain()
    sandbox.faults.clear()
    second = ask.update(phone, {"caller_id_number": "1010"})
    assert drain().done == 1
    assert [again(first).state, again(second).state] == [State.REPLACED, State.DONE]
    assert sandbox.device(phone.audian_id)["caller_id"]["internal"]["number"] == "1010"


def test_only_what_really_goes_first_counts(sandbox, account, admin, plant, create, ask, drain_once):
    paused = Import.objects.create(
        account=account,
        state=Import.State.PAUSED,
        sha256="0" * 64,
        created_at=timezone.now(),
    )
    create(urgent=False, batch=batch_of(paused.pk))
    sandbox.faults.add("402", method="PUT")
    create(urgent=False, batch="import:held")
    drain_once()
    create(urgent=False, batch="import:held")
    later = create(urgent=False)
    Change.objects.filter(pk=later.pk).update(next_attempt_at=timezone.now() + timedelta(minutes=5))
    assert progress(create(urgent=False)).sentence == "Waiting: next in the queue."
