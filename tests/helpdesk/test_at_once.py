"""Two acts on the same person or phone in one moment: one waits for the other, and neither of them fails."""

import threading

import pytest
from django.db import connections, transaction
from django.utils import timezone

from softphones import changes, self_service
from softphones import helpdesk as room
from softphones.models import Change, Import, Owner
from softphones.models.imports import batch_of
from tests.factories import make_user

State = Change.State
LONG_ENOUGH = 0.3  # seconds in which the second act gets as far as it can; how far that is decides nothing
QUOTE = {"devices": {"softphone": {"quantity": 1, "rate": 2.0}}}


class Other(threading.Thread):
    """An act in another process, as it were: begun at `meet`, which waits until it has ended or waits for us."""

    def __init__(self, act) -> None:
        super().__init__()
        self.act, self.error = act, None

    def run(self) -> None:
        try:
            self.act()
        except Exception as error:  # whatever it is, the test says it
            self.error = error
        finally:
            connections.close_all()

    def meet(self) -> None:
        if not self.ident:
            self.start()
            self.join(LONG_ENOUGH)


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def rename(alice, alices_phone, now):
    asked = {"softphone": alices_phone, "user": alice, "seen": alices_phone.name, "ip": None, "now": now}
    return lambda name: self_service.rename(**asked, name=name, key=name)


@pytest.fixture
def reset(alices_phone, helpdesk, now, settings):
    settings.RESET_AGAIN_AFTER = 0
    asked = {"softphone": alices_phone, "by": helpdesk.user, "reason": "", "ip": None, "now": now}
    return lambda key: room.reset(**asked, key=key)


@pytest.fixture
def switch_off(alices_phone, helpdesk, now):
    return lambda: room.switch(softphone=alices_phone, on=False, by=helpdesk.user, reason="", key="off", ip=None, now=now)


@pytest.fixture
def close(alices_owner, alices_phone, helpdesk, now):
    def close():
        alices_owner.enabled = False
        alices_owner.save(update_fields=["enabled"])
        leaver = room.one_leaving(alices_owner)
        return room.close(leaver=leaver, by=helpdesk.user, reason="", key="close", ip=None, now=now)

    return close


@pytest.fixture
def acts(rename, reset, switch_off, close, alice, alices_owner, alices_phone, helpdesk, account, now):
    admin = make_user("adam@acme.example", account=account, role="admin")
    return {
        "rename": lambda: rename("Two"),
        "replace": lambda: self_service.replace(softphone=alices_phone, user=alice, key="1", ip=None, now=now),
        "reset": lambda: reset("second"),
        "switch off": switch_off,
        "close": close,
        "link": lambda: room.send_link(softphone=alices_phone, by=helpdesk.user, ip=None, now=now),
        "confirm": lambda: room.confirm_person(owner=alices_owner, new_passwords=True, by=admin, ip=None, now=now),
    }


@pytest.mark.parametrize("act", ["rename", "replace", "reset", "close"])
def test_an_act_while_an_answer_is_written_down(act, acts, rename, reset, account):
    """Audit, mails and wishes point at the person and the phone that the other one has locked."""
    reset("first") if act in ("replace", "reset") else rename("One")
    other = Other(acts[act])
    changes.drain(account=account, seconds=5, step=lambda name, _change: name == "recording" and other.meet())
    other.join()
    assert other.error is None
    assert not Change.objects.filter(attempts__gt=0).exists()


@pytest.mark.parametrize(("first", "second"), [("link", "rename"), ("reset", "close"), ("reset", "confirm")])
def test_two_acts_at_once(first, second, acts, alices_owner):
    if second == "confirm":
        Owner.objects.filter(pk=alices_owner.pk).update(user=None, hold=Owner.Hold.LINK_FELL)
    other = Other(acts[second])
    with transaction.atomic():
        acts[first]()
        other.meet()
    other.join()
    assert other.error is None


@pytest.mark.parametrize("decision", [changes.accept, changes.decline])
def test_a_decision_about_charges_while_the_phone_is_switched_off(decision, alices_phone, alice, switch_off, admin, now):
    held = changes.update(softphone=alices_phone, values={"caller_id_number": "7"}, seen={}, by=alice, now=now)
    Change.objects.update(state=State.HELD, quote=QUOTE)
    other = Other(switch_off)
    with transaction.atomic():
        decision(change=held, by=admin.user, now=now)
        other.meet()
    other.join()
    assert other.error is None


def test_bulk_work_is_cancelled_while_one_of_its_phones_is_switched_off(account, alices_phone, switch_off, admin, now):
    work = Import.objects.create(account=account, name="x", sha256="0" * 64, state=Import.State.PAUSED, created_at=now)
    batch = batch_of(work.pk)
    changes.reset_password(softphone=alices_phone, by=admin.user, urgent=False, batch=batch, now=now)
    other = Other(switch_off)
    with transaction.atomic():
        changes.cancel_unsent(account=account, batch=batch, now=now, most=10)
        other.meet()
    other.join()
    assert other.error is None
