"""One device: create, change as GET-change-POST, delete; and what each leaves behind at Audian."""

import pytest

from softphones.audian import errors
from softphones.audian.documents import NewDevice, charge_lines

NEW = NewDevice(
    name="Alice Smith - softphone",
    username="alice_phone",
    password="long-enough-2-see",
    owner_id="c" * 32,
    caller_id_number="1001",
    caller_id_name="Alice Smith",
    flags=("portal:17",),
)
REST = {
    "owner_id": "c" * 32,
    "caller_id": {"internal": {"number": "1001", "name": "Alice"}, "external": {"number": "+15550100"}},
    "media": {"audio": {"codecs": ["OPUS"]}},
    "flags": ["portal:17", "theirs"],
    "custom": {"of": ["somebody", "else"]},
}


def sent(sandbox, method: str) -> int:
    return sum(call.method == method and "/devices" in call.path for call in sandbox.calls)


def test_a_created_softphone_is_at_audian_as_it_was_asked_for(sandbox, client):
    made = client.create_device(NEW)
    stored = sandbox.device(made.id)
    assert (stored["name"], stored["device_type"], stored["enabled"]) == (NEW.name, "softphone", True)
    assert (stored["sip"]["username"], stored["sip"]["password"]) == (NEW.username, NEW.password)
    assert stored["owner_id"] == NEW.owner_id
    assert stored["caller_id"]["internal"] == {"number": "1001", "name": "Alice Smith"}
    assert stored["flags"] == ["portal:17"]
    assert (made.username, made.password, made.flags, made.complete) == (NEW.username, NEW.password, NEW.flags, True)


def test_a_softphone_can_be_created_with_a_name_and_credentials_alone(sandbox, client):
    made = client.create_device(NewDevice("Bare", "bare", "long-enough"))
    stored = sandbox.device(made.id)
    assert "owner_id" not in stored
    assert not stored.get("caller_id")


def test_an_answer_without_the_password_does_not_say_that_there_is_none(make_sandbox, make_client):
    client = make_client(at=make_sandbox(dialect="page"))
    made = client.create_device(NewDevice("Bare", "bare", "long-enough"))
    assert (made.password, made.complete) == (None, False)


def test_a_taken_username_is_told_apart_from_other_faults(client, plant):
    plant(username="Alice_Phone")
    with pytest.raises(errors.Invalid) as caught:
        client.create_device(NEW)
    assert caught.value.taken
    assert caught.value.field_errors == {"sip.username": ["is already in use"]}
    assert "SIP username" in str(caught.value)


def test_a_refused_password_is_explained_but_not_repeated(client, caplog):
    caplog.set_level(0)
    with pytest.raises(errors.Invalid) as caught:
        client.create_device(NewDevice("Bare", "bare", "q7Zx"))
    assert caught.value.field_errors == {"sip.password": ["must have at least 5 characters"]}
    assert not caught.value.taken
    assert "q7Zx" not in f"{caught.value!r} {caught.value} {vars(caught.value)} {caplog.text}"


def test_a_password_of_33_characters_is_explained_but_not_repeated(client):
    with pytest.raises(errors.Invalid) as caught:
        client.create_device(NewDevice("Bare", "bare", "q7Zx" * 8 + "q"))
    assert caught.value.field_errors == {"sip.password": ["must have at most 32 characters"]}
    assert "q7Zx" not in f"{caught.value!r} {vars(caught.value)}"


def test_every_faulty_field_is_named(client):
    with pytest.raises(errors.Invalid) as caught:
        client.create_device(NewDevice("N" * 129, "x", "long-enough", owner_id="user_123456", caller_id_name="C" * 36))
    assert set(caught.value.field_errors) == {"name", "sip.username", "owner_id", "caller_id.internal.name"}


def test_charges_are_asked_for_before_anything_is_saved(sandbox, client):
    sandbox.faults.add("402", rate=2.5, activation_charges=1.0)
    with pytest.raises(errors.ChargesToAccept) as caught:
        client.create_device(NEW)
    (line,) = charge_lines(caught.value.quote)
    assert (line.category, line.item, line.quantity) == ("devices", "softphone", 1)
    assert (str(line.rate), str(line.activation)) == ("2.5", "1.0")
    assert not caught.value.doubtful
    assert client.create_device(NEW, accept_charges=True).username == NEW.username


