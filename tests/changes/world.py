"""An account in which everything goes wrong: processes die or freeze at any step, calls are cut, others edit at Audian.

`World` plays a schedule and then looks whether each wish came to its end exactly once, with Audian's own devices as the
witness: what it noted before each call, and what is there at last.
"""

import itertools
from collections import Counter, defaultdict
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from softphones import changes, mirror
from softphones.changes.many import CANCELLED
from softphones.connection import connect
from softphones.models import Account, Change, Import, Lease, Softphone
from softphones.pacing import Urgency
from tests.factories import make_owner

State, Kind = Change.State, Change.Kind
_number = itertools.count(1)


class Crash(BaseException):
    """The process ends here: nothing after this line happens, and nothing is tidied up."""


class World:
    def __init__(self, account: Account, sandbox, by) -> None:
        self.account, self.sandbox, self.by = account, sandbox, by
        sandbox.faults.clear()
        for device in sandbox.devices():
            sandbox.remove_device(device["id"])
        self.first_change = Change.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        self.asked: list[int] = []
        self.ended: Counter = Counter()
        # What Audian ever had: the devices that bore a mark, and the values of each device's fields.
        self.born: dict[str, set[str]] = defaultdict(set)
        self.had: dict[tuple[str, str], list] = defaultdict(list)
        self.knew: dict[tuple[str, str], set[str]] = defaultdict(set)  # whose a device was while it had a password
        self.drew: set[int] = set()  # updates that mean a new password
        self.work = self._bulk_work()
        self.more: dict = {}  # what bulk work says with each wish
        self.edited: set[tuple[str, str]] = set()  # (device, field) that somebody else wrote
        self.removed: set[str] = set()  # devices that somebody else removed
        self.extra: dict[str, str] = {}  # a field of theirs that we know nothing of
        self.next_edits: list = []
        self.owners = self._two_owners()
        self.phones: list[Softphone] = [self._planted()]
        self.softphones = {self.phones[0].pk}

    # The schedule

    def play(self, schedule) -> None:
        changes.finished.connect(self._end_noted)
        try:
            for act, *details in schedule:
                getattr(self, act)(*details)
                self.look()
            self.sandbox.faults.clear()
            self.next_edits.clear()
            self._settle()
        finally:
            changes.finished.disconnect(self._end_noted)
        self.look()

    def create(self, username: str) -> None:
        now = timezone.now()
        change = changes.create(account=self.account, name=self._new("Phone"), by=self.by, username=username, now=now)
        self._asked(change)
        self.phones.append(change.softphone)
        self.softphones.add(change.softphone_id)

    def rename(self, which: int) -> None:
        phone = self._phone(which)
        self._ask(changes.update, phone, values={"name": self._new("Name")}, seen={"name": phone.name})

    def switch(self, which: int) -> None:
        phone = self._phone(which)
        self._ask(changes.update, phone, values={"enabled": not phone.enabled}, seen={})

    def number(self, which: int) -> None:
        self._ask(changes.update, self._phone(which), values={"caller_id_number": f"{next(_number)}"}, seen={})

    def label(self, which: int) -> None:
        self._ask(changes.update, self._phone(which), values={"caller_id_name": self._new("Desk")}, seen={})

    def give(self, which: int, to: int | None) -> None:
        """To one of two people, or to nobody: whoever had it must not know its password any more."""
        phone = self._phone(which)
        self._ask(changes.update, phone, values={"owner_id": "" if to is None else self.owners[to]}, seen={})

    def reset(self, which: int) -> None:
        self._ask(changes.reset_password, self._phone(which))

    def delete(self, which: int) -> None:
        self._ask(changes.delete, self._phone(which))

    def bulk(self, what: str, which: int) -> None:
        """Nobody waits for it, and it may be stopped."""
        self.more = {"batch": self.work.batch, "urgent": False}
        getattr(self, what)(which)
        self.more = {}

    def pause(self) -> None:
        self._turn("paused")

    def resume(self) -> None:
        self._turn("started")

    def cancel(self) -> None:
        """This bulk work; what is asked for later is another one."""
        self._turn("cancelling")
        changes.cancel_unsent(account=self.account, batch=self.work.batch, now=timezone.now(), most=1000)
        self._turn("cancelled")
        self.work = self._bulk_work()

    def fault(self, name: str, method: str, after: bool) -> None:
        self.sandbox.faults.add(name, method=method, after=after and name in ("500", "503", "html_502", "html_200"))

    def edit(self, what: str, when: str) -> None:
        """Somebody else works at Audian: between two of our drains, or just before our next call of that method."""
        if when == "now":
            self._edit(what)
        else:
            self.next_edits.append((when, what))

    def drain(self) -> None:
        changes.drain(account=self.account, seconds=2)

    def crash(self, step: str, after: int) -> None:
        """A drain whose process dies at this step; the lease lapses."""
        countdown = itertools.count()

        def die(name, change):
            if name == step and next(countdown) == after:
                raise Crash

        try:
            changes.drain(account=self.account, seconds=2, step=die)
        except (Crash, SystemExit):
            self._lapse()

    def freeze(self, step: str, after: int) -> None:
        """A drain whose process stands still at this step until another took over and did all there is; then it goes on."""
        countdown = itertools.count()

        def stand_still(name, change):
            if name == step and next(countdown) == after and self._may_freeze(name, change):
                self._lapse()
                changes.drain(account=self.account, seconds=2)

        changes.drain(account=self.account, seconds=2, step=stand_still)

    def mirror(self) -> None:
        mirror.run(self.account, timezone.now())

    # What happened

    def look(self) -> None:
        """Note what Audian has now."""
        for device in self.sandbox.devices():
            for mark in device.get("flags") or ():
                self.born[mark].add(device["id"])
            fields = _fields(device)
            self.knew[device["id"], fields["password"]].add(fields["owner_id"])
            for field, value in fields.items():
                values = self.had[device["id"], field]
                if not values or values[-1] != value:
                    values.append(value)

    def noticed(self, method: str, path: str) -> None:
        """Called before each request."""
        self.look()
        if "/devices" not in path:
            return
        for edit in [edit for edit in self.next_edits if edit[0] == method]:
            self.next_edits.remove(edit)
            self._edit(edit[1])
        self.look()

    # The verdict

    def check(self) -> None:
        rows = list(Change.objects.filter(pk__gt=self.first_change).order_by("pk").select_related("softphone"))
        assert [row.pk for row in rows] == self.asked, "a wish was lost"
        assert {row.pk: 1 for row in rows} == dict(self.ended), "a wish did not end exactly once"
        for row in rows:
            assert row.state in (State.DONE, State.FAILED, State.REPLACED), row
            assert row.password is None or (row.kind == Kind.CREATE and row.state == State.FAILED), "a secret stayed behind"
            getattr(self, f"_check_{row.kind}")(row, rows)
        for device, value in self.extra.items():
            if document := self.sandbox.device(device):
                assert document["theirs"] == value, "a field that we know nothing of was lost"
        known = Softphone.objects.filter(account=self.account, audian_id__isnull=False, pk__in=self.softphones)
        ids = list(known.values_list("audian_id", flat=True))
        assert len(ids) == len(set(ids))
        assert max(len(owners) for owners in self.knew.values()) == 1, "whose it was before knows the password that it has"

    def _check_create(self, row: Change, rows: list[Change]) -> None:
        born = self.born[row.mark]
        assert len(born) <= 1 + len(born & self.removed), f"made {len(born)} times"
        deleted = any(other.kind == Kind.DELETE and other.softphone_id == row.softphone_id for other in rows)
        there = [device for device in born if self.sandbox.device(device)]
        if row.state == State.DONE:
            assert born, "done, and never made"
            assert there or deleted or born & self.removed
            assert row.softphone.audian_id in born
        elif row.state == State.REPLACED:
            assert deleted
            assert not born
        elif "taken by another device" in row.error:
            assert not there
            holders = {device for (device, field), had in self.had.items() if row.softphone.sip_username in had}
            assert holders - born, "taken by nobody"
        else:
            assert row.error == "It no longer exists at Audian.", row.error
            assert born & self.removed

    def _check_update(self, row: Change, rows: list[Change]) -> None:
        device = row.softphone.audian_id
        later = [other for other in rows if other.pk > row.pk and other.softphone_id == row.softphone_id]
        if row.state == State.DONE:
            assert any(value in self.had[device, field] for field, value in row.values.items()), "done, and never there"
        elif row.state == State.REPLACED:
            assert later or (row.batch and row.error == CANCELLED)
        elif row.conflict:
            for field, (seen, found) in row.conflict.items():
                assert seen != found
                assert (device, field) in self.edited, "a conflict with ourselves"
        else:
            self._check_has_no_device(row, rows)
        for field, value in row.values.items():
            newer = any(field in other.values or other.kind == Kind.DELETE for other in later)
            if row.state == State.DONE and not newer and (device, field) not in self.edited and self.sandbox.device(device):
                assert self.had[device, field][-1] == value, "another value than the last one asked for"
        if row.state == State.DONE and "owner_id" in row.values:
            self._check_password(row, rows)

    def _check_reset_password(self, row: Change, rows: list[Change]) -> None:
        if row.state == State.REPLACED:
            return
        if row.state == State.FAILED:
            self._check_has_no_device(row, rows)
            return
        self._check_password(row, rows)

    def _check_password(self, row: Change, rows: list[Change]) -> None:
        device = row.softphone.audian_id
        mine = [other for other in rows if other.softphone_id == row.softphone_id and other.folded_into_id is None]
        drawn = [other for other in mine if other.kind in (Kind.RESET_PASSWORD, Kind.CREATE) and other.state == State.DONE]
        calls = len(drawn) + sum(other.kind == Kind.UPDATE and self._brought_a_password(other, rows) for other in mine)
        planted = row.softphone_id == self.phones[0].pk
        if (device, "password") not in self.edited:
            assert len(self.had[device, "password"]) <= calls + planted, "a password more than was asked for"
            if document := self.sandbox.device(device):
                phone = Softphone.objects.get(pk=row.softphone_id)
                assert phone.password == document["sip"]["password"], "the portal shows another password than Audian has"

    def _brought_a_password(self, carrier: Change, rows: list[Change]) -> bool:
        sent = [row for row in rows if carrier.pk in (row.pk, row.folded_into_id) and row.state != State.FAILED]
        return any(row.kind == Kind.RESET_PASSWORD or row.pk in self.drew for row in sent)

    def _check_delete(self, row: Change, rows: list[Change]) -> None:
        assert row.state == State.DONE
        phone = Softphone.objects.get(pk=row.softphone_id)
        assert phone.gone_at
        made = {device for other in rows if other.softphone_id == row.softphone_id for device in self.born[other.mark]}
        assert not any(self.sandbox.device(device) for device in {*made, phone.audian_id} - {None}), "deleted, and still there"

    def _check_has_no_device(self, row: Change, rows: list[Change]) -> None:
        """A reason that is true only if there is nothing at Audian to change."""
        if row.folded_into and row.folded_into.kind == Kind.CREATE:
            assert (row.folded_into.state, row.folded_into.error) == (State.FAILED, row.error)
        elif "never made" in row.error:
            own = [other for other in rows if other.kind == Kind.CREATE and other.softphone_id == row.softphone_id]
            assert own[0].state == State.FAILED
        else:
            assert row.error == "It no longer exists at Audian.", row.error
            assert row.softphone.audian_id in self.removed

    # Inside

    def _planted(self) -> Softphone:
        sip = {"username": f"user_{next(_number)}", "password": "wP7kq3hTz9mB", "method": "password"}
        document = {"name": "Planted", "device_type": "softphone", "enabled": True, "sip": sip, "owner_id": self.owners[0]}
        device = self.sandbox.add_device(**document, theirs="kept")
        self.extra[device] = "kept"
        with connect(self.account, urgency=Urgency.PERSON) as client:
            found = client.device(device)
        with transaction.atomic():
            return mirror.absorb(self.account, found, timezone.now() - timedelta(seconds=1))

    def _two_owners(self) -> list[str]:
        """Audian's ids of two people, whom the mirror knows too."""
        for name in ("Alice", "Bob")[len(self.sandbox.users()) :]:
            audian_id = self.sandbox.add_user(first_name=name, last_name="Smith", email=f"{name}@acme.example", enabled=True)
            make_owner(self.account, f"{name}@acme.example", audian_id=audian_id)
        return [user["id"] for user in self.sandbox.users()]

    def _phone(self, which: int) -> Softphone:
        phone = self.phones[which % len(self.phones)]
        phone.refresh_from_db()
        return phone

    def _ask(self, act, phone: Softphone, **details) -> None:
        try:
            change = act(softphone=phone, by=self.by, now=timezone.now(), **details, **self.more)
        except changes.NotPossible:
            return
        self._asked(change)
        if change.kind == Kind.UPDATE and "owner_id" in change.values:
            self.drew.add(change.pk)

    def _asked(self, change: Change) -> None:
        self.asked.append(change.pk)

    def _end_noted(self, sender, change, **kwargs) -> None:
        # Noted when it is committed, as a mail would be.
        transaction.on_commit(lambda: self.ended.update([change.pk]))

    def _edit(self, what: str) -> None:
        devices = sorted(self.sandbox.devices(), key=lambda device: device["id"])
        if what == "take_username" and "frontdesk" in [_username(device) for device in devices]:
            return  # Audian does not let anybody have it twice
        if what == "take_username":
            self.sandbox.add_device(name="Lobby", device_type="sip_device", sip={"username": "frontdesk", "password": "theirs"})
            return
        if not devices:
            return
        device = devices[-1]["id"]
        if what == "remove":
            self.removed.add(device)
            self.sandbox.remove_device(device)
        elif what == "extra":
            self.extra[device] = self._new("Extra")
            self.sandbox.change_device(device, theirs=self.extra[device])
        elif what == "name":
            self.edited.add((device, "name"))
            self.sandbox.change_device(device, name=self._new("Theirs"))
        else:
            self.edited.add((device, "password"))
            self.sandbox.change_device(device, **{"sip.password": self._new("theirs")})

    def _may_freeze(self, step: str, change: Change) -> bool:
        """A call that starts more than a lease after it was checked is beyond any promise if the phone is deleted meanwhile."""
        deletion = Change.objects.filter(softphone=change.softphone_id, kind=Kind.DELETE)
        return step != "calling" or not deletion.exists()

    def _bulk_work(self) -> Import:
        wanted = {"name": "a", "sha256": "0" * 64, "state": "started", "created_at": timezone.now()}
        Import.objects.filter(account=self.account).update(state="finished")
        return Import.objects.create(account=self.account, **wanted)

    def _turn(self, state: str) -> None:
        Import.objects.filter(pk=self.work.pk).update(state=state)

    def _settle(self) -> None:
        self.resume()
        for _round in range(40):
            self._lapse()
            if not changes.drain(account=self.account, seconds=3).left:
                # What a cancelling wakes a worker for.
                mirror.read(
                    self.account, list(Softphone.objects.present().filter(password__isnull=True).values_list("pk", flat=True))
                )
                return
        raise AssertionError("the queue never came to its end")

    def _lapse(self) -> None:
        Lease.objects.update(held_until=0)

    def _new(self, word: str) -> str:
        return f"{word} {next(_number)}".replace(" ", "-" if word == "theirs" else " ")


def _fields(device: dict) -> dict:
    sip = device.get("sip") or {}
    caller_id = (device.get("caller_id") or {}).get("internal") or {}
    return {
        "name": device.get("name"),
        "enabled": device.get("enabled", True),
        "caller_id_number": caller_id.get("number", ""),
        "caller_id_name": caller_id.get("name", ""),
        "owner_id": device.get("owner_id") or "",
        "password": sip.get("password"),
        "username": sip.get("username"),
    }


def _username(device: dict) -> str:
    return (device.get("sip") or {}).get("username", "")
