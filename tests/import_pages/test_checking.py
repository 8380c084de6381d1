"""A spreadsheet is put into the form, and the page says what would happen to each row."""

import csv
import io

import pytest

from softphones import imports
from softphones.models import Change, Import, Softphone
from tests.factories import make_owner, make_softphone
from tests.import_pages.conftest import BULK, as_file, page_of, press
from tests.pages.conftest import HTMX, soup, words
from tests.staffing import staff_browser

pytestmark = pytest.mark.django_db

#: A comma too many, a cell left out, a header left out: a password under another column.
SLIPPED = {
    "a comma too many": "name,owner_email,extension,sip_password,enabled\nSmith, John,,1001,s3cret-Word-77,yes\n",
    "a cell left out": "name,owner_email,extension,sip_password,enabled\nLobby,1001,s3cret-Word-77,yes\n",
    "as many cells": "name,owner_email,extension,sip_password,enabled\nSmith, John,,1001,s3cret-Word-77\n",
    "no header": "Lobby,,1001,s3cret-Word-77,yes\n",
}
DIRTY = "name,owner_email\nAlice - softphone,alice@acme.example\n,alice@acme.example\nLobby,nobody@acme.example\n"


def shown(response) -> list[str]:
    return [words(row) for row in soup(response).select("#rows tbody tr")]


def tabs(response) -> list[str]:
    return [words(tab) for tab in soup(response).select("#rows .kinds a")]


class TestTheForm:
    def test_limits_and_every_column_stand_beside_it(self, admin):
        page = words(admin.get(BULK))
        assert "2 MB and 5,000 rows" in page
        for column in imports.columns():
            assert f"{column.name} " in page
            assert str(column.explanation) in page

    def test_the_template_is_a_file_that_can_be_imported(self, admin, upload, owner):
        response = admin.get(f"{BULK}template/")
        assert 'filename="softphones.csv"' in response["Content-Disposition"]
        template = b"".join(response.streaming_content)
        batch = upload(template.replace(b"alice@example.com", b"alice@acme.example"))
        assert (batch.will, batch.errors, batch.problems) == (1, 0, [])

    def test_the_template_is_one_press_away(self, admin):
        links = [each["href"] for each in soup(admin.get(BULK)).select("a") if words(each) == "Download the template"]
        assert set(links) == {f"{BULK}template/"}

    def test_pasted_rows_are_checked_like_a_file(self, admin):
        response = admin.post(BULK, {"text": "name\textension\nLobby\t0042\n"}, follow=True)
        assert words(soup(response).h1) == "Pasted: Lobby"
        response = admin.post(BULK, {"text": "name\nHall\nDoor\nGate\n"}, follow=True)
        assert words(soup(response).h1) == "Pasted: Hall and 2 more"
        response = admin.post(BULK, {"text": "name\textension\nLobby\t0042\n"}, follow=True)
        assert shown(response) == [
            "Line 2 Lobby – 0042 Will be created Nobody owns it: it can call, but nobody can call it "
            "until a call flow points to it."
        ]

    def test_without_anything_it_says_what_to_do(self, admin):
        response = admin.post(BULK, {"text": " \n"})
        assert words(soup(response).select_one(".errorlist")) == "Choose a file, or paste rows."
        assert not Import.objects.exists()

    def test_a_file_and_rows_at_once_are_asked_about_and_the_rows_not_shown_again(self, admin):
        response = admin.post(BULK, {"file": as_file("name\nLobby\n"), "text": "name,sip_password\nLobby,s3cret-word\n"})
        assert "There are both a file and pasted rows" in words(response)
        assert "s3cret-word" not in response.content.decode()

    def test_helpdesk_finds_neither_the_form_nor_an_import(self, helpdesk, upload):
        batch = upload("name\nLobby\n")
        for address in (BULK, page_of(batch), f"{page_of(batch)}csv/", f"{BULK}template/"):
            assert helpdesk.get(address).status_code == 404
        assert helpdesk.post(BULK, {"text": "name\nLobby\n"}).status_code == 404


