"""The same moment in several processes: double presses, and wishes that come while others are being sent."""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connections
from django.utils import timezone

from softphones import changes
from softphones.models import Change, Softphone
from tests.changes.conftest import again, softphones_of, writes

State = Change.State


def at_once(*acts) -> list:
    """Carry out all acts at the same moment, each with a database connection of its own; what they returned."""
    start = threading.Barrier(len(acts))

    def run(act):
        try:
            start.wait()
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_eight_presses_of_one_button_are_one_softphone(sandbox, create, drain):
    found = at_once(*[lambda: create(key="form-1")] * 8)
    assert len({change.pk for change in found}) == 1
    assert Softphone.objects.count() == 1
    drain()
    assert len(softphones_of(sandbox)) == 1


def test_eight_resets_at_once_are_one_new_password(sandbox, phone, ask, drain):
    found = at_once(*[lambda: ask.reset(phone)] * 8)
    drain()
    assert {again(change).state for change in found} == {State.DONE}
    assert writes(sandbox) == ["POST"]
    assert again(phone).password == sandbox.device(phone.audian_id)["sip"]["password"]


def test_wishes_that_come_while_a_drain_is_at_work_all_come_true(sandbox, phone, ask, account, create):
    """Whether a wish is folded into one that waits or goes after one on its way: the last one is what Audian has."""

    def wish():
        for number in range(10):
            ask.update(phone, {"name": f"Name {number}"})

    def work():
        for _round in range(6):
            changes.drain(account=account, seconds=1)

    at_once(wish, work)
    while changes.drain(account=account, seconds=2).left:
        pass
    states = [change.state for change in Change.objects.order_by("pk")]
    assert set(states) <= {State.DONE, State.REPLACED}
    assert states[-1] == State.DONE
    assert sandbox.device(phone.audian_id)["name"] == again(phone).name == "Name 9"


def test_a_deletion_that_meets_a_create_on_its_way_wins_in_the_end(sandbox, create, account, drain):
    sandbox.latency = 0.05
    phones = [create().softphone for _each in range(6)]

    def delete():
        for phone in phones:
            changes.delete(softphone=phone, by=None, now=timezone.now())

    at_once(delete, lambda: changes.drain(account=account, seconds=3))
    while drain().left:
        pass
    assert softphones_of(sandbox) == []
    assert Softphone.objects.present().count() == 0
