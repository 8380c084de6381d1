"""Bulk work that somebody stopped, or that asks about charges, and what people ask for meanwhile about the same phones."""

import pytest
from django.utils import timezone

from softphones import changes, tasks
from softphones.models import Change, Import, Softphone
from tests.changes.conftest import PASSWORD, again, softphones_of, writes

State = Change.State
PERSONAL = {"rename": {"name": "Lobby"}, "switch on": {"enabled": True}}


@pytest.fixture
def work(account) -> Import:
    return Import.objects.create(account=account, name="a", sha256="0" * 64, state="paused", created_at=timezone.now())


@pytest.fixture
def bulk(work) -> dict:
    return {"batch": work.batch, "urgent": False}


@pytest.fixture
def resume(work, drain):
    def resume():
        Import.objects.filter(pk=work.pk).update(state="started")
        return drain()

    return resume


@pytest.fixture
def cancel(work, account, drain):
    def cancel():
        Import.objects.filter(pk=work.pk).update(state="cancelling")
        changes.cancel_unsent(account=account, batch=work.batch, now=timezone.now(), most=100)
        Import.objects.filter(pk=work.pk).update(state="cancelled")
        return drain()

    return cancel


def device(sandbox, phone) -> dict:
    return sandbox.device(phone.audian_id)


def password(sandbox, phone) -> str:
    return device(sandbox, phone)["sip"]["password"]


@pytest.fixture(params=["reset", "disable", "delete"])
def stopped(request, ask, phone, bulk) -> Change:
    """A part of paused work about the phone."""
    if request.param == "delete":
        return ask.delete(phone, **bulk)
    return ask.reset(phone, **bulk) if request.param == "reset" else ask.update(phone, {"enabled": False}, **bulk)


