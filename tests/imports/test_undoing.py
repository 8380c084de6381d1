"""Undoing an import deletes exactly what it made and nobody uses: as the portal saw by the time that each deletion goes."""

from datetime import timedelta

import pytest
from celery import current_app
from django.core.management import call_command
from django.utils import timezone

from softphones import audit, changes, imports, lights, tasks
from softphones.audian.sandbox import Sandbox, serve
from softphones.models import ApiToken, AuditEvent, Change, Import, SetupLink, Softphone
from tests.imports.conftest import again, softphones_of, table, writes

pytestmark = pytest.mark.django_db(transaction=True)
CONNECTED = "It has been connected: it is kept."
SHOWN = "Somebody has seen its password or opened its link: it is kept."
UNSEEN = "Nobody knows whether it is connected: it is kept."
WANTED = "Somebody has asked for something else of it: it is kept."


@pytest.fixture(autouse=True)
def eager(settings):
    """Who looks at phones twice does not wait in between."""
    settings.LIGHT_LIST_EVERY = settings.LIGHT_ONE_EVERY = 0


def test_undo_deletes_what_was_made_and_nobody_has_connected(check, start, send, sandbox, admin, plant):
    there = plant("There before", "user_1")
    batch = start(check("name\nA\nB\nC\n"))
    send()
    connected = Softphone.objects.get(name="A")
    sandbox.register(connected.audian_id)
    undo = imports.undo(batch=batch, by=admin, now=timezone.now())
    assert (undo.parent, undo.will, undo.exists) == (batch, 2, 1)
    [kept] = imports.rows(undo, show="exists").rows
    assert kept.sentence == "It has been connected: it is kept."
    start(undo)
    send()
    left = {device["name"] for device in softphones_of(sandbox)}
    assert left == {"A", there.name}
    assert again(connected).gone_at is None


@pytest.fixture
def undone(check, start, send, admin):
    """Undoing an import of two softphones, A and B, checked."""
    batch = start(check("name\nA\nB\n"))
    send()
    return imports.undo(batch=batch, by=admin, now=timezone.now())


def test_undo_does_not_start_when_somebody_connected_after_the_preview(undone, start, send, sandbox):
    sandbox.register(Softphone.objects.get(name="A").audian_id)
    assert undone.will == 2
    with pytest.raises(imports.ChangedMeanwhile):
        start(undone)
    assert [row.values["name"] for row in imports.rows(undone, show="exists").rows] == ["A"]
    start(undone)
    send()
    assert [device["name"] for device in softphones_of(sandbox)] == ["A"]


def test_undo_keeps_what_can_not_be_seen_any_more_at_the_start(undone, start, account):
    Softphone.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    type(account).objects.update(api_url="http://127.0.0.1:9/v2")
    with pytest.raises(imports.ChangedMeanwhile):
        start(Import.objects.get(pk=undone.pk))
    assert again(undone).will == 0


def test_undo_keeps_what_nobody_can_see(check, start, send, sandbox, admin, account):
    batch = start(check("name\nA\n"))
    send()
    type(account).objects.update(api_url="http://127.0.0.1:9/v2")
    batch.refresh_from_db()
    assert imports.undo(batch=Import.objects.get(pk=batch.pk), by=admin, now=timezone.now()).will == 0


def makes_a_link(phone):
    now = timezone.now()
    return SetupLink.objects.create(
        softphone=phone, token_hash=f"hash {phone.pk}", made_at=now, expires_at=now + timedelta(hours=1)
    )


