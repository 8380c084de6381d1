"""A listing is compared with our rows; what differs is written, and nothing else."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from softphones.models import SearchWord, Softphone
from tests.mirror.conftest import account_on, look, owner, phone, plant_person, plant_phone, plant_phones, present

OURS = ('"softphones_softphone"', '"softphones_owner"', "softphones_searchword")


def test_a_phone_and_its_person_appear(account, sandbox):
    person = plant_person(sandbox, "Carla", "Nuñez", email="Carla@Acme.example", presence_id="1003")
    device = plant_phone(sandbox, "User_Carla", person, name="Carla Nuñez - softphone")
    run = look(account)
    assert (run.state, run.created, run.updated, run.unchanged, run.gone) == ("complete", 1, 0, 0, 0)
    assert owner(person).name == "Carla Nuñez"
    assert (owner(person).email_folded, owner(person).number, owner(person).enabled) == ("carla@acme.example", "1003", True)
    row = phone(device)
    assert (row.name, row.sip_username, row.username_folded) == ("Carla Nuñez - softphone", "User_Carla", "user_carla")
    assert (row.password, row.owner, row.caller_id_number, row.enabled) == ("wP7kq3hTz9mB", owner(person), "1001", True)


def test_the_account_gets_its_realm_and_keeps_the_name_that_somebody_gave_it(account, sandbox):
    account.api_realm = ""
    account.save()
    look(account)
    account.refresh_from_db()
    assert account.api_realm == sandbox.realm
    assert account.company_name == "Acme Dental"


def test_an_account_without_a_name_takes_the_one_at_audian(db, sandbox):
    account = account_on(sandbox, company_name="")
    look(account)
    account.refresh_from_db()
    assert account.company_name == "Acme Ltd"


def test_every_page_is_read(account, sandbox, settings):
    settings.API_PAGE_SIZE = 2
    planted = plant_phones(sandbox, 7)
    run = look(account)
    assert present() == set(planted)
    assert run.pages == 1 + 4  # one of people, four of phones
    assert run.calls == len(sandbox.calls)


def test_devices_of_other_types_never_show_up(account, sandbox):
    plant_phone(sandbox, "user_desk", device_type="sip_device")
    plant_phone(sandbox, "user_fax", device_type="fax")
    softphone = plant_phone(sandbox)
    look(account)
    assert present() == {softphone}


def test_a_phone_that_became_something_else_is_gone(account, sandbox):
    other, device = plant_phone(sandbox, "user_other"), plant_phone(sandbox)
    look(account)
    sandbox.change_device(device, device_type="sip_device")
    look(account)
    assert present() == {other}


def test_a_change_at_audian_arrives(account, sandbox):
    device = plant_phone(sandbox)
    look(account)
    sandbox.change_device(device, name="Alice at home", **{"sip.password": "another9Secret", "enabled": False})
    run = look(account)
    assert (run.created, run.updated, run.unchanged) == (0, 1, 0)
    assert (phone(device).name, phone(device).password, phone(device).enabled) == ("Alice at home", "another9Secret", False)


def test_a_realm_is_kept_only_where_it_is_not_the_accounts(account, sandbox):
    foreign = plant_phone(sandbox, "user_a", sip={"username": "user_a", "password": "secret1", "realm": "other.example"})
    own = plant_phone(sandbox, "user_b", sip={"username": "user_b", "password": "secret1", "realm": sandbox.realm.upper()})
    look(account)
    assert phone(foreign).realm == "other.example"
    assert (phone(own).realm, phone(own).sip_realm) == ("", sandbox.realm)


def test_a_phone_without_a_password_at_audian_is_not_one_whose_password_is_unknown(account, sandbox):
    plant_phone(sandbox)
    without = plant_phone(sandbox, sip={"username": "user_bare"})
    look(account)
    assert phone(without).password == ""


def test_an_unchanged_run_writes_no_phone_no_person_and_no_word(account, sandbox):
    for number in range(5):
        plant_phone(sandbox, f"user_{number}", plant_person(sandbox, f"Person{number}"))
    look(account)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        run = look(account)
    assert (run.state, run.unchanged) == ("complete", 5)
    written = [
        q["sql"] for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE")) and any(t in q["sql"] for t in OURS)
    ]
    # Doubled usernames are looked for in one statement that finds none.
    assert all("doubled_username" in sql for sql in written)


def test_a_run_takes_as_many_queries_for_many_phones_as_for_few(account, sandbox):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            look(account)
        return len(captured)

    plant_phone(sandbox)
    look(account)
    few = queries()
    plant_phones(sandbox, 40)
    look(account)
    assert queries() == few


def test_phones_that_share_a_username_are_both_marked_until_they_no_longer_do(account, sandbox):
    first, second = plant_phone(sandbox, "user_twin"), plant_phone(sandbox, "USER_twin")
    other = plant_phone(sandbox, "user_other")
    look(account)
    assert phone(first).fault == phone(second).fault == Softphone.Fault.DOUBLED_USERNAME
    assert phone(other).fault == ""
    sandbox.change_device(second, **{"sip.username": "user_own"})
    look(account)
    assert phone(first).fault == phone(second).fault == ""


def test_a_phone_without_a_username_is_marked_until_it_has_one(account, sandbox):
    device = plant_phone(sandbox, sip={"password": "secret12"})
    look(account)
    assert phone(device).fault == Softphone.Fault.NO_SIP
    sandbox.change_device(device, **{"sip.username": "user_late"})
    look(account)
    assert (phone(device).fault, phone(device).sip_username) == ("", "user_late")


def test_the_vendors_page_dialect_is_mirrored_too(db, served):
    sandbox = served(dialect="page")
    device = plant_phone(sandbox, owner=plant_person(sandbox))
    run = look(account_on(sandbox))
    assert (run.state, present()) == ("complete", {device})
    assert phone(device).password == "wP7kq3hTz9mB"


@pytest.mark.parametrize("word", ["alice", "smith", "user", "1001", "001"])
def test_a_phone_is_found_by_its_words(account, sandbox, word):
    device = plant_phone(sandbox)
    look(account)
    assert SearchWord.objects.filter(account=account, word=word, softphone=phone(device)).count() == 1


def test_a_renamed_phone_is_no_longer_found_by_its_old_name(account, sandbox):
    device = plant_phone(sandbox)
    look(account)
    sandbox.change_device(device, name="Reception", caller_id=None)
    look(account)
    words = set(phone(device).words.values_list("word", flat=True))
    assert words == {"reception", "user", "alice"}