def test_charges_can_be_accepted_for_a_change_too(sandbox, client, plant):
    device = plant()
    sandbox.faults.add("402")
    with pytest.raises(errors.ChargesToAccept):
        client.update_device(device, {"enabled": False})
    client.update_device(device, {"enabled": False}, accept_charges=True)
    assert sandbox.device(device)["enabled"] is False


def test_an_update_changes_what_it_names_and_keeps_all_else(sandbox, client, plant):
    device = plant(**REST)
    before = sandbox.device(device)
    after = client.update_device(device, {"name": "Renamed", "caller_id_name": "A. Smith"})
    assert (after.name, after.caller_id_name, after.complete) == ("Renamed", "A. Smith", True)
    stored = sandbox.device(device)
    assert stored["name"] == "Renamed"
    assert stored["caller_id"] == {
        "internal": {"number": "1001", "name": "A. Smith"},
        "external": {"number": "+15550100"},
    }
    for kept in ("owner_id", "flags", "custom", "device_type"):
        assert stored[kept] == before[kept]
    assert stored["sip"].items() >= before["sip"].items()
    assert stored["media"]["audio"] == before["media"]["audio"]


def test_a_new_password_replaces_the_old_one_only(sandbox, client, plant):
    device = plant(username="alice", password="old-password")
    assert client.update_device(device, {"password": "new-password"}).password == "new-password"
    assert sandbox.device(device)["sip"]["password"] == "new-password"
    assert sandbox.device(device)["sip"]["username"] == "alice"


def test_an_empty_value_takes_the_field_away(sandbox, client, plant):
    device = plant(**REST)
    client.update_device(device, {"owner_id": None, "caller_id_number": ""})
    stored = sandbox.device(device)
    assert "owner_id" not in stored
    assert stored["caller_id"]["internal"] == {"name": "Alice"}


def test_an_update_that_would_change_nothing_is_not_sent(sandbox, client, plant):
    device = plant(**REST)
    assert client.update_device(device, {"name": "Alice Smith - softphone", "enabled": True}).id == device
    assert sent(sandbox, "POST") == 0


def test_an_update_is_sent_on_condition_that_nobody_changed_the_device(sandbox, client, plant):
    device = plant()
    sandbox.on_request(once("POST", lambda: sandbox.change_device(device, enabled=False)))
    client.update_device(device, {"name": "Renamed"})
    stored = sandbox.device(device)
    assert (stored["name"], stored["enabled"]) == ("Renamed", False), "both changes are there"
    assert [call.status for call in sandbox.calls if call.method == "POST"] == [412, 200]


def test_a_lost_race_at_the_server_looks_again(sandbox, client, plant):
    device = plant()
    sandbox.faults.add("409", method="POST")
    client.update_device(device, {"name": "Renamed"})
    assert sandbox.device(device)["name"] == "Renamed"
    assert (sent(sandbox, "GET"), sent(sandbox, "POST")) == (2, 2)


def test_a_race_that_is_lost_again_and_again_is_a_conflict(sandbox, client, plant):
    device = plant()
    sandbox.faults.add("409", method="POST", times=None)
    with pytest.raises(errors.Conflict) as caught:
        client.update_device(device, {"name": "Renamed"})
    assert not caught.value.doubtful
    assert sent(sandbox, "POST") == 3


def test_a_server_that_cannot_do_conditions_gets_none(sandbox, client, plant):
    device = plant()
    sandbox.faults.add("412_empty", times=None)
    client.update_device(device, {"name": "Renamed"})
    assert sandbox.device(device)["name"] == "Renamed"
    assert sent(sandbox, "POST") == 2


def test_an_update_works_with_the_vendors_page_which_has_no_revisions(make_sandbox, make_client):
    at = sandbox, _ = make_sandbox(dialect="page")
    client = make_client(at=at)
    device = client.create_device(NEW).id
    client.update_device(device, {"password": "another-password"})
    assert sandbox.device(device)["sip"]["password"] == "another-password"
    assert sandbox.device(device)["sip"]["username"] == NEW.username


