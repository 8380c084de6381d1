"""What we created ourselves is recognised, and what Audian answers to our writes is taken over."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones import mirror, setup_links
from softphones.audian.client import AudianClient
from softphones.audian.credentials import StaticToken
from softphones.models import Change, SearchWord, SetupLink, Softphone
from tests.factories import make_account, make_softphone, make_user
from tests.mirror.conftest import look, phone, plant_person, plant_phone, present


def created(account, username="user_pending", *, state=Change.State.SENDING, generated=False) -> Change:
    """A create that was sent, and whose answer never arrived."""
    softphone = make_softphone(account, audian_id=None, sip_username=username, name="Pending")
    values = {"username_generated": True} if generated else {}
    return Change.objects.create(account=account, softphone=softphone, kind=Change.Kind.CREATE, state=state, values=values)


def read(account, sandbox, audian_id):
    """The device as Audian answers it."""
    with AudianClient(url=sandbox.url, account_id=account.audian_id, credentials=StaticToken(sandbox.static_token)) as client:
        return client.device(audian_id)


@pytest.mark.parametrize("state", [*Change.UNFINISHED, Change.State.FAILED])
def test_a_device_with_our_mark_is_the_one_we_asked_for(account, sandbox, state):
    change = created(account, state=state)
    device = plant_phone(sandbox, "user_pending", flags=["seen", f"portal:{change.pk}"])
    look(account)
    assert Softphone.objects.count() == 1
    change.softphone.refresh_from_db()
    assert change.softphone.audian_id == device


def test_without_flags_the_username_that_we_generated_tells(account, sandbox):
    change = created(account, "User_Pending", generated=True)
    device = plant_phone(sandbox, "user_pending")
    look(account)
    assert Softphone.objects.get() == change.softphone
    assert phone(device).pk == change.softphone_id


def test_a_username_that_somebody_chose_tells_nothing(account, sandbox):
    change = created(account)
    device = plant_phone(sandbox, "user_pending")
    look(account)
    change.softphone.refresh_from_db()
    assert change.softphone.audian_id is None
    assert phone(device).pk != change.softphone_id


def test_the_mark_of_another_account_is_not_ours(account, sandbox):
    change = created(make_account())
    device = plant_phone(sandbox, flags=[f"portal:{change.pk}"])
    look(account)
    assert phone(device).pk != change.softphone_id


@pytest.mark.parametrize("flags", [["portal:"], ["portal:99999999999999999999999"], ["portal:1x"], ["portal:-1"], "portal:1"])
def test_a_mark_that_is_none_is_only_a_flag(account, sandbox, flags):
    device = plant_phone(sandbox, flags=flags)
    assert look(account).created == 1
    assert present() == {device}


def test_two_devices_with_one_mark_are_two_phones(account, sandbox):
    change = created(account)
    twins = {plant_phone(sandbox, f"user_{n}", flags=[f"portal:{change.pk}"]) for n in (1, 2)}
    look(account)
    assert present() == twins
    assert look(account).created == 0


def test_an_answer_of_audian_fills_the_row_that_waits_for_it(account, sandbox):
    change = created(account)
    device = plant_phone(sandbox, "user_pending", flags=[f"portal:{change.pk}"], name="As Audian has it")
    row = mirror.absorb(account, read(account, sandbox, device), timezone.now())
    assert row.pk == change.softphone_id
    assert (phone(device).name, phone(device).password) == ("As Audian has it", "wP7kq3hTz9mB")
    assert SearchWord.objects.filter(softphone=row, word="audian").exists()


def test_an_answer_about_a_known_phone_updates_it_and_a_run_under_way_leaves_it_alone(account, sandbox):
    device = plant_phone(sandbox, owner=plant_person(sandbox))
    look(account)
    sandbox.change_device(device, name="Written by us")
    mirror.absorb(account, read(account, sandbox, device), timezone.now() + timedelta(seconds=2))
    sandbox.change_device(device, name="What an older page still shows")
    look(account)
    assert phone(device).name == "Written by us"


def test_an_answer_with_a_new_password_ends_the_links(account, sandbox):
    device = plant_phone(sandbox)
    look(account)
    user = make_user("alice@acme.example", account=account)
    link = setup_links.draw(softphone=phone(device), user=user, ip=None, now=timezone.now()).link
    sandbox.change_device(device, **{"sip.password": "another9Secret"})
    mirror.absorb(account, read(account, sandbox, device), timezone.now())
    assert SetupLink.objects.get(pk=link.pk).revoked_at


def test_an_answer_about_a_device_that_nobody_knows_makes_a_row(account, sandbox):
    device = plant_phone(sandbox)
    mirror.absorb(account, read(account, sandbox, device), timezone.now())
    assert present() == {device}