def test_a_link_that_nobody_opened_keeps_none_and_ends_only_with_it(undone, start, send, sandbox):
    _gone, kept = (makes_a_link(phone) for phone in Softphone.objects.order_by("name"))
    start(undone)
    assert SetupLink.objects.filter(revoked_at=None).count() == 2, "whoever opens one keeps the phone"
    sandbox.register(kept.softphone.audian_id)
    send()
    assert [device["name"] for device in softphones_of(sandbox)] == ["B"]
    assert list(SetupLink.objects.filter(revoked_at=None, softphone__gone_at=None)) == [kept]


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({}, None),
        ({"seen_at": timezone.now() - timedelta(minutes=5)}, None),
        ({"registered": True}, CONNECTED),
        ({"registered_since": timezone.now()}, CONNECTED),
        ({"lost_at": timezone.now()}, CONNECTED),
        ({"lost_since": timezone.now()}, CONNECTED),
    ],
)
def test_what_the_portal_saw_at_any_time_counts(undone, seen, why):
    phone = Softphone.objects.get(name="A")
    for field, value in seen.items():
        setattr(phone, field, value)
    assert changes.kept([phone]).get(phone.pk) == why


# Somebody wants something else of one, or its end


def renames(phone, admin):
    return changes.update(softphone=phone, values={"name": "Lobby"}, seen={"name": "A"}, by=admin, now=timezone.now())


def resets(phone, admin):
    return changes.reset_password(softphone=phone, by=admin, now=timezone.now())


@pytest.mark.parametrize(("ask", "name"), [(renames, "Lobby"), (resets, "A")])
def test_one_of_which_somebody_wants_something_else_is_kept(undone, start, send, sandbox, admin, ask, name):
    wish = ask(Softphone.objects.get(name="A"), admin)
    with pytest.raises(imports.ChangedMeanwhile):
        start(undone)
    [kept] = imports.rows(undone, show="exists").rows
    assert (kept.values["name"], kept.sentence) == ("A", WANTED)
    start(undone)
    send()
    assert [device["name"] for device in softphones_of(sandbox)] == [name]
    assert again(wish).state == "done"


def test_nothing_that_somebody_asked_for_ends_for_a_deletion_of_what_nobody_uses(undone, admin):
    phone = Softphone.objects.get(name="A")
    wish = resets(phone, admin)
    with pytest.raises(changes.NotPossible, match="asked for something else"):
        changes.delete(softphone=phone, by=admin, unless_used=True, now=timezone.now())
    assert again(wish).state == "queued"


def test_who_deletes_in_bulk_what_an_undo_waits_to_delete_is_obeyed(account, undone, start, send, sandbox, admin):
    batch, phone = start(undone), Softphone.objects.get(name="A")
    sandbox.register(phone.audian_id)
    deletion = imports.act_on(account=account, softphones=[phone], kind="delete", by=admin, now=timezone.now())
    assert (deletion.will, deletion.exists) == (1, 0)
    start(deletion)
    send()
    assert softphones_of(sandbox) == []
    assert (imports.counts(deletion)["made"], imports.counts(batch)["made"]) == (1, 2)


def test_undoing_once_more_is_no_other_end(undone, start, send, admin):
    batch = start(undone)
    Change.objects.filter(kind="delete", softphone__name="B").update(next_attempt_at="2999-01-01T00:00Z")
    send()
    twice = imports.undo(batch=batch.parent, by=admin, now=timezone.now())
    assert (twice.will, twice.exists) == (0, 1)


# From the press to the moment at which a deletion is sent


def shows_its_password(phone, sandbox):
    audit.record(act="password:shown", softphone=phone)


def opens_its_link(phone, sandbox):
    now = timezone.now()
    SetupLink.objects.create(softphone=phone, token_hash="x", made_at=now, expires_at=now, opened_at=now)


def connects(phone, sandbox):
    sandbox.register(phone.audian_id)


def connects_before_a_page(phone, sandbox):
    sandbox.register(phone.audian_id)
    assert lights.watch(softphones=[phone], now=timezone.now())[phone.pk].state == "connected"
    sandbox.unregister(phone.audian_id)


