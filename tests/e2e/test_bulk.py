"""An admin chooses many: softphones over pages and searches, people who get one, and the paper for them."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from softphones import changes, imports, search
from softphones.models import Account, Import
from tests.factories import make_owner, make_softphone, make_user
from tests.staffing import signed_in_as_staff

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def comes_in(visitor, portal, settings):
    """An admin at a browser of this kind, signed in with their second factor."""
    adam = make_user("adam@acme.example", account=portal, role="admin", name="Adam Admin")

    def come_in(*args, **options):
        admin = visitor(*args, **options)
        session = signed_in_as_staff(adam).session.session_key
        admin.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": admin.url}])
        return admin

    return come_in


@pytest.fixture
def phones(portal):
    """Sixty of them, which fill a page and more, and those of the seed."""
    found = [make_softphone(portal, name=f"Zone {number:02}", sip_username=f"zone{number:02}") for number in range(60)]
    search.add(portal, found)
    return found


def picks(page):
    return page.locator("tbody input[name=pick]")


def test_what_is_ticked_stays_so_over_pages_and_searches(comes_in, portal, phones):
    admin = comes_in()
    page = admin.page
    bar = page.locator(".chosen")
    page.goto("/acme/softphones/?order=-name")
    expect(bar).to_be_hidden()
    picks(page).nth(0).check()
    picks(page).nth(3).click(modifiers=["Shift"])
    expect(bar).to_contain_text("4 selected")
    admin.is_accessible()
    admin.fits()

    page.get_by_label("Find", exact=True).fill("zone 07")
    expect(picks(page)).to_have_count(1)
    picks(page).check()
    expect(bar).to_contain_text("5 selected, 4 of them on other pages")
    page.go_back()
    expect(bar).to_contain_text("5 selected, 1 of them on other pages")
    expect(page.get_by_role("heading", name="Softphones")).to_be_visible()
    expect(page.get_by_label("Find", exact=True)).to_have_value("")
    page.wait_for_load_state()  # Back loaded it anew: until then nothing hears the filter
    page.get_by_label("State").select_option("disabled")
    expect(picks(page)).to_have_count(0)
    page.goto("/acme/softphones/")
    expect(page.get_by_label("Select Zone 07")).to_be_checked()
    expect(bar).to_contain_text("5 selected, 4 of them on other pages")
    page.get_by_label("Select Alice").check()
    page.keyboard.press("Enter")
    expect(bar.get_by_role("button", name="Send set-up links")).to_be_focused()
    bar.get_by_role("button", name="New passwords").click()
    page.wait_for_url("**/imports/*/")
    chosen = sorted(row.values["name"] for row in Import.objects.get().rows.all())
    assert chosen == ["Alice Smith - softphone", "Zone 07", *(f"Zone {number}" for number in range(56, 60))]

    page.go_back()
    expect(bar).to_contain_text("6 selected")
    page.goto("/acme/softphones/")
    expect(picks(page).first).to_be_visible()
    expect(bar).to_be_hidden()


def test_a_whole_list_is_chosen_and_let_go(comes_in, portal, phones):
    page = comes_in("phone", "dark").page
    bar = page.locator(".chosen")
    page.goto("/acme/softphones/?text=zone")
    page.get_by_label("Select all on this page").check()
    expect(bar).to_contain_text("50 selected")
    bar.get_by_label("All 60 that the list finds").check()
    expect(bar).to_contain_text("60 selected")
    picks(page).nth(1).uncheck()
    expect(bar).to_contain_text("49 selected")
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    page.get_by_label("Select all on this page").check()
    bar.get_by_label("All 60 that the list finds").check()
    bar.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/imports/*/")
    assert Import.objects.get().rows.count() == 60


def test_people_without_a_script_get_softphones_and_each_a_sheet_of_paper(comes_in, portal):
    names = ["Ann", "Ben", "Cem", "Dörte Maximiliane von und zu Hohenstaufen-Wittelsbach-Sachsen-Coburg und Gotha zu Eberstein"]
    people = [make_owner(portal, f"p{number}@acme.example", name=name) for number, name in enumerate(names)]
    search.add(portal, people)
    admin = comes_in("phone", java_script_enabled=False)
    page = admin.page
    page.goto("/acme/imports/people/")
    page.get_by_label("Find a person").fill("acme")
    page.keyboard.press("Enter")
    for name in names:
        page.get_by_label(name).check()
    page.get_by_role("button", name="See what is made").click()
    page.wait_for_url("**/imports/*/")
    batch = Import.objects.get()
    imports.start(batch=batch, by=batch.asked_by, now=timezone.now())
    imports.go_on(batch=batch, now=timezone.now())
    changes.drain(account=portal, seconds=10)

    admin = comes_in("computer", "dark")
    page = admin.page
    for app in ("", "zoiper-desktop"):  # the shortest way, and the longest
        Account.objects.update(recommended_app=app)
        page.goto(f"/acme/imports/{batch.pk}/handouts/")
        expect(page.locator(".sheet")).to_have_count(len(names))
        for paper in ("A4", "Letter"):
            assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper))) == len(names)
    admin.is_accessible()
    admin.fits()
