"""What failed, or was cancelled, is checked once more by one press, and only that. With a sandbox."""

import pytest
from django.core import mail as outbox
from django.utils import timezone

from softphones import imports, mail
from softphones.models import Change, Import, Message, Softphone
from tests.factories import make_owner
from tests.import_pages.conftest import page_of, press
from tests.imports.conftest import account, plant, sandbox, send, short_limits, softphones_of, table  # noqa: F401
from tests.pages.conftest import soup, words

pytestmark = pytest.mark.django_db(transaction=True)
AGAIN = "Check the rest again …"
TOLD = "It had a password, which no result file holds. Write it in again, or a strong one is made."
FILE = (
    "name,owner_email,sip_username,sip_password\nAlice - softphone,alice@acme.example,,\nLobby,,,a-long-password\n\nHall,,,\n"
)


def rest_of(admin, batch: Import) -> Import:
    """Press the button on its page; the import that this leads to."""
    response = press(admin, admin.get(page_of(batch)), AGAIN)
    [(address, _status)] = response.redirect_chain
    rest = Import.objects.get(pk=int(address.rstrip("/").rpartition("/")[2]))
    assert (rest.state, rest.kind) == ("checked", batch.kind)
    return rest


def names(batch: Import) -> list[str]:
    return [row.values["name"] for row in batch.rows.order_by("line")]


def start(admin, batch: Import, send, **fields) -> Import:  # noqa: F811
    admin.post(f"{page_of(batch)}start/", fields)
    send()
    batch.refresh_from_db()
    return batch


@pytest.fixture
def declined(admin, upload, owner, sandbox, send):  # noqa: F811
    """An import of which the first was made, and the others not: their charges were declined."""
    batch = upload(FILE)
    admin.post(f"{page_of(batch)}start/")
    _first, *others = Change.objects.order_by("pk")
    Change.objects.filter(pk__in=[each.pk for each in others]).update(next_attempt_at="2999-01-01T00:00Z")
    send()
    Change.objects.update(next_attempt_at=None)
    sandbox.faults.add("402", times=None)
    send()
    press(admin, admin.get(page_of(batch)), "Decline")
    send()
    sandbox.faults.clear()
    batch.refresh_from_db()
    return batch


def test_after_charges_were_declined_the_rest_is_checked_and_made(admin, declined, sandbox, send):  # noqa: F811
    rest = rest_of(admin, declined)
    assert (names(rest), rest.will, rest.name) == (["Lobby", "Hall"], 2, declined.name)
    assert list(rest.rows.order_by("line").values_list("line", flat=True)) == [3, 5], "as in the file"
    assert len(softphones_of(sandbox)) == 1, "nothing goes before somebody says so"
    assert TOLD in words(admin.get(page_of(rest)))
    start(admin, rest, send)
    assert "a-long-password" not in {each["sip"]["password"] for each in softphones_of(sandbox)}
    assert sorted(each["name"] for each in softphones_of(sandbox)) == ["Alice - softphone", "Hall", "Lobby"]
    assert "Finished" in words(admin.get(page_of(rest)))


def test_what_was_cancelled_is_checked_again_and_that_a_password_is_gone_is_said(admin, upload, owner, sandbox, send):  # noqa: F811
    batch = upload(FILE)
    admin.post(f"{page_of(batch)}start/")
    press(admin, admin.get(page_of(batch)), "Cancel the rest")
    rest = rest_of(admin, batch)
    assert len(names(rest)) == 3
    said = {words(row.th): words(row) for row in soup(admin.get(f"{page_of(rest)}?show=all")).select("#rows tbody tr")}
    assert [name for name, row in said.items() if TOLD in row] == ["Lobby"]
    start(admin, rest, send)
    assert len(softphones_of(sandbox)) == 3
    assert "a-long-password" not in {each["sip"]["password"] for each in softphones_of(sandbox)}


def test_pressed_twice_it_is_one_import(admin, declined):
    assert rest_of(admin, declined) == rest_of(admin, declined)


def test_people_who_got_none_are_checked_again(admin, account, sandbox, send):  # noqa: F811
    people = [make_owner(account, f"p{number}@acme.example", name=f"Person {number}") for number in range(3)]
    batch = imports.from_people(account=account, owners=people, by=admin.user, now=timezone.now())
    admin.post(f"{page_of(batch)}start/")
    press(admin, admin.get(page_of(batch)), "Cancel the rest")
    rest = rest_of(admin, batch)
    assert (rest.will, rest.is_file) == (3, False)
    start(admin, rest, send)
    assert len(softphones_of(sandbox)) == 3


