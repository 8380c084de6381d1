"""Acts on a selection, and telling people whose softphone was made: the same machine."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones import changes, imports
from softphones.models import Change, Import, Message, Softphone
from tests.factories import make_account, make_softphone
from tests.imports.conftest import said, softphones_of, table, verdicts

pytestmark = pytest.mark.django_db(transaction=True)
Kind = Import.Kind


@pytest.fixture(autouse=True)
def eager(settings):
    """Who looks at many phones twice does not wait in between."""
    settings.LIGHT_LIST_EVERY = 0


@pytest.fixture
def act(account, admin):
    return lambda kind, phones: imports.act_on(account=account, softphones=phones, kind=kind, by=admin, now=timezone.now())


@pytest.fixture
def phones(plant):
    return [plant(f"Phone {number}", f"user_{number}") for number in range(3)]


def test_disabling_a_selection(act, phones, start, send, sandbox):
    batch = act(Kind.DISABLE, phones)
    assert (batch.will, Change.objects.count()) == (3, 0)
    start(batch)
    send()
    assert {device["enabled"] for device in softphones_of(sandbox)} == {False}
    assert imports.counts(batch)["made"] == 3
    assert act(Kind.DISABLE, phones).will == 0


def test_new_passwords_for_a_selection(act, phones, start, send, sandbox):
    before = {device["id"]: device["sip"]["password"] for device in softphones_of(sandbox)}
    start(act(Kind.RESET, phones))
    send()
    assert all(before[device["id"]] != device["sip"]["password"] for device in softphones_of(sandbox))


def test_more_than_ten_want_the_number_typed(account, act, start, sandbox):
    phones = [make_softphone(account) for _number in range(11)]
    batch = act(Kind.DELETE, phones)
    assert imports.summary(batch, now=timezone.now()).has_to_type
    with pytest.raises(imports.NotPossible, match="11"):
        start(batch)
    with pytest.raises(imports.NotPossible, match="11"):
        start(batch, typed=10)
    start(batch, typed=11)
    assert Change.objects.filter(kind="delete").count() == 11


def test_the_preview_counts_who_is_connected_and_of_whom_nobody_knows(act, phones, sandbox, account):
    sandbox.register(phones[0].audian_id)
    now = timezone.now()
    batch = act(Kind.RESET, [*phones, make_softphone(account)])
    off = imports.summary(batch, now=now).cut_off
    assert (off.count, off.unknown, off.seen_at >= now) == (1, 1, True)
    old = imports.summary(batch, now=now + timedelta(minutes=2)).cut_off
    assert (old.count, old.unknown, old.seen_at) == (0, 4, off.seen_at)
    assert imports.summary(act(Kind.ENABLE, phones), now=now).cut_off is None


def test_many_are_not_cut_off_when_more_are_connected_than_the_preview_knew(act, plant, start, sandbox):
    phones = [plant(f"Phone {number}", f"user_{number}") for number in range(11)]
    batch = act(Kind.DISABLE, phones)
    sandbox.register(phones[0].audian_id)
    with pytest.raises(imports.ChangedMeanwhile, match="1 of them"):
        start(batch, typed=11)
    assert not Change.objects.exists()
    assert imports.summary(batch, now=timezone.now()).cut_off.count == 1
    start(batch, typed=11)
    assert Change.objects.count() == 11


def test_a_softphone_of_another_account_is_never_touched(act, phones):
    theirs = make_softphone(make_account())
    assert act(Kind.DELETE, [*phones, theirs]).will == 3


def test_what_is_just_being_deleted_is_an_error(act, phones, start, admin):
    start(act(Kind.DELETE, phones[:1]))
    batch = act(Kind.RESET, phones)
    assert (batch.will, batch.errors) == (2, 1)
    assert "deleted" in said(batch)[0][2]


def test_what_is_not_possible_any_more_when_it_is_written_has_failed(account, act, phones, start, send, admin):
    batch = act(Kind.RESET, phones)
    changes.delete(softphone=phones[0], by=admin, now=timezone.now())
    start(batch)
    send()
    said = imports.progress(batch=batch, now=timezone.now())
    assert (said.state, said.total, said.made, said.failed, said.percent) == ("finished", 3, 2, 1, 100)
    assert said.sentence == "Finished: 2 done, 1 failed."
    [row] = said.failures
    assert (row.values["name"], "deleted" in row.sentence) == (phones[0].name, True)
    [listed] = imports.newest(account).rows
    assert (listed.made, listed.failed, listed.total) == (2, 1, 3)
    assert sorted(line["status"] for line in table(imports.result_csv(batch))) == ["failed", "made", "made"]


def test_links_are_mailed_to_those_who_have_an_address(account, act, start, alice, phones):
    hers = make_softphone(account, alice)
    batch = act(Kind.SEND_LINKS, [hers, phones[0]])
    assert sorted(verdicts(batch)) == ["error", "will_do"]
    start(batch, skip_errors=True)
    message = Message.objects.get()
    assert (message.softphone, message.rank) == (hers, Message.BULK_RANK)
    assert imports.progress(batch=batch, now=timezone.now()).waiting == 1


def test_many_acts_are_written_by_a_task_after_the_first(account, act, start, admin):
    phones = [make_softphone(account) for _number in range(120)]
    batch = start(act(Kind.RESET, phones), typed=120)
    assert Change.objects.count() == 50
    assert imports.progress(batch=batch, now=timezone.now()).waiting == 120
    imports.go_on(batch=batch, now=timezone.now())
    imports.go_on(batch=batch, now=timezone.now())
    assert Change.objects.count() == 120


@pytest.fixture
def mail_setup(admin):
    return lambda batch: imports.mail_setup(batch=batch, by=admin, now=timezone.now())


def test_people_are_mailed_once_where_their_new_softphone_is(check, start, send, mail_setup, alice):
    made = start(check("name,owner_email\nA,alice@acme.example\nB,\n"))
    send()
    mails = mail_setup(made)
    assert (mails.parent, sorted(verdicts(mails)), Message.objects.count()) == (made, ["error", "will_do"], 0)
    start(mails, skip_errors=True)
    [message] = Message.objects.all()
    assert (message.kind, message.to, message.rank) == ("softphone_ready", "alice@acme.example", Message.BULK_RANK)
    Message.objects.update(state=Message.State.SENT)
    imports.settle(now=timezone.now())
    again_asked = mail_setup(made)
    assert (again_asked == mails, sorted(verdicts(again_asked))) == (False, ["error", "exists"])


def test_a_mail_that_failed_can_be_asked_for_again(check, start, send, mail_setup, alice):
    made = start(check("name,owner_email\nA,alice@acme.example\n"))
    send()
    start(mail_setup(made))
    Message.objects.update(state=Message.State.FAILED)
    imports.settle(now=timezone.now())
    start(mail_setup(made))
    assert sorted(Message.objects.values_list("state", flat=True)) == ["failed", "queued"]


def test_people_whose_password_was_reset_in_bulk_are_told_behind_single_mails(account, act, start, send, sandbox, alice, plant):
    phone = plant("Alice", "user_alice")
    Softphone.objects.filter(pk=phone.pk).update(owner=alice, owner_audian_id=alice.audian_id)
    sandbox.change_device(phone.audian_id, owner_id=alice.audian_id)
    start(act(Kind.RESET, [phone]))
    send()
    message = Message.objects.get()
    assert (message.kind, message.rank) == (Message.Kind.NEW_PASSWORD, Message.BULK_RANK)