def can_not_be_seen(phone, sandbox):
    Softphone.objects.filter(pk=phone.pk).update(realm="elsewhere.example")


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (connects, CONNECTED),
        (connects_before_a_page, CONNECTED),
        (shows_its_password, SHOWN),
        (opens_its_link, SHOWN),
        (can_not_be_seen, UNSEEN),
    ],
)
def test_whoever_gets_one_before_its_deletion_is_sent_keeps_it(account, undone, start, send, sandbox, happens, why):
    batch, phone = start(undone), Softphone.objects.get(name="A")
    assert Change.objects.filter(kind="delete").count() == 2, "both are in the outbox"
    happens(phone, sandbox)
    send()
    assert [device["name"] for device in softphones_of(sandbox)] == ["A"]
    assert again(phone).gone_at is None
    [row] = imports.rows(batch, show="exists").rows
    assert (row.values["name"], row.sentence) == ("A", why)
    done = imports.progress(batch=batch, now=timezone.now())
    assert (done.state, done.made, done.ended, done.total, done.sentence) == (
        "finished",
        1,
        0,
        1,
        "Finished: 1 done, 0 failed.",
    )
    [listed] = imports.newest(account).rows[:1]
    assert (listed.made, listed.total) == (1, 1)
    line = table(imports.result_csv(batch))[0]
    assert (line["status"], line["message"]) == ("exists", why)
    assert AuditEvent.objects.filter(act="softphone:deleted", softphone=phone).latest("pk").outcome == "kept"


def test_what_an_admin_deletes_meanwhile_is_deleted_whoever_uses_it(undone, start, send, sandbox, admin):
    batch, phone = start(undone), Softphone.objects.get(name="A")
    connects(phone, sandbox)
    changes.delete(softphone=phone, by=admin, now=timezone.now())
    send()
    assert softphones_of(sandbox) == []
    assert imports.counts(batch)["made"] == 2


def test_what_an_admin_deletes_while_audian_is_asked_is_deleted_whoever_uses_it(undone, start, send, sandbox, admin, account):
    batch, phone = start(undone), Softphone.objects.get(name="A")
    connects(phone, sandbox)
    asked = []

    def step(name, change):
        if name == "answered" and change.softphone == phone and not asked:
            asked.append(changes.delete(softphone=phone, by=admin, now=timezone.now()))

    changes.drain(account=account, seconds=5, step=step)
    send()
    assert softphones_of(sandbox) == []
    assert (again(asked[0]).state, imports.counts(batch)["made"]) == ("done", 2)


def test_what_is_gone_by_then_counts_as_deleted(undone, start, send, sandbox):
    batch = start(undone)
    sandbox.remove_device(Softphone.objects.get(name="A").audian_id)
    send()
    assert imports.counts(batch)["made"] == 2


def test_what_was_deleted_though_the_answer_got_lost_is_not_said_to_be_kept(undone, start, send, sandbox):
    batch = start(undone)
    sandbox.faults.add("cut_after", method="DELETE")
    send()
    assert softphones_of(sandbox) == []
    assert imports.counts(batch)["made"] == 2


def test_what_is_gone_though_the_answer_got_lost_is_not_kept_for_what_happens_later(account, undone, start, send, sandbox):
    batch, phone = start(undone), Softphone.objects.get(name="A")
    sandbox.faults.add("cut_after", method="DELETE", path=f"/devices/{phone.audian_id}")

    def show(name, change):
        if name == "recorded" and change.softphone == phone and phone.pk not in shown:
            shown.add(phone.pk)
            shows_its_password(phone, sandbox)

    shown = set()
    changes.drain(account=account, seconds=5, step=show)
    send()
    assert (shown, softphones_of(sandbox)) == ({phone.pk}, [])
    assert imports.counts(batch)["made"] == 2


def test_who_gets_one_while_audian_is_asked_keeps_it(account, undone, start, send, sandbox):
    batch, phone = start(undone), Softphone.objects.get(name="A")

    def show(name, change):
        if name == "calling" and change.softphone == phone and "DELETE" not in writes(sandbox):
            shows_its_password(phone, sandbox)

    Change.objects.exclude(softphone=phone).filter(kind="delete").update(next_attempt_at="2999-01-01T00:00Z")
    changes.drain(account=account, seconds=5, step=show)
    assert again(phone).gone_at is None
    [row] = imports.rows(batch, show="exists").rows
    assert row.sentence == SHOWN


