"""From checked rows to softphones at Audian: started once, paused, resumed, cancelled, held for charges, and reported."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones import changes, charges, imports
from softphones.models import AuditEvent, Change, Import, ImportRow, Softphone
from tests.factories import make_owner, make_softphone
from tests.imports.conftest import again, said, softphones_of, table, verdicts, writes

pytestmark = pytest.mark.django_db(transaction=True)
FILE = "name\n" + "".join(f"Phone {number}\n" for number in range(8))


def progress(batch):
    return imports.progress(batch=batch, now=timezone.now())


def test_every_row_is_made_once_and_told_truly(check, start, send, sandbox):
    batch = start(check(FILE))
    assert (progress(batch).state, progress(batch).waiting) == ("running", 8)
    send()
    done = progress(batch)
    assert (done.state, done.made, done.failed, done.waiting, done.percent) == ("finished", 8, 0, 0, 100)
    assert again(batch).state == Import.State.FINISHED
    assert writes(sandbox) == ["PUT"] * 8
    page = imports.rows(batch)
    assert {row.device_id for row in page.rows} == {device["id"] for device in softphones_of(sandbox)}
    assert {row.status for row in page.rows} == {"made"}


def test_a_password_in_the_file_is_used_and_kept_no_longer_than_needed(check, start, send, sandbox):
    batch = check("name,sip_username,sip_password\nLobby,lobby,a-long-password-1\n")
    assert batch.rows.get().password == "a-long-password-1"
    start(batch)
    assert batch.rows.get().password is None
    send()
    [device] = softphones_of(sandbox)
    assert (device["sip"]["username"], device["sip"]["password"]) == ("lobby", "a-long-password-1")
    assert "a-long-password" not in "".join(imports.result_csv(batch))


def test_pressed_twice_it_starts_once(check, start, sandbox):
    batch = check(FILE)
    start(batch)
    start(batch)
    assert Change.objects.count() == 8
    assert AuditEvent.objects.filter(act="import:started").count() == 1


def test_errors_have_to_be_mended_or_skipped(check, start):
    batch = check("name,enabled\nA,yes\nB,perhaps\n")
    with pytest.raises(imports.NotPossible, match="1 row has an error"):
        start(batch)
    start(batch, skip_errors=True)
    assert (Change.objects.count(), imports.counts(batch)["error"]) == (1, 1)


def test_those_who_have_a_softphone_can_be_skipped(check, start, account, alice):
    make_softphone(account, alice, name="Old")
    batch = start(check("name,owner_email\nA,alice@acme.example\nB,\n"), skip_owned=True)
    assert [change.softphone.name for change in Change.objects.all()] == ["B"]
    assert [row["status"] for row in table(imports.result_csv(batch))] == ["exists", "will_create"]


def test_what_changed_since_the_check_is_shown_before_anything_starts(check, start, account):
    batch = check("name,sip_username\nA,lobby\nB,\n")
    make_softphone(account, None, name="C", sip_username="lobby")
    with pytest.raises(imports.ChangedMeanwhile):
        start(batch)
    assert (Change.objects.count(), again(batch).state, verdicts(batch)) == (0, "checked", ["error", "will_create"])


def test_two_files_never_make_the_same_softphone(check, start, sandbox, send):
    one, two = check("name\nLobby\n"), check("name\nlobby\nDoor\n")
    start(one)
    with pytest.raises(imports.ChangedMeanwhile):
        start(two)
    start(two)
    send()
    assert sorted(device["name"] for device in softphones_of(sandbox)) == ["Door", "Lobby"]


def test_paused_nothing_goes_until_it_is_resumed(check, start, send, sandbox, admin):
    batch = start(check(FILE))
    imports.pause(batch=batch, by=admin, now=timezone.now())
    send()
    assert (writes(sandbox), progress(batch).state) == ([], "paused")
    imports.resume(batch=batch, by=admin, now=timezone.now())
    send()
    assert progress(batch).made == 8


def test_somebody_else_goes_on_while_an_import_is_paused(check, start, send, sandbox, admin, account):
    imports.pause(batch=start(check(FILE)), by=admin, now=timezone.now())
    changes.create(account=account, name="Urgent", by=admin, now=timezone.now())
    send()
    assert [device["name"] for device in softphones_of(sandbox)] == ["Urgent"]


def test_cancelled_the_rest_ends_and_the_report_says_so(check, start, send, sandbox, admin):
    batch = start(check(FILE))
    batch = imports.cancel(batch=batch, by=admin, now=timezone.now())
    send()
    assert (writes(sandbox), progress(batch).state, progress(batch).ended) == ([], "cancelled", 8)
    assert not Softphone.objects.present().exists()
    assert {row["status"] for row in table(imports.result_csv(batch))} == {"failed"}
    start(check(FILE))
    send()
    assert len(softphones_of(sandbox)) == 8


def test_the_first_question_about_charges_holds_all_and_is_asked_once(check, start, send, sandbox, admin, account):
    fault = sandbox.faults.add("402", times=None, rate=2.0)
    batch = start(check(FILE))
    send()
    held = progress(batch)
    assert (held.state, held.offer.together, held.made) == ("held", 8, 0)
    assert len(charges.offers(account)) == 1
    fault.options["rate"] = 3.0
    changes.accept(change=held.offer.change, by=admin, now=timezone.now())
    fault.options["rate"] = 9.0
    send()
    assert progress(batch).state == "held"
    assert softphones_of(sandbox) == []
    changes.accept(change=progress(batch).offer.change, by=admin, now=timezone.now())
    send()
    assert (progress(batch).state, len(softphones_of(sandbox))) == ("finished", 8)


def test_declined_charges_fail_every_row_and_it_can_be_imported_again(check, start, send, sandbox, admin):
    sandbox.faults.add("402", times=None)
    batch = start(check(FILE))
    send()
    changes.decline(change=progress(batch).offer.change, by=admin, now=timezone.now())
    send()
    assert (progress(batch).state, progress(batch).failed) == ("finished", 8)
    assert "declined" in progress(batch).failures[0].sentence
    sandbox.faults.clear()
    start(check(FILE))
    send()
    assert (len(softphones_of(sandbox)), Softphone.objects.present().count()) == (8, 8)


def test_a_row_that_failed_is_sent_again_as_the_mended_file_says(check, start, send, sandbox):
    theirs = sandbox.add_device(name="Theirs", device_type="sip_device", sip={"username": "lobby", "password": "theirs"})
    start(check("name,sip_username,extension\nLobby,lobby,1\n"))
    send()
    sandbox.remove_device(theirs)
    batch = start(check("name,extension\nLobby,2\n"))
    send()
    [device] = softphones_of(sandbox)
    assert (device["sip"]["username"], device["caller_id"]["internal"]["number"]) == ("lobby", "2")
    assert (imports.counts(batch)["made"], Softphone.objects.count()) == (1, 1)


def test_a_row_whose_username_was_taken_leaves_nothing_behind_under_another(check, start, send, sandbox):
    sandbox.add_device(name="Theirs", device_type="sip_device", sip={"username": "lobby", "password": "theirs"})
    batch = start(check("name,sip_username\nLobby,lobby\n"))
    send()
    assert "taken" in imports.rows(batch).rows[0].sentence
    start(check("name,sip_username\nLobby,lobby2\n"))
    send()
    assert [device["sip"]["username"] for device in softphones_of(sandbox)] == ["lobby2"]
    assert [phone.sip_username for phone in Softphone.objects.present()] == ["lobby2"]
    assert len(sandbox.devices()) == 2


def test_what_was_checked_and_never_started_is_forgotten_after_a_day(check, start):
    old, started = check("name,sip_password\nA,a-long-password\n"), start(check("name\nB\n"))
    imports.forget_unstarted(now=timezone.now() + timedelta(hours=23))
    assert Import.objects.count() == 2
    imports.forget_unstarted(now=timezone.now() + timedelta(hours=25))
    assert list(Import.objects.all()) == [started]
    assert not ImportRow.objects.filter(batch_id=old.pk).exists()


def test_an_urgent_reset_overtakes_an_import(check, start, sandbox, admin, account, plant, settings):
    settings.DRAIN_WIDTH = settings.DRAIN_BULK_WIDTH = 1  # one call after the other, so that their order tells who went first
    phone = plant("Alice", "user_alice")
    start(check(FILE))
    changes.reset_password(softphone=phone, by=admin, now=timezone.now())
    changes.drain(account=account, seconds=5)
    made = [call.method for call in sandbox.calls if call.method in ("PUT", "POST") and call.below.startswith("/devices")]
    assert made.index("POST") == 0 < made.count("PUT")


def test_from_people_makes_one_each_for_those_without(account, admin, start, send, sandbox, alice):
    bob = make_owner(account, "bob@acme.example", name="Bob Jones", number="1002")
    make_softphone(account, bob)
    batch = imports.from_people(account=account, owners=[alice, bob], by=admin, now=timezone.now())
    assert (batch.will, batch.exists, said(batch)) == (1, 1, [])
    start(batch)
    send()
    [device] = softphones_of(sandbox)
    assert (device["owner_id"], device["name"]) == (alice.audian_id, "Alice Smith - softphone")
    assert device["caller_id"]["internal"] == {"number": "1001", "name": "Alice Smith"}


def test_the_result_reads_the_same_before_and_after(check, start, send):
    batch = check("name,extension\n=cmd|x,'+1\n")
    [before] = table(imports.marked_up_csv(batch))
    assert (before["name"], before["extension"], before["status"]) == ("'=cmd|x", "'+1", "will_create")
    start(batch)
    send()
    [after] = table(imports.result_csv(batch))
    assert (after["status"], after["sip_username"]) == ("made", Softphone.objects.get().sip_username)
    lines = "".join(imports.result_csv(batch))
    assert verdicts(check(lines, name="result.csv")) == ["exists"]
