"""Renaming, disabling, new passwords and deletions: what Audian has afterwards, and what the portal says."""

import pytest
from django.utils import timezone

from softphones import changes, setup_links
from softphones.audian.sandbox import Sandbox, serve
from softphones.models import AuditEvent, Change, SetupLink
from tests.changes.conftest import PASSWORD, again, writes
from tests.factories import make_owner

State = Change.State


def test_a_renaming_changes_the_name_and_nothing_else(sandbox, plant, ask, drain):
    phone = plant(custom={"left": "alone"}, media={"audio": {"codecs": ["OPUS"]}}, call_forward={"enabled": False})
    change = ask.rename(phone, "Alice's laptop")
    assert drain().done == 1
    device = sandbox.device(phone.audian_id)
    assert device["name"] == "Alice's laptop"
    assert (device["custom"], device["call_forward"]) == ({"left": "alone"}, {"enabled": False})
    assert device["media"]["audio"] == {"codecs": ["OPUS"]}
    assert (device["sip"]["username"], device["sip"]["password"]) == ("user_alice", PASSWORD)
    assert again(phone).name == "Alice's laptop"
    assert again(change).state == State.DONE


def test_ten_renamings_are_one_call(sandbox, phone, ask, drain):
    wishes = [ask.rename(phone, f"Name {number}") for number in range(10)]
    drain()
    assert writes(sandbox) == ["POST"]
    assert sandbox.device(phone.audian_id)["name"] == "Name 9"
    assert [again(wish).state for wish in wishes] == [State.REPLACED] * 9 + [State.DONE]


def test_wishes_for_different_fields_are_one_call_and_all_come_true(sandbox, phone, ask, drain):
    wishes = [ask.rename(phone, "Lobby"), ask.update(phone, {"enabled": False}), ask.update(phone, {"caller_id_name": "Lobby"})]
    drain()
    assert writes(sandbox) == ["POST"]
    assert {again(wish).state for wish in wishes} == {State.DONE}
    phone = again(phone)
    assert (phone.name, phone.enabled, phone.caller_id_name) == ("Lobby", False, "Lobby")


def test_a_field_that_the_visitor_left_as_it_was_is_not_sent(sandbox, phone, ask, drain):
    sandbox.change_device(phone.audian_id, name="Somebody else's name")
    seen = {"name": phone.name, "caller_id_number": ""}
    ask.update(phone, {"name": phone.name, "caller_id_number": "1002"}, seen)
    assert drain().done == 1
    device = sandbox.device(phone.audian_id)
    assert (device["name"], device["caller_id"]["internal"]["number"]) == ("Somebody else's name", "1002")


def test_who_changes_nothing_is_told_so_and_has_asked_for_nothing(phone, ask):
    with pytest.raises(changes.NothingChanged, match=r"^Nothing changed: it is as you want it already[.]$"):
        ask.rename(phone, phone.name)
    assert not Change.objects.exists()
    assert not AuditEvent.objects.exists()


def test_somebody_elses_edit_is_noticed_and_both_values_are_shown(sandbox, phone, ask, drain):
    sandbox.change_device(phone.audian_id, name="Their name")
    change = ask.rename(phone, "My name")
    assert drain().failed == 1
    assert again(change).conflict == {"name": ["Alice Smith - softphone", "Their name"]}
    assert "Somebody else changed this softphone" in change.error
    assert sandbox.device(phone.audian_id)["name"] == "Their name"


def test_what_somebody_else_made_of_it_is_what_everybody_sees_from_then_on(sandbox, plant, ask, drain):
    """Audian was asked anyway; else whoever looks and tries again fails again until the next look at all phones."""
    phone = plant(caller_id={"internal": {"number": "1001"}})
    theirs = {"name": "Their name", "caller_id": {"internal": {"number": "1002"}}, "sip.password": "another-12"}
    sandbox.change_device(phone.audian_id, **theirs)
    ask.update(phone, {"caller_id_number": "1003"}, {"caller_id_number": "1001"})
    assert drain().failed == 1
    assert [call.method for call in sandbox.calls if call.below.startswith("/devices")] == ["GET"]
    phone = again(phone)
    assert (phone.name, phone.caller_id_number, phone.password) == ("Their name", "1002", "another-12")
    ask.update(phone, {"caller_id_number": "1003"}, {"caller_id_number": phone.caller_id_number})
    ask.rename(phone, "My name")
    assert drain().done == 2
    assert again(phone).name == sandbox.device(phone.audian_id)["name"] == "My name"


def test_a_new_password_that_waits_stays_hidden_after_somebody_elses_edit_was_noticed(sandbox, phone, ask, drain):
    seen = []

    def look(step, change):
        if step == "calling" and not seen:
            ask.reset(phone)
        if step == "recorded":
            seen.append((change.kind, again(phone).name, phone.password))

    sandbox.change_device(phone.audian_id, name="Their name")
    ask.rename(phone, "My name")
    drain(step=look)
    assert seen[0] == ("update", "Their name", None)
    assert seen[1][2] not in (None, PASSWORD)


