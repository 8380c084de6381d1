"""What came of it: per row, as a file that can be imported again, and what one can do with what was made. With a sandbox."""

import csv
import io
import re

import pytest
from django.core import mail as outbox
from django.utils import timezone

from softphones import imports, mail
from softphones.models import Import, Message, Softphone
from tests.factories import make_owner
from tests.import_pages.conftest import as_file, page_of, press
from tests.imports.conftest import account, sandbox, send, short_limits, softphones_of  # noqa: F401
from tests.pages.conftest import soup, words

FILE = "name,owner_email,sip_username\nAlice - softphone,alice@acme.example,\nLobby,,\nHall,,hall.1\n"


@pytest.fixture
def finished(admin, upload, owner, sandbox, send):  # noqa: F811
    """Alice's softphone and the lobby's are made; the hall's username is another device's at Audian."""
    sandbox.add_device(name="Somebody's", device_type="sip_device", sip={"username": "hall.1", "password": "wP7kq3hTz9mB"})
    batch = upload(FILE)
    admin.post(f"{page_of(batch)}start/")
    send()
    batch.refresh_from_db()
    return batch


def rows_of(response) -> list[dict]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_failed_come_first_with_the_reason_and_a_way_to_try_again(admin, finished):
    page = soup(admin.get(page_of(finished)))
    assert words(page.select_one("#live h2")) == "Finished"
    [row] = page.select("#rows tbody tr")
    assert "Hall" in words(row)
    assert "hall.1" in words(row)
    change = finished.rows.get(line=4).change
    assert change.error in words(row)
    assert row.select_one("a")["href"] == f"/acme/changes/{change.pk}/"
    assert "1 row was not created" in words(page)


def test_what_was_made_shows_its_id_at_audian_and_leads_to_its_page(admin, finished):
    page = soup(admin.get(f"{page_of(finished)}?show=made"))
    assert len(page.select("#rows tbody tr")) == 2
    for row in page.select("#rows tbody tr"):
        phone = Softphone.objects.get(name=words(row.a))
        assert phone.audian_id in words(row)
        assert row.a["href"] == f"/acme/softphones/{phone.pk}/"


