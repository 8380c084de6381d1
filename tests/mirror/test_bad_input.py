"""What an operator can have left at Audian: it is cleaned, marked or left out with a sentence, and stops nothing."""

import pytest

from softphones.models import SearchWord, Softphone
from tests.mirror.conftest import look, owner, phone, plant_person, plant_phone, present

NAMES = {
    "128 letters of any script": "Zoë 电话 телефон " * 8,
    "quotes": """O'Brien "Bob" `x` \\ """,
    "a script": "<script>alert(1)</script>",
    "right to left": "שלום \u202e123",
    "a formula": "=HYPERLINK(1)",
    "an emoji": "☎️ 👩‍💻 reception",
    "percent signs": "100% %s %(name)s {name}",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_name_is_kept_as_it_is(account, sandbox, name):
    device = plant_phone(sandbox, owner=(person := plant_person(sandbox, name, "")), name=name)
    run = look(account)
    assert (run.state, run.message) == ("complete", "")
    assert phone(device).name == name.strip()[:256]
    assert owner(person).name == name.strip()[:256]
    assert look(account).unchanged == 1


@pytest.mark.parametrize("name", ["Ali\0ce", "\0Alice\0"])
def test_what_no_database_takes_is_taken_out_of_a_name(account, sandbox, name):
    device = plant_phone(sandbox, name=name)
    assert look(account).state == "complete"
    assert phone(device).name == "Alice"
    assert look(account).unchanged == 1


def test_a_name_that_is_far_too_long_is_cut(account, sandbox):
    device = plant_phone(sandbox, name="x" * 5000)
    person = plant_person(sandbox, "y" * 5000)
    look(account)
    assert (len(phone(device).name), len(owner(person).name)) == (256, 256)
    assert look(account).unchanged == 1


@pytest.mark.parametrize("name", [None, "", "   ", {"a": 1}, ["x"], True])
def test_a_phone_without_a_name_is_left_out_with_a_sentence(account, sandbox, name):
    good = plant_phone(sandbox)
    bad = plant_phone(sandbox, "user_nameless", name=name)
    run = look(account)
    assert run.state == "complete"
    assert "it has no name" in run.message
    assert bad in run.message
    assert present() == {good}


def test_a_known_phone_that_lost_its_name_keeps_the_last_one(account, sandbox):
    device = plant_phone(sandbox)
    look(account)
    sandbox.change_device(device, name=None)
    run = look(account)
    assert (run.state, run.gone) == ("complete", 0)
    assert phone(device).name == "Alice Smith - softphone"


@pytest.mark.parametrize("sip", ["text", 5, [], None, {"username": {"a": 1}}, {"username": ""}, {"username": "u" * 300}])
def test_a_phone_without_a_usable_sip_block_is_marked(account, sandbox, sip):
    good, bad = plant_phone(sandbox), plant_phone(sandbox, sip=sip)
    assert look(account).state == "complete"
    assert (phone(bad).sip_username, phone(bad).fault) == ("", Softphone.Fault.NO_SIP)
    assert phone(good).fault == ""


@pytest.mark.parametrize("password", [5, ["x"], {"a": 1}, "", "a\0b"])
def test_a_password_that_no_phone_could_use_is_none(account, sandbox, password):
    plant_phone(sandbox)
    bad = plant_phone(sandbox, sip={"username": "user_bad", "password": password})
    assert look(account).state == "complete"
    assert phone(bad).password == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"caller_id": "text"},
        {"caller_id": {"internal": ["x"]}},
        {"caller_id": {"internal": {"number": "9" * 500, "name": "n" * 500}}},
        {"enabled": "perhaps"},
        {"flags": "text"},
        {"flags": [1, None, {}]},
        {"owner_id": 5},
        {"owner_id": "o" * 500},
        {"sip": {"username": "user_x", "password": "secret1", "realm": "r" * 500}},
        {"sip": {"username": "user_x", "password": "secret1", "realm": 7}},
    ],
    ids=str,
)
def test_a_field_of_a_wrong_kind_is_not_believed(account, sandbox, fields):
    good, odd = plant_phone(sandbox), plant_phone(sandbox, "user_odd", **fields)
    assert look(account).state == "complete"
    assert present() == {good, odd}
    assert look(account).unchanged == 2


def test_an_id_that_is_too_long_is_left_out(account, sandbox):
    good = plant_phone(sandbox)
    plant_phone(sandbox, "user_long", id="d" * 65)
    plant_person(sandbox, id="p" * 65)
    run = look(account)
    assert (run.state, present()) == ("complete", {good})
    assert "its id is not one of Audian's" in run.message
    assert "2 more" not in run.message


def test_many_bad_phones_are_counted_and_three_are_named(account, sandbox):
    plant_phone(sandbox)
    for number in range(10):
        plant_phone(sandbox, f"user_{number}", name=None)
    run = look(account)
    assert "and 7 more" in run.message
    assert run.message.count("it has no name") == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"first_name": 5, "last_name": None},
        {"first_name": None, "last_name": None, "email": None},
        {"email": "x" * 300 + "@acme.example"},
        {"email": {"a": 1}},
        {"email": "no address"},
        {"enabled": "perhaps"},
        {"presence_id": ["1001"]},
    ],
    ids=str,
)
def test_an_odd_person_stops_nothing(account, sandbox, fields):
    good, odd = plant_person(sandbox, "Bob"), plant_person(sandbox, **fields)
    assert look(account).state == "complete"
    assert owner(good).name == "Bob Smith"
    assert len(owner(odd).email) <= 254
    look(account)
    assert owner(odd).hold == ""


def test_a_person_whose_state_makes_no_sense_does_not_get_in(account, sandbox):
    plant_person(sandbox, "Bob")
    person = plant_person(sandbox, enabled="perhaps")
    look(account)
    assert owner(person).enabled is False


def test_a_disabled_phone_is_mirrored_as_disabled(account, sandbox):
    device = plant_phone(sandbox, enabled=False)
    look(account)
    assert phone(device).enabled is False


def test_words_of_hostile_names_are_words(account, sandbox):
    device = plant_phone(sandbox, name="<script>alert('Ümläut')</script>" + "w" * 100, caller_id=None)
    look(account)
    words = set(SearchWord.objects.filter(softphone=phone(device)).values_list("word", flat=True))
    assert {"script", "alert", "umlaut"} <= words
    assert max(map(len, words)) == 64