def test_an_act_is_checked_again_for_those_it_was_not_done_to(admin, account, plant, sandbox, send, settings):  # noqa: F811
    settings.CHANGE_ATTEMPTS = 1
    phones = [plant(f"Phone {number}", f"user_{number}") for number in range(3)]
    batch = imports.act_on(account=account, softphones=phones, kind="disable", by=admin.user, now=timezone.now())
    sandbox.remove_device(phones[0].audian_id)
    sandbox.faults.add("500", method="POST", path=f"/devices/{phones[1].audian_id}")
    start(admin, batch, send)
    sandbox.faults.clear()
    assert imports.counts(batch)["made"] == 1
    rest = rest_of(admin, batch)
    assert names(rest) == ["Phone 0", "Phone 1"]
    start(admin, rest, send)
    assert {each["name"]: each["enabled"] for each in softphones_of(sandbox)} == {"Phone 1": False, "Phone 2": False}


def test_undoing_stays_undoing(admin, upload, sandbox, send, settings):  # noqa: F811
    settings.CHANGE_ATTEMPTS = 1
    made = start(admin, upload("name\nA\nB\n"), send)
    undone = imports.undo(batch=made, by=admin.user, now=timezone.now())
    sandbox.faults.add("500", method="DELETE", path=f"/devices/{Softphone.objects.get(name='A').audian_id}")
    start(admin, undone, send)
    sandbox.faults.clear()
    sandbox.register(Softphone.objects.get(name="A").audian_id)
    rest = rest_of(admin, undone)
    assert (rest.parent, rest.will, rest.exists, names(rest)) == (made, 0, 1, ["A"])


def test_mails_go_to_those_who_got_none(admin, upload, owner, sandbox, send):  # noqa: F811
    made = start(admin, upload(FILE), send)
    mails = imports.mail_setup(batch=made, by=admin.user, now=timezone.now())
    start(admin, mails, send, skip_errors="on")
    Message.objects.filter(kind="softphone_ready").update(state="failed", error="No such mailbox.")
    imports.settle(now=timezone.now())
    rest = rest_of(admin, mails)
    assert (rest.parent, rest.will) == (made, 1)
    start(admin, rest, send, skip_errors="on")
    mail.send_due(timezone.now())
    assert [each.to for each in outbox.outbox if "ready" in each.subject] == [["alice@acme.example"]]


@pytest.fixture
def taken_over(admin, upload, sandbox, settings, send):  # noqa: F811
    """An import of A and B of which one failed, and the one that makes it after all, started."""
    settings.CHANGE_ATTEMPTS = 1
    settings.LIGHT_LIST_EVERY = settings.LIGHT_ONE_EVERY = 0
    sandbox.faults.add("500", method="PUT", path="/devices")
    first = start(admin, upload("name\nA\nB\n"), send)
    assert (imports.counts(first)["made"], imports.counts(first)["failed"]) == (1, 1)
    rest = rest_of(admin, first)
    admin.post(f"{page_of(rest)}start/")
    return first, rest


def test_what_a_later_import_makes_is_of_that_one(admin, account, taken_over, send):  # noqa: F811
    first, rest = taken_over
    said = imports.progress(batch=first, now=timezone.now())
    assert (said.sentence, said.moves) == ("Finished: 1 done, 1 failed.", False), "although the other one goes"
    assert AGAIN not in words(admin.get(page_of(first))), "it goes already"
    send()
    assert [(each.pk, each.made, each.failed, each.total) for each in imports.newest(account).rows] == [
        (rest.pk, 1, 0, 1),
        (first.pk, 1, 1, 2),
    ]
    [row] = imports.rows(first, show="failed").rows
    assert row.sentence == "It failed here. A later import has taken it over."
    [line] = [line for line in table(imports.result_csv(first)) if line["status"] == "failed"]
    assert "later import" in line["message"]
    [made] = imports.still_there(rest)
    assert made == row.softphone


def test_undoing_the_first_leaves_alone_what_a_later_import_made(admin, taken_over, send, sandbox):  # noqa: F811
    first, rest = taken_over
    send()
    undone = imports.undo(batch=first, by=admin.user, now=timezone.now())
    assert undone.will == 1
    start(admin, undone, send)
    assert [each["id"] for each in softphones_of(sandbox)] == [softphone.audian_id for softphone in imports.still_there(rest)]


def test_a_result_that_is_larger_than_a_file_may_be_is_checked_again(admin, upload, owner, monkeypatch):
    monkeypatch.setattr("softphones.imports.storing.MOST_BYTES", len(FILE))
    batch = upload(FILE)
    admin.post(f"{page_of(batch)}start/")
    press(admin, admin.get(page_of(batch)), "Cancel the rest")
    rest = rest_of(admin, batch)
    assert (rest.problems, rest.will) == ([], 3)


def test_where_nothing_is_left_there_is_no_button_and_a_press_says_so(admin, upload, owner, sandbox, send):  # noqa: F811
    batch = start(admin, upload(FILE), send)
    assert AGAIN not in words(admin.get(page_of(batch)))
    response = admin.post(f"{page_of(batch)}again/", follow=True)
    assert "Nothing of it is left to be checked again." in words(response)
    assert Import.objects.count() == 1