def test_the_result_imported_again_does_only_what_is_missing(admin, finished, upload, sandbox, send):  # noqa: F811
    response = admin.get(f"{page_of(finished)}csv/")
    assert 'filename="phones-result.csv"' in response["Content-Disposition"]
    rows = rows_of(response)
    assert [row["status"] for row in rows] == ["made", "made", "failed"]
    assert all(row["device_id"] for row in rows[:2])
    rows[2]["sip_username"] = "hall.2"
    mended = io.StringIO()
    writer = csv.DictWriter(mended, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    again = upload(mended.getvalue(), "phones-result.csv")
    assert (again.will, again.exists, again.errors) == (1, 2, 0)
    admin.post(f"{page_of(again)}start/")
    send()
    made = softphones_of(sandbox)
    assert sorted(phone["name"] for phone in made) == ["Alice - softphone", "Hall", "Lobby"]
    assert "hall.2" in [phone["sip"]["username"] for phone in made]


def test_people_are_mailed_their_set_up_page_on_demand_and_once(admin, finished):
    response = press(admin, admin.get(page_of(finished)), "Mail people their set-up page")
    assert "1 mail will be sent" in words(response)
    assert "The softphone belongs to nobody." in words(response)
    asks = Import.objects.get(kind="send_links")
    assert not Message.objects.filter(kind="softphone_ready").exists(), "nothing goes before somebody says so"
    press(admin, response, "Send 1 mail", skip_errors="on")
    mail.send_due(timezone.now())
    [sent] = [each for each in outbox.outbox if each.to == ["alice@acme.example"]]
    assert "ready" in sent.subject
    imports.settle(now=timezone.now())
    assert "Finished" in words(admin.get(page_of(asks)))
    assert "Set-up mails: phones.csv 1 of 1 done" in words(soup(admin.get(page_of(finished))).select_one(".later"))
    response = admin.post(f"{page_of(finished)}mails/", follow=True)
    assert "Mailed before 1" in words(soup(response).select_one(".kinds"))


def test_undoing_says_first_what_goes_and_what_is_kept(admin, finished, sandbox, send):  # noqa: F811
    sandbox.register(Softphone.objects.get(name="Alice - softphone").audian_id)
    response = press(admin, admin.get(page_of(finished)), "Undo …")
    page = soup(response)
    assert words(page.h1) == "Undo: phones.csv"
    assert "1 softphone will be deleted" in words(page)
    assert "1 more stays as it is." in words(page)
    assert "Each is looked at once more right before it is deleted" in words(page)
    assert "Kept It has been connected: it is kept." in words(page)
    assert page.select_one(f".head a[href='{page_of(finished)}']")
    press(admin, response, "Delete 1 softphone")
    send()
    assert [phone.name for phone in Softphone.objects.present().exclude(audian_id=None)] == ["Alice - softphone"]
    assert "deleted since" not in words(admin.get(f"{page_of(Import.objects.get(kind='delete'))}?show=made"))
    facts = words(soup(admin.get(page_of(Import.objects.get(kind="delete")))).select_one(".facts"))
    assert facts == "deleted 1 failed 0 kept 1"
    made = words(soup(admin.get(f"{page_of(finished)}?show=made")).select_one("#rows"))
    assert "deleted since" in made
    assert "Undo: phones.csv 1 of 1 done" in words(soup(admin.get(page_of(finished))).select_one(".later"))


def test_hand_outs_are_one_press_away(admin, finished):
    link = soup(admin.get(page_of(finished))).select_one("a[href$='/handouts/']")
    assert admin.get(link["href"]).status_code == 200


def test_an_import_that_made_nothing_offers_neither_mails_nor_undoing(admin, started):
    batch = started(1)
    admin.post(f"{page_of(batch)}cancel/")
    page = soup(admin.get(page_of(batch)))
    assert not page.select("form[action$='/undo/'], form[action$='/mails/']")


def test_nor_does_one_of_which_nothing_is_left(admin, finished, send):  # noqa: F811
    assert soup(admin.get(page_of(finished))).select("form[action$='/undo/']")
    press(admin, press(admin, admin.get(page_of(finished)), "Undo …"), "Delete 2 softphones")
    send()
    page = soup(admin.get(page_of(finished)))
    assert not page.select("form[action$='/undo/'], form[action$='/mails/'], a[href$='/handouts/']")


def test_the_dirty_file_mended_from_its_marked_up_copy_finishes(admin, upload, account, sandbox, send):  # noqa: F811
    people = [make_owner(account, f"p{number}@acme.example", name=f"Person {number}") for number in range(8)]
    lines = [f"{owner.name},{owner.email},{1000 + place}" for place, owner in enumerate(people)]
    lines[2] = lines[2].replace("@acme", "@amce")
    lines[5] = f",{people[5].email},1005"
    batch = upload("Name;Owner Email;EXTENSION\n".replace(";", ",") + "\n".join(lines) + "\n")
    assert (batch.will, batch.errors) == (6, 2)
    marked_up = b"".join(admin.get(f"{page_of(batch)}csv/").streaming_content).decode("utf-8-sig")
    mended = re.sub("amce", "acme", marked_up).replace('"","p5@acme', '"Person 5","p5@acme')
    response = admin.post("/acme/imports/", {"file": as_file(mended), "instead_of": batch.pk}, follow=True)
    assert "8 softphones will be created" in words(response)
    again = Import.objects.get()
    admin.post(f"{page_of(again)}start/")
    send()
    assert sorted(Softphone.objects.exclude(audian_id=None).values_list("name", flat=True)) == [p.name for p in people]
    assert "Finished" in words(admin.get(page_of(again)))