def test_mine_can_be_applied_anyway(sandbox, phone, ask, drain):
    sandbox.change_device(phone.audian_id, name="Their name")
    change = ask.rename(phone, "My name")
    drain()
    ask.try_again(change, mine_anyway=True)
    assert drain().done == 1
    assert sandbox.device(phone.audian_id)["name"] == "My name"
    assert again(change).conflict == {}


def test_tried_again_it_waits_its_turn_and_takes_a_newer_wish_along(sandbox, phone, ask, drain):
    sandbox.change_device(phone.audian_id, name="Their name")
    change = ask.rename(phone, "My name")
    drain()
    ask.try_again(change, mine_anyway=True)
    assert changes.progress(change=change, now=timezone.now()).sentence == "Waiting: next in the queue."
    newer = ask.update(phone, {"caller_id_number": "1002"})
    assert newer.folded_into == change
    assert drain().done == 2
    assert writes(sandbox) == ["POST"]


def test_an_edit_between_our_look_and_our_write_is_noticed(sandbox, phone, ask, drain):
    def edit(method, path):
        if method == "POST":
            sandbox.change_device(phone.audian_id, caller_id={"internal": {"number": "1234"}})

    sandbox.on_request(edit)
    ask.rename(phone, "Lobby")
    sandbox.calls.clear()
    drain()
    assert 412 in [call.status for call in sandbox.calls]
    # Each look was followed by another edit, so it stays with what they have until they stop.
    assert sandbox.device(phone.audian_id)["caller_id"]["internal"]["number"] == "1234"


def test_a_second_wish_after_the_first_is_under_way_is_no_conflict_with_ourselves(sandbox, phone, ask, drain_once, drain):
    sandbox.faults.add("cut_after", method="POST")
    first = ask.rename(phone, "One")
    drain_once()
    second = ask.rename(phone, "Two")
    assert second.folded_into is None
    drain()
    assert [again(first).state, again(second).state] == [State.DONE, State.DONE]
    assert sandbox.device(phone.audian_id)["name"] == "Two"


def test_what_no_longer_exists_at_audian_fails_and_says_so(sandbox, phone, ask, drain):
    sandbox.remove_device(phone.audian_id)
    change = ask.rename(phone, "Lobby")
    assert drain().failed == 1
    assert again(change).error == "It no longer exists at Audian."


def test_only_known_fields_can_be_changed(phone, ask):
    with pytest.raises(ValueError, match="Only caller_id_name"):
        ask.update(phone, {"sip.password": "mine"})


# New passwords


def test_a_new_password_reaches_audian_and_then_the_softphone(sandbox, phone, ask, drain):
    change = ask.reset(phone, reason="Ticket 4711")
    drain()
    password = sandbox.device(phone.audian_id)["sip"]["password"]
    assert password != PASSWORD
    assert len(password) == 20
    assert again(phone).password == password
    assert again(change).password is None


def test_the_old_password_is_hidden_from_the_moment_of_the_request(phone, ask):
    change = ask.reset(phone)
    assert again(phone).password is None
    assert changes.pending(phone) == change


def test_a_reset_ends_all_links_at_once(phone, ask, admin):
    setup_links.draw(softphone=phone, user=admin, ip=None, now=timezone.now())
    ask.reset(phone)
    assert not SetupLink.objects.filter(revoked_at=None).exists()


def test_two_resets_before_the_first_was_sent_are_one(sandbox, phone, ask, drain):
    wishes = [ask.reset(phone), ask.reset(phone)]
    drain()
    assert writes(sandbox) == ["POST"]
    assert {again(wish).state for wish in wishes} == {State.DONE}


def test_a_reset_in_doubt_leaves_the_password_unknown_until_audian_was_asked(sandbox, phone, ask, drain_once, drain):
    sandbox.faults.add("cut_after", method="POST")
    ask.reset(phone)
    drain_once()
    assert again(phone).password is None
    drain()
    assert again(phone).password == sandbox.device(phone.audian_id)["sip"]["password"] != PASSWORD
    assert writes(sandbox) == ["POST"]


def test_a_reset_that_audian_refuses_brings_the_old_password_back(sandbox, plant, ask, drain):
    phone = plant(sip={"username": "x" * 40, "password": PASSWORD})
    change = ask.reset(phone)
    assert drain().failed == 1
    assert again(phone).password == PASSWORD
    assert again(change).password is None


