"""An admin with a dirty spreadsheet: checked, mended from the marked-up copy, started, watched, and done."""

import csv
import io

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from softphones import changes, imports
from softphones.models import Change, Import, Softphone
from tests.e2e.test_behaviour import TOO_SMALL
from tests.factories import make_owner, make_softphone, make_user
from tests.staffing import signed_in_as_staff

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PEOPLE = 25


@pytest.fixture
def admin(visitor, portal):
    """Adam's browser: at a computer, or where told."""

    def make(*where):
        adam = make_user("adam@acme.example", account=portal, role="admin", name="Adam Admin")
        admin = visitor(*where)
        session = signed_in_as_staff(adam).cookies["session"].value
        admin.context.add_cookies([{"name": "session", "value": session, "url": admin.url}])
        admin.user = adam
        return admin

    return make


def dirty(portal) -> str:
    """A spreadsheet of many people with what goes wrong in spreadsheets."""
    owners = [make_owner(portal, f"p{n}@new.example", name=f"Person {n:02}", number=str(2000 + n)) for n in range(PEOPLE)]
    rows = [[owner.name, owner.email, owner.number] for owner in owners]
    rows[3][1] = "p3@nwe.example"
    rows[7][0] = ""
    rows[9][0] = "'t Hooft"
    rows[11][0] = "=Person()"
    rows[20][0] = "n" * 129
    return "Name;Owner Email;Extension\r\n" + "".join(";".join(row) + "\r\n" for row in rows)


def looks_right(admin):
    admin.is_accessible()
    admin.fits()
    assert admin.page.evaluate(TOO_SMALL) == []
    usual = admin.page.viewport_size
    admin.page.set_viewport_size({"width": 320, "height": 256})  # 1280 px at 400 %
    admin.fits()
    admin.page.set_viewport_size(usual)


def test_a_dirty_file_is_mended_from_its_marked_up_copy_and_finishes(admin, portal, tmp_path):
    adam = admin()
    page = adam.page
    file = tmp_path / "new starters.csv"
    file.write_text(dirty(portal), encoding="cp1252")
    page.goto("/acme/")
    page.get_by_role("link", name="Bulk").click()
    looks_right(adam)
    page.get_by_label("CSV or Excel file").set_input_files(file)
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_role("heading", name="3 rows have errors")).to_be_visible()
    expect(page.get_by_role("heading", name="22 softphones will be created")).to_be_visible()
    expect(page.locator("#rows tbody tr").first).to_contain_text("p3@nwe.example")
    looks_right(adam)
    page.get_by_role("link", name="Error 3").click()
    expect(page.locator("#rows tbody tr")).to_have_count(3)
    page.go_back()
    expect(page.locator("#rows tbody tr")).to_have_count(PEOPLE)

    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    page.get_by_label("CSV or Excel file").set_input_files(mended(download.value.path(), tmp_path))
    page.get_by_role("button", name="Check the mended file").click()
    expect(page.get_by_role("heading", name="25 softphones will be created")).to_be_visible()
    expect(page.get_by_role("heading", name="have errors")).to_have_count(0)
    looks_right(adam)

    page.get_by_role("button", name="Create 25 softphones").dblclick()
    expect(page.get_by_role("heading", name="Under way")).to_be_visible()
    looks_right(adam)
    while changes.drain(account=portal, seconds=5).more:
        pass
    expect(page.get_by_role("heading", name="Finished")).to_be_visible()
    expect(page.locator("#live")).to_contain_text("25")
    expect(page.locator("#say")).to_contain_text("Finished: 25 done, 0 failed.")
    looks_right(adam)
    names = set(Softphone.objects.exclude(audian_id=None).values_list("name", flat=True))
    assert {"'t Hooft", "=Person()", "Person 03", "Person 24"} <= names
    assert Import.objects.count() == 1


def mended(path, folder):
    """The marked-up copy as somebody saves it who did what its remarks say."""
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    header, wrong = rows[0], [row for row in rows if row[rows[0].index("status")] == "error"]
    assert len(wrong) == 3
    assert all(row[header.index("message")] for row in wrong)
    wrong[0][header.index("owner_email")] = "p3@new.example"
    wrong[1][header.index("name")] = "Person 07"
    wrong[2][header.index("name")] = "Person 20"
    file = folder / "mended.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out, delimiter=";").writerows(rows)
    return file


def test_a_long_one_is_paused_looked_at_and_cancelled_while_the_page_moves(admin, portal):
    adam = admin("phone", "dark")
    page = adam.page
    page.goto("/acme/imports/")
    looks_right(adam)
    page.get_by_text("Paste rows instead").click()
    page.get_by_label("Rows, with their header").fill("name\n" + "".join(f"Phone {n}\n" for n in range(30)))
    page.get_by_role("button", name="Check the file").click()
    page.get_by_role("button", name="Create 30 softphones").click()
    expect(page.get_by_role("heading", name="Under way")).to_be_visible()
    page.get_by_text("Cancel the rest").first.click()
    Change.objects.filter(softphone__name="Phone 0").update(state="done", finished_at=timezone.now())
    expect(page.locator(".facts div", has_text="created")).to_contain_text("1")
    # The numbers moved, and what was just opened is still open.
    expect(page.get_by_role("button", name="Cancel the rest")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", name="Paused")).to_be_visible()
    looks_right(adam)
    page.get_by_role("link", name="See all rows").click()
    page.get_by_role("link", name="Waiting 29").click()
    expect(page.locator("#rows tbody tr")).to_have_count(29)
    page.get_by_text("Cancel the rest").first.click()
    page.get_by_role("button", name="Cancel the rest").click()
    expect(page.get_by_role("heading", name="The rest was cancelled")).to_be_visible()
    expect(page.locator(".facts div", has_text="not done")).to_contain_text("29")
    looks_right(adam)


def test_many_that_are_connected_are_deleted_by_the_number_from_the_keyboard_alone(admin, portal):
    adam = admin("computer", "dark")
    page = adam.page
    phones = [
        make_softphone(portal, name=f"Old {number}", registered=number < 4, seen_at=timezone.now()) for number in range(12)
    ]
    batch = imports.act_on(account=portal, softphones=phones, kind="delete", by=adam.user, now=timezone.now())
    page.goto(f"/acme/imports/{batch.pk}/")
    expect(page.get_by_text("will be cut off")).to_be_visible()
    looks_right(adam)
    page.get_by_label("Type 12 to confirm").press("Enter")
    expect(page.get_by_text("Type the number 12 to confirm.")).to_be_visible()
    looks_right(adam)
    page.get_by_label("Type 12 to confirm").fill("12")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Under way")).to_be_visible()