class TestWhatPeopleAskForMeanwhile:
    def test_a_new_password_goes_at_once_and_is_the_last_one(self, sandbox, phone, ask, bulk, drain, resume):
        bulk_reset = ask.reset(phone, **bulk)
        reset = ask.reset(phone)
        assert changes.progress(change=reset, now=timezone.now()).sentence == "Waiting: next in the queue."
        drain()
        assert again(reset).state == State.DONE
        assert again(phone).password == password(sandbox, phone) != PASSWORD
        resume()
        assert (again(bulk_reset).state, bulk_reset.error) == (State.REPLACED, "")
        assert writes(sandbox) == ["POST"]

    @pytest.mark.parametrize("values", PERSONAL.values(), ids=list(PERSONAL))
    def test_another_value_goes_at_once_and_stays(self, sandbox, phone, ask, bulk, drain, resume, values):
        disable = ask.update(phone, {"enabled": False}, **bulk)
        wish = ask.update(phone, values)
        drain()
        assert again(wish).state == State.DONE
        resume()
        assert {name: device(sandbox, phone)[name] for name in values} == values
        assert again(disable).state == (State.REPLACED if "enabled" in values else State.DONE)

    def test_what_the_work_asks_for_later_comes_last(self, sandbox, phone, ask, bulk, drain, resume):
        wishes = [ask.update(phone, {"enabled": False}, **bulk), ask.rename(phone, "Lobby")]
        wishes.append(ask.update(phone, {"name": "Reception"}, **bulk))
        drain()
        assert [again(wish).state for wish in wishes] == [State.QUEUED, State.DONE, State.QUEUED]
        assert device(sandbox, phone)["name"] == "Lobby"
        resume()
        assert [again(wish).state for wish in wishes] == [State.DONE] * 3
        assert (device(sandbox, phone)["name"], device(sandbox, phone)["enabled"]) == ("Reception", False)

    @pytest.mark.parametrize("order", [1, -1])
    def test_what_is_overtaken_in_it_ends_once(self, sandbox, phone, ask, bulk, drain, resume, order):
        for values in [{"name": "Hall"}, {"enabled": False}][::order]:
            ask.update(phone, values, **bulk)
        ask.rename(phone, "Lobby")
        drain()
        name, off = sorted(Change.objects.filter(batch=bulk["batch"]), key=lambda wish: "enabled" in wish.values)
        assert (name.state, off.state) == (State.REPLACED, State.QUEUED)
        resume()
        assert (again(name).state, again(off).state) == (State.REPLACED, State.DONE)
        assert (device(sandbox, phone)["name"], device(sandbox, phone)["enabled"]) == ("Lobby", False)

    def test_a_deletion_goes_at_once(self, sandbox, phone, ask, stopped, drain):
        deletion = ask.delete(phone)
        drain()
        assert again(deletion).state == State.DONE
        assert softphones_of(sandbox) == []
        assert again(stopped).state in (State.REPLACED, State.DONE)

    def test_nothing_of_it_ends_when_the_work_is_cancelled(self, sandbox, phone, ask, bulk, drain, cancel):
        disable, deletion = ask.update(phone, {"enabled": False}, **bulk), ask.delete(phone, **bulk)
        asked = ask.delete(phone)
        cancel()
        assert [again(each).state for each in (disable, deletion, asked)] == [State.REPLACED, State.DONE, State.DONE]
        assert softphones_of(sandbox) == []

    @pytest.mark.parametrize("kind", ["reset", "update"])
    def test_a_question_about_charges_of_bulk_work_keeps_nobody_waiting(self, sandbox, plant, phone, ask, drain, work, kind):
        Import.objects.filter(pk=work.pk).update(state="started")
        bulk = {"batch": work.batch, "urgent": False}
        sandbox.faults.add("402", method="POST")
        held = ask.update(plant("Other", "user_other"), {"enabled": False}, **bulk)
        drain()
        assert again(held).state == State.HELD
        sandbox.faults.clear()
        of_batch = ask.update(phone, {"enabled": False}, **bulk)
        wishes = [ask.reset(each) if kind == "reset" else ask.rename(each, "New") for each in (phone, held.softphone)]
        drain()
        assert [again(wish).state for wish in wishes] == [State.DONE, State.DONE]
        assert again(of_batch).state == State.QUEUED

    def test_what_makes_the_phone_is_waited_for_and_that_is_said(self, create, ask, bulk, drain):
        made = create(**bulk)
        Change.objects.filter(pk=made.pk).update(tried_at=timezone.now())
        wish = ask.reset(made.softphone)
        drain()
        assert changes.progress(change=wish, now=timezone.now()).state == "paused"

    def test_two_wishes_for_one_phone_are_never_on_their_way_together(
        self, account, phone, ask, bulk, resume, drain, sandbox, work
    ):
        """Resumed while a newer wish is being sent, the older one waits for its answer."""
        ask.update(phone, {"enabled": False}, **bulk)
        ask.rename(phone, "Lobby")
        sandbox.latency = 0.2
        under_way = []

        def step(name, change):
            if name == "claimed":
                Import.objects.filter(pk=work.pk).update(state="started")
            if name in ("calling", "answered"):
                under_way.append(Change.objects.filter(state=State.SENDING).count())

        changes.drain(account=account, seconds=10, step=step)
        assert set(under_way) == {1}
        assert (device(sandbox, phone)["name"], device(sandbox, phone)["enabled"]) == ("Lobby", False)

    def test_who_saw_what_stopped_work_makes_of_it_saw_no_other_value(self, sandbox, phone, ask, bulk, drain):
        ask.update(phone, {"caller_id_number": "1001"}, **bulk)
        wish = ask.update(phone, {"caller_id_number": "1002"}, {"caller_id_number": "1001"})
        drain()
        assert (again(wish).state, wish.conflict) == (State.DONE, {})

    def test_of_a_stopped_wish_only_what_nobody_changed_since_is_sent(self, sandbox, phone, ask, bulk, drain, resume):
        both = ask.update(phone, {"enabled": False, "caller_id_number": "1001"}, **bulk)
        ask.update(phone, {"caller_id_number": "1002"})
        drain()
        resume()
        assert again(both).state == State.DONE
        assert device(sandbox, phone)["caller_id"]["internal"]["number"] == "1002"
        assert device(sandbox, phone)["enabled"] is False