def test_what_is_switched_off_is_deleted_though_it_can_not_be_seen(check, start, send, sandbox, admin):
    made = start(check("name,enabled\nA,no\n"))
    send()
    batch = start(imports.undo(batch=made, by=admin, now=timezone.now()))
    can_not_be_seen(Softphone.objects.get(), sandbox)
    send()
    assert (softphones_of(sandbox), imports.counts(batch)["made"]) == ([], 1)


class TestWithAStatusRoute:
    """Where Audian tells of a single phone, and answers that there is no such device."""

    @pytest.fixture
    def sandbox(self):
        sandbox = Sandbox(devices=0, rate_limit=False, dialect="page")
        with serve(sandbox) as url:
            sandbox.url = url
            yield sandbox

    def test_what_is_gone_by_then_counts_as_deleted(self, undone, start, send, sandbox):
        batch = start(undone)
        sandbox.remove_device(Softphone.objects.get(name="A").audian_id)
        send()
        assert imports.counts(batch)["made"] == 2


def test_what_was_made_switched_off_is_deleted_though_nobody_looks_at_it(check, start, send, sandbox, admin):
    made = start(check("name,enabled\nA,no\n"))
    send()
    start(imports.undo(batch=made, by=admin, now=timezone.now()))
    send()
    assert softphones_of(sandbox) == []


@pytest.fixture
def many(account, admin, start, check, send):
    """Undoing an import of 55 softphones, started: more than are written at once."""
    made = start(check("name\n" + "".join(f"Phone {number}\n" for number in range(55))))
    send()
    return start(imports.undo(batch=made, by=admin, now=timezone.now()), typed=55)


def test_undo_keeps_what_somebody_has_by_the_time_that_its_row_is_written(account, many, send, sandbox):
    last, other = (many.rows.get(change=None, line=line).softphone for line in (55, 54))
    Softphone.objects.filter(pk=last.pk).update(registered=True, seen_at=timezone.now())
    shows_its_password(other, sandbox)
    send()
    imports.go_on(batch=many, now=timezone.now())
    send()
    assert {device["name"] for device in softphones_of(sandbox)} == {last.name, other.name}
    assert not last.changes.filter(kind="delete").exists()
    [done] = imports.newest(account).rows[:1]
    assert (done.made, done.total, imports.counts(done)["exists"]) == (53, 53, 2)


def test_no_more_is_asked_for_at_once_than_goes_soon(account, many, sandbox, monkeypatch):
    woken = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **more: woken.append(name.rpartition(".")[2]))
    for _worker in range(2):
        tasks.go_on_with_imports(account_id=account.pk)
    assert (Change.objects.filter(kind="delete").count(), woken) == (50, [])
    tasks.push_changes(account_id=account.pk)
    assert woken[-1] == "go_on_with_imports"
    tasks.go_on_with_imports(account_id=account.pk)
    assert (woken[-1], imports.unwritten().exists()) == ("push_changes", False)
    woken.clear()
    tasks.push_changes(account_id=account.pk)
    assert (softphones_of(sandbox), woken) == ([], [])


def test_one_command_pushes_all_of_it(many, sandbox):
    call_command("push_changes", "--json")
    assert softphones_of(sandbox) == []


def test_each_deletion_of_an_undo_costs_two_calls(undone, start, send, sandbox):
    # Once in an hour it is asked which way there is to look at a single one.
    ApiToken.objects.update(status_route=False, status_route_asked_at=timezone.now())
    start(undone)
    sandbox.calls.clear()
    send()
    looks = [call for call in sandbox.calls if call.method == "GET" and "with_status" in call.query]
    assert (len(looks), writes(sandbox)) == (2, ["DELETE"] * 2)
    assert len(sandbox.calls) == imports.summary(undone, now=timezone.now()).calls == 4