def test_a_renaming_that_is_answered_while_a_reset_waits_does_not_bring_the_old_password_back(phone, ask, drain):
    seen = []

    def look(step, change):
        if step == "recorded":
            seen.append((change.kind, again(phone).password))

    ask.rename(phone, "Lobby")
    ask.reset(phone)
    drain(step=look)
    assert seen[0] == ("update", None)
    assert seen[1][0] == "reset_password"
    assert seen[1][1] != PASSWORD


def test_trying_a_failed_reset_again_draws_another_password(sandbox, phone, ask, drain, settings):
    settings.CHANGE_ATTEMPTS = 1
    sandbox.faults.add("500", method="POST", after=False)
    change = ask.reset(phone)
    assert drain().failed == 1
    ask.try_again(change)
    assert drain().done == 1
    assert again(phone).password == sandbox.device(phone.audian_id)["sip"]["password"] != PASSWORD


def test_one_that_is_at_audian_although_no_answer_ever_said_so_is_done(sandbox, phone, ask, drain, settings):
    settings.CHANGE_ATTEMPTS = 1
    sandbox.faults.add("500", method="POST", after=True)
    change = ask.reset(phone)
    assert drain().done == 1
    assert again(change).state == State.DONE
    assert again(phone).password == sandbox.device(phone.audian_id)["sip"]["password"] != PASSWORD


@pytest.mark.parametrize("act", ["switch_off", "delete", "create"])
def test_a_last_look_tells_what_became_of_a_doubtful_one(sandbox, phone, ask, create, drain, settings, act):
    settings.CHANGE_ATTEMPTS = 1
    asks = {"switch_off": lambda: ask.update(phone, {"enabled": False}), "delete": lambda: ask.delete(phone)}
    sandbox.faults.add("500", method="DELETE" if act == "delete" else "PUT" if act == "create" else "POST", after=True)
    change = asks.get(act, create)()
    assert drain().done == 1
    assert len(writes(sandbox)) == 1
    assert again(change).state == State.DONE


def test_while_audian_cannot_be_asked_a_doubtful_one_waits_for_the_last_look(sandbox, phone, ask, drain_once, drain, settings):
    settings.CHANGE_ATTEMPTS = 1
    sandbox.faults.add("500", method="POST", after=True)

    refused = []

    def refuse_the_look(method, path):
        if method == "GET" and writes(sandbox) and not refused:
            refused.append(path)
            sandbox.faults.add("503", method="GET")

    change = ask.reset(phone)
    sandbox.on_request(refuse_the_look)
    drain_once()
    assert (again(change).state, change.troubles) == (State.QUEUED, 1)
    assert drain().done == 1
    assert again(phone).password == sandbox.device(phone.audian_id)["sip"]["password"] != PASSWORD


def test_a_new_owner_means_a_new_password_in_the_same_call(sandbox, account, phone, ask, drain):
    bob = make_owner(account, "bob@acme.example", name="Bob Jones")
    ask.update(phone, {"owner_id": bob.audian_id}, {"owner_id": ""})
    assert again(phone).password is None
    drain()
    device = sandbox.device(phone.audian_id)
    assert writes(sandbox) == ["POST"]
    assert device["owner_id"] == bob.audian_id
    assert again(phone).owner == bob
    assert again(phone).password == device["sip"]["password"] != PASSWORD


def test_disabling_ends_all_links(phone, ask, admin):
    setup_links.draw(softphone=phone, user=admin, ip=None, now=timezone.now())
    ask.update(phone, {"enabled": False}, {"enabled": True})
    assert not SetupLink.objects.filter(revoked_at=None).exists()


def test_a_password_is_drawn_from_letters_that_nobody_mistakes():
    passwords = [changes.new_password() for _each in range(200)]
    assert len(set(passwords)) == 200
    assert not set("".join(passwords)) & set("0O1lIio")
    assert {len(each) for each in passwords} == {20}


@pytest.mark.parametrize("length", [5, 32])
def test_a_password_may_be_as_short_and_as_long_as_audian_takes_it(length):
    assert len(changes.new_password(length)) == length


@pytest.mark.parametrize("length", [4, 33])
def test_a_password_that_audian_refuses_is_never_drawn(length):
    with pytest.raises(ValueError, match="5 to 32"):
        changes.new_password(length)


# Deletions


def test_a_deletion_takes_it_from_audian_and_from_the_portal(sandbox, phone, ask, drain):
    change = ask.delete(phone)
    assert drain().done == 1
    assert sandbox.devices() == []
    phone = again(phone)
    assert phone.gone_at
    assert phone.password is None
    assert again(change).state == State.DONE


@pytest.mark.parametrize("fault", ["cut_after", "cut_before", "html_502", "500", "503"])
def test_a_deletion_in_doubt_is_carried_to_its_end(sandbox, phone, ask, drain, fault):
    sandbox.faults.add(fault, method="DELETE")
    ask.delete(phone)
    assert drain().done == 1
    assert sandbox.devices() == []