def test_what_was_folded_into_a_declined_batch_ends_with_it(sandbox, create, ask, drain, settings):
    settings.DRAIN_BULK_WIDTH = 1
    sandbox.faults.add("402", method="PUT")
    first, second = (create(name, batch="b", urgent=False) for name in ("One", "Two"))
    renaming = ask.rename(second.softphone, "Three")
    Change.objects.update(urgent=False)
    drain()
    assert again(first).state == State.HELD
    ask.decline(first)
    assert [again(each).state for each in (first, second, renaming)] == [State.FAILED] * 3
    assert Softphone.objects.count() == 2


class TestAConflict:
    """Somebody's page was old, or says that they saw what was never there; what others want goes on."""

    @pytest.fixture
    def forged(self, ask, phone) -> Change:
        return ask.update(phone, {"name": "Mine"}, {"name": "Never was"})

    def test_ends_only_the_wish_that_it_is_about(self, sandbox, phone, ask, forged, drain):
        off = ask.update(phone, {"enabled": False})
        drain()
        assert (again(forged).state, again(off).state) == (State.FAILED, State.DONE)
        assert forged.conflict == {"name": ["Never was", phone.name]}
        assert (off.conflict, device(sandbox, phone)["enabled"]) == ({}, False)

    def test_does_not_keep_a_new_password_from_going(self, sandbox, account, phone, ask, forged, drain):
        other = sandbox.add_user(first_name="Bob", last_name="Jones", email="bob@acme.example", enabled=True)
        given, reset = ask.update(phone, {"owner_id": other}), ask.reset(phone)
        drain()
        assert [again(each).state for each in (forged, given, reset)] == [State.FAILED, State.DONE, State.DONE]
        assert device(sandbox, phone)["owner_id"] == other
        assert again(phone).password == password(sandbox, phone) != PASSWORD
        assert set(Change.objects.values_list("password", flat=True)) == {None}

    def test_of_a_new_owner_brings_the_password_back_and_renames(self, sandbox, phone, ask, drain):
        given = ask.update(phone, {"owner_id": "f" * 32}, {"owner_id": "e" * 32})
        renaming = ask.rename(phone, "Lobby")
        drain()
        assert (again(given).state, again(renaming).state) == (State.FAILED, State.DONE)
        assert again(phone).password == password(sandbox, phone) == PASSWORD

    def test_ends_what_was_built_upon_it_too_and_both_can_be_applied_anyway(self, sandbox, phone, ask, drain):
        first = ask.rename(phone, "One")
        second = ask.update(phone, {"name": "Two"}, {"name": "One"})
        sandbox.change_device(phone.audian_id, name="Theirs")
        drain()
        assert {again(each).state for each in (first, second)} == {State.FAILED}
        ask.try_again(second, mine_anyway=True)
        drain()
        assert device(sandbox, phone)["name"] == "Two"
        assert (again(first).state, again(second).state) == (State.REPLACED, State.DONE)

    def test_does_not_end_an_honest_wish_for_the_same_field(self, sandbox, phone, ask, drain):
        honest = ask.rename(phone, "Honest")
        forged = ask.update(phone, {"name": "Mine"}, {"name": "Never was"})
        drain()
        assert (again(honest).state, again(forged).state) == (State.DONE, State.FAILED)
        assert device(sandbox, phone)["name"] == "Honest"


def test_a_cancelled_reset_leaves_a_phone_its_password_and_a_worker_reads_which(phone, ask, bulk, cancel, monkeypatch):
    ask.reset(phone, **bulk)
    assert again(phone).password is None
    woken = []
    monkeypatch.setattr("softphones.wake._send", lambda name, ids: woken.append((name.rpartition(".")[2], ids)))
    cancel()
    for name, ids in woken:
        getattr(tasks, name)(**ids)
    assert again(phone).password == PASSWORD