class TestTheCheck:
    def test_errors_come_first_each_with_line_column_value_and_what_to_do(self, admin, upload, owner):
        response = admin.get(page_of(upload(DIRTY)))
        first, second, third = shown(response)
        assert first.startswith("Line 3 – Alice Smith")
        assert "name The name is empty. Every softphone needs one." in first
        assert "owner_email Audian has nobody with the address “nobody@acme.example”. Correct it" in second
        assert "Alice - softphone" in third
        assert "Will be created" in third
        assert tabs(response) == ["All 3", "Error 2", "Will be created 1"]
        assert "2 rows have errors" in words(response)
        assert "1 softphone will be created" in words(response)

    def test_each_of_the_three_verdicts_has_its_tab_and_errors_come_first(self, admin, upload, account, owner):
        make_softphone(account, owner, name="Alice - mobile", sip_username="alice.1")
        response = admin.get(page_of(upload(f"{DIRTY}alice - MOBILE,alice@acme.example\n")))
        assert tabs(response) == ["All 4", "Error 2", "To look at 1", "Will be created 1", "Already there 1"]
        assert [row.partition(" ")[2].split()[0] for row in shown(response)] == ["3", "4", "2", "5"]
        address = page_of(Import.objects.get())
        [there] = shown(admin.get(f"{address}?show=exists"))
        assert there == "Line 5 alice - MOBILE alice.1 Alice Smith alice@acme.example – Already there"

    def test_nothing_is_asked_for(self, upload, owner):
        upload(DIRTY)
        assert not Change.objects.exists()
        assert not Softphone.objects.exists()

    def test_one_can_look_at_the_errors_alone(self, admin, upload, owner):
        address = page_of(upload(DIRTY))
        assert len(shown(admin.get(f"{address}?show=error"))) == 2
        assert len(shown(admin.get(f"{address}?show=will_create"))) == 1
        assert len(shown(admin.get(f"{address}?show=nonsense"))) == 3

    def test_a_tab_brings_the_rows_and_nothing_else(self, admin, upload, owner):
        response = admin.get(f"{page_of(upload(DIRTY))}?show=error", headers=HTMX | {"HX-Target": "rows"})
        assert soup(response).find(recursive=False)["id"] == "rows"
        assert len(shown(response)) == 2

    def test_many_rows_come_a_page_at_a_time(self, admin, upload):
        address = page_of(upload("name\n" + "".join(f"Phone {number:03}\n" for number in range(120))))
        lines, step = [], ""
        for _page in range(3):
            page = soup(admin.get(address + step))
            lines += [int(words(row.td).removeprefix("Line ")) for row in page.select("#rows tbody tr")]
            step = page.select_one("a[rel=next]")["href"].partition("#")[0].removeprefix(address) if len(lines) < 120 else ""
        assert lines == list(range(2, 122))
        assert not page.select_one("a[rel=next]")
        back = page.select_one("a[rel=prev]")["href"].partition("#")[0]
        assert len(shown(admin.get(back))) == 50

    def test_a_header_that_is_wrong_is_told_with_the_nearest_name_and_the_columns_are_explained(self, admin, upload):
        response = admin.get(page_of(upload("name;E-Mail;extension;Extension\nLobby;;1;2\n")))
        page = soup(response)
        assert "The file can’t be used as it is" in words(page)
        assert "Line 1 · E-Mail There is no column “E-Mail”. Did you mean owner_email?" in words(page)
        assert "The column extension stands there twice." in words(page)
        assert page.select_one("#columns")
        assert page.select_one("input[type=file]"), "the mended file goes in right there"
        assert not page.select("#rows"), "no row was read"
        assert not page.select("form[action$='/start/']")

    def test_what_somebody_should_look_at_has_a_choice_of_its_own(self, admin, upload, account, owner):
        make_softphone(account, owner, caller_id_number="1001")
        file = "name,owner_email,extension\nAlice - mobile,alice@acme.example,1001\nBob - mobile,,\n"
        response = admin.get(f"{page_of(upload(file))}?show=notices")
        assert "To look at 2" in tabs(response)
        assert "owner_email Alice Smith has a softphone already." in words(response)
        assert "extension “Alice Smith - softphone” has the extension 1001 already." in words(response)
        assert "Leave out the 1 row whose person has a softphone already" in words(response)

    def test_where_all_is_there_there_is_nothing_to_start(self, admin, upload, account, owner):
        make_softphone(account, owner, name="Alice - softphone")
        response = admin.get(page_of(upload("name,owner_email\nalice - SOFTPHONE,Alice@acme.example\n")))
        assert "Nothing to start" in words(response)
        assert "All of it is there already." in words(response)
        assert not soup(response).select("form[action$='/start/']")

    def test_a_password_of_the_file_stands_nowhere(self, admin, upload):
        batch = upload("name,sip_password\nLobby,s3cret-word\nHall,s3c\n")
        for address in (page_of(batch), BULK, f"{page_of(batch)}csv/"):
            response = admin.get(address)
            content = b"".join(response.streaming_content) if response.streaming else response.content
            assert b"s3c" not in content

    @pytest.mark.parametrize("slip", SLIPPED)
    def test_a_password_that_slipped_stands_nowhere_either(self, admin, slip):
        response = admin.post(BULK, {"text": SLIPPED[slip]}, follow=True)
        page = response.redirect_chain[-1][0]
        content = [response.content, *(admin.get(each).content for each in (BULK, f"{page}?show=error"))]
        content += admin.get(f"{page}csv/").streaming_content
        assert b"s3cret-Word-77" not in b"".join(content)

    def test_which_cells_have_to_be_typed_again_is_said(self, admin, upload):
        response = admin.get(page_of(upload(SLIPPED["a cell left out"])))
        [row] = shown(response)
        assert row.startswith("Line 2 Lobby 1001 … Error This row has 4 cells, but the header names 5 columns.")
        assert row.endswith("so they are shown as “…”; type them again: extension.")

    def test_rows_without_a_header_are_told_so_in_one_sentence(self, admin):
        response = admin.post(BULK, {"text": SLIPPED["no header"]}, follow=True)
        [fault] = soup(response).select(".faults li")
        assert words(fault).startswith("Line 1 The first row names none of our columns. Put a row above it that says which")
        assert soup(response).select_one("#columns a[href$='/template/']")

    def test_an_import_of_another_account_is_not_there(self, admin, upload, mallory):
        batch = upload("name\nLobby\n")
        elsewhere = staff_browser(mallory.memberships.get().account, "admin", "eve@evil.example")
        evil = page_of(batch).replace("acme", "evil")
        assert elsewhere.get(evil).status_code == 404
        for verb in ("start", "pause", "resume", "cancel", "again", "undo", "mails"):
            assert elsewhere.post(f"{evil}{verb}/").status_code == 404
        assert Import.objects.get().state == "checked"