def test_what_is_gone_already_counts_as_deleted(sandbox, phone, ask, drain):
    sandbox.remove_device(phone.audian_id)
    ask.delete(phone)
    assert drain().done == 1
    assert again(phone).gone_at


def test_a_deletion_takes_the_place_of_what_is_unsent(sandbox, phone, ask, drain):
    renaming, reset = ask.rename(phone, "Lobby"), ask.reset(phone)
    ask.delete(phone)
    drain()
    assert writes(sandbox) == ["DELETE"]
    assert [again(renaming).state, again(reset).state] == [State.REPLACED, State.REPLACED]
    assert again(reset).password is None
    sentence = changes.progress(change=reset, now=timezone.now()).sentence
    assert sentence == "The softphone was deleted before this was sent."


def test_nothing_can_be_asked_of_what_is_being_deleted_or_gone(phone, ask, drain):
    ask.delete(phone)
    with pytest.raises(changes.NotPossible, match="is being deleted"):
        ask.rename(phone, "Lobby")
    drain()
    with pytest.raises(changes.NotPossible, match="no longer exists"):
        ask.reset(phone)


def test_deleting_twice_is_one_call(sandbox, phone, ask, drain):
    wishes = [ask.delete(phone), ask.delete(phone)]
    drain()
    assert writes(sandbox) == ["DELETE"]
    assert {again(wish).state for wish in wishes} == {State.DONE}


def test_all_of_it_works_with_a_server_that_answers_as_the_vendors_page_shows(account, create, ask, drain):
    page = Sandbox(devices=0, rate_limit=False, dialect="page")
    with serve(page) as url:
        account.api_url, account.audian_id, account.api_key = url, page.account_id, page.api_key
        account.save()
        phone = create().softphone
        drain()
        assert again(phone).password == page.device(phone.audian_id)["sip"]["password"]
        ask.rename(phone, "Lobby")
        ask.reset(phone)
        drain()
        device = page.device(phone.audian_id)
        assert (again(phone).name, phone.password) == ("Lobby", device["sip"]["password"])
        assert device["sip"]["username"] == phone.sip_username
        ask.delete(phone)
        assert drain().done == 1
        assert page.devices() == []
        assert again(phone).gone_at


@pytest.mark.parametrize("fails", [False, True])
def test_a_second_deletion_ends_as_the_one_that_is_on_its_way(sandbox, phone, ask, drain, settings, fails):
    if fails:
        settings.CHANGE_ATTEMPTS = 1
        sandbox.faults.add("500", method="DELETE")
    wishes = [ask.delete(phone)]

    def press_again(step, change):
        if step == "calling" and len(wishes) == 1:
            wishes.append(ask.delete(phone))

    drain(step=press_again)
    assert len(wishes) == 2
    assert {again(wish).state for wish in wishes} == {State.FAILED if fails else State.DONE}


def test_an_owner_who_comes_back_has_a_password_that_the_one_between_never_had(sandbox, account, plant, ask, drain):
    bob, between = make_owner(account, "bob@acme.example"), make_owner(account, "between@acme.example")
    phone = plant(owner_id=bob.audian_id)
    passwords = []

    def take_back(step, change):
        if step == "calling" and not passwords:
            passwords.append(None)
            ask.update(phone, {"owner_id": bob.audian_id}, {"owner_id": between.audian_id})
        if step == "recorded":
            passwords.append(again(phone).password or sandbox.device(phone.audian_id)["sip"]["password"])

    ask.update(phone, {"owner_id": between.audian_id}, {"owner_id": bob.audian_id})
    drain(step=take_back)
    assert again(phone).owner == bob
    assert len({PASSWORD, *passwords[1:]}) == 3


def test_what_audian_was_never_asked_is_not_said_to_be_confirmed(sandbox, ask, create):
    unmade = ask.delete(create().softphone)
    said = changes.progress(change=unmade, now=timezone.now())
    assert said.state == "done"
    assert "confirmed" not in said.sentence
    assert sandbox.calls == []


@pytest.mark.parametrize("act", ["switch_off", "delete", "reset"])
def test_trying_again_ends_the_links_that_were_drawn_meanwhile(sandbox, phone, ask, drain, settings, admin, act):
    settings.CHANGE_ATTEMPTS = 1
    sandbox.faults.add("500", match="/devices/")
    asks = {"switch_off": lambda: ask.update(phone, {"enabled": False}), "delete": lambda: ask.delete(phone)}
    change = asks.get(act, lambda: ask.reset(phone))()
    drain()
    assert again(change).state == State.FAILED
    setup_links.draw(softphone=phone, user=admin, ip=None, now=timezone.now())
    ask.try_again(change)
    assert not SetupLink.objects.filter(revoked_at=None).exists()