def test_a_field_that_is_not_as_the_visitor_saw_it_is_a_conflict_with_both_values(sandbox, client, plant):
    device = plant(name="Changed by somebody")
    with pytest.raises(errors.Conflict) as caught:
        client.update_device(device, {"name": "Mine"}, expected={"name": "As I saw it", "enabled": False})
    assert caught.value.changed == {"name": ("As I saw it", "Changed by somebody")}
    assert (caught.value.device.id, caught.value.device.name) == (device, "Changed by somebody")
    assert sent(sandbox, "POST") == 0
    client.update_device(device, {"name": "Mine"})
    assert sandbox.device(device)["name"] == "Mine", "apply mine anyway"


def test_a_field_that_changes_between_look_and_write_is_a_conflict_too(sandbox, client, plant):
    device = plant(name="As I saw it")
    sandbox.on_request(once("POST", lambda: sandbox.change_device(device, name="Theirs")))
    with pytest.raises(errors.Conflict) as caught:
        client.update_device(device, {"name": "Mine"}, expected={"name": "As I saw it"})
    assert caught.value.changed == {"name": ("As I saw it", "Theirs")}
    assert sandbox.device(device)["name"] == "Theirs"


def test_a_field_that_already_is_as_wanted_is_no_conflict(client, plant):
    device = plant(name="Mine", flags=["a"])
    wanted = {"name": "Mine", "owner_id": None, "flags": ("a",)}
    seen = {"name": "As I saw it", "owner_id": "", "flags": ["a"]}
    assert client.update_device(device, wanted, expected=seen).name == "Mine"


def test_a_conflict_over_a_password_shows_neither(client, plant):
    device = plant(password="theirs-now")
    with pytest.raises(errors.Conflict) as caught:
        client.update_device(device, {"password": "mine-then"}, expected={"password": "seen-before"})
    shown = f"{caught.value!r} {vars(caught.value)}"
    assert set(caught.value.changed) == {"password"}
    assert not any(secret in shown for secret in ("theirs-now", "mine-then", "seen-before"))


def test_an_update_of_a_device_that_is_gone_says_so(client):
    with pytest.raises(errors.NotFound):
        client.update_device("b" * 32, {"name": "Renamed"})


def test_a_deleted_device_is_gone_and_deleting_it_again_is_no_error(sandbox, client, plant):
    device = plant()
    client.delete_device(device)
    assert not client.exists(device)
    client.delete_device(device)


def test_delete_takes_the_204_of_the_vendors_page(make_sandbox, make_client):
    client = make_client(at=make_sandbox(dialect="page"))
    device = client.create_device(NEW).id
    client.delete_device(device)
    assert not client.exists(device)


def test_exists_is_sure_only_with_an_answer_of_its_own(sandbox, client, plant):
    device = plant()
    assert client.exists(device)
    for fault in ("html_502", "empty_body_200", "503", "cut_before"):
        sandbox.faults.add(fault, method="GET", path="/devices")
        with pytest.raises(errors.AccountTrouble):
            client.exists(device)


def test_an_answer_about_another_device_is_not_taken(answered):
    with pytest.raises(errors.NotOurAnswer):
        answered(data='{"id": "%s", "name": "Not mine"}' % ("d" * 32)).device("b" * 32)


def test_a_create_that_is_answered_without_an_id_is_doubtful(answered):
    with pytest.raises(errors.NotOurAnswer) as caught:
        answered(201, data='{"name": "Alice"}').create_device(NEW)
    assert caught.value.doubtful


def once(method: str, act):
    done = []

    def before(requested: str, path: str) -> None:
        if requested == method and not done:
            done.append(True)
            act()

    return before


@pytest.mark.parametrize(("options", "obeys"), [({}, True), ({"honours_if_match": False}, False), ({"dialect": "page"}, False)])
def test_whether_a_server_obeys_if_match_is_told_by_a_look(make_sandbox, make_client, options, obeys):
    sandbox, _url = at = make_sandbox(devices=1, **options)
    client = make_client(at)
    device = client.device_page().rows[0].id
    assert client.obeys_if_match(device) is obeys
    assert {call.method for call in sandbox.calls if "/api_auth" not in call.path} == {"GET"}
    with pytest.raises(errors.NotFound):
        client.obeys_if_match("0" * 32)