class TestMending:
    def test_the_marked_up_file_says_behind_each_row_what_to_change(self, admin, upload, owner):
        response = admin.get(f"{page_of(upload(DIRTY, 'new starters.xlsx.csv'))}csv/")
        assert "new%20starters" in response["Content-Disposition"] or "new starters" in response["Content-Disposition"]
        text = b"".join(response.streaming_content).decode("utf-8-sig")
        rows = {row["name"]: row for row in csv.DictReader(io.StringIO(text))}
        assert {name: row["status"] for name, row in rows.items()} == {
            "Alice - softphone": "will_create",
            "": "error",
            "Lobby": "error",
        }
        assert "Audian has nobody with the address" in rows["Lobby"]["message"]

    def test_the_mended_file_takes_the_place_of_the_one_with_errors(self, upload, owner):
        broken = upload(DIRTY)
        mended = upload(DIRTY.replace("\n,alice", "\nAlice 2,alice").replace("nobody@", "alice@"), instead_of=broken.pk)
        assert (mended.errors, mended.will) == (0, 3)
        assert list(Import.objects.all()) == [mended]

    def test_one_that_was_started_stays(self, admin, upload, started):
        running = started()
        upload("name\nLobby\n", instead_of=running.pk)
        running.refresh_from_db()
        assert running.state in ("starting", "started")

    def test_one_of_another_account_stays(self, upload, mallory):
        account = mallory.memberships.get().account
        theirs = Import.objects.create(account=account, name="theirs.csv", created_at=account.created_at)
        upload("name\nLobby\n", instead_of=theirs.pk)
        assert Import.objects.filter(pk=theirs.pk).exists()

    def test_the_same_file_from_two_tabs_is_one_import(self, upload):
        assert upload("name\nLobby\n") == upload("name\nLobby\n", "copy.csv")

    def test_a_file_that_runs_already_leads_to_where_it_is(self, admin, started):
        batch = started(1)
        response = admin.post(BULK, {"file": as_file("name\nPhone 0\n")}, follow=True)
        assert response.redirect_chain[-1][0] == page_of(batch)
        assert "This file is being imported already." in words(response)

    def test_what_is_not_wanted_is_dropped(self, admin, upload):
        batch = upload("name\nLobby\n")
        response = press(admin, admin.get(page_of(batch)), "Drop this")
        assert "phones.csv is dropped. Nothing was changed." in words(response)
        assert not Import.objects.exists()


def test_an_address_that_two_people_share_is_decided_by_their_id(admin, upload, account):
    two = [make_owner(account, "desk@acme.example", name=name) for name in ("Front Desk", "Back Desk")]
    response = admin.get(page_of(upload("name,owner_email\nDesk,desk@acme.example\n")))
    assert "2 people have the address “desk@acme.example”" in words(response)
    for owner in two:
        assert owner.audian_id in words(response)
    mended = upload(f"name,owner_email,owner_id\nDesk,desk@acme.example,{two[1].audian_id}\n")
    assert (mended.errors, mended.rows.get().owner) == (0, two[1])


def test_a_page_costs_the_same_for_few_rows_and_for_many(admin, upload, account, django_assert_max_num_queries):
    def file(count: int) -> str:
        owners = [make_owner(account, f"o{count}.{number}@acme.example") for number in range(count)]
        return "name,owner_email\n" + "".join(f"Phone {count}.{each.pk},{each.email}\n" for each in owners)

    few, many = upload(file(1)), upload(file(120))
    admin.get(page_of(few))
    for batch in (few, many):
        with django_assert_max_num_queries(24):
            admin.get(page_of(batch))
        with django_assert_max_num_queries(15):
            admin.get(BULK)
