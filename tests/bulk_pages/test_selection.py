"""Choosing softphones in the list, and what is to be done with them."""

import pytest

from softphones import search
from softphones.models import Account, Change, Import
from tests.bulk_pages.conftest import names
from tests.factories import make_owner, make_softphone
from tests.pages.conftest import HTMX, soup, words

LIST, BULK = "/acme/softphones/", "/acme/softphones/selected/"


@pytest.fixture
def phones(account):
    found = [make_softphone(account, name=f"Phone {number}", enabled=number != 2) for number in range(4)]
    search.add(account, found)
    return found


def keys(phones) -> list[int]:
    return [phone.pk for phone in phones]


def chosen_in(page) -> dict:
    """What the list's form would send as it stands, without the act."""
    sent = {}
    for field in page.select("form.choosing input[name]"):
        if field.get("type") != "checkbox":
            sent.setdefault(field["name"], []).append(field.get("value", ""))
    return sent


ACTS = ["enable", "disable", "reset", "send_links", "delete"]


@pytest.mark.parametrize("kind", ACTS)
def test_an_act_on_ticked_softphones_is_shown_before_anything_happens(admin, phones, the_import, kind):
    sent = chosen_in(soup(admin.get(LIST)))
    batch = the_import(admin.post(BULK, sent | {"pick": keys(phones[:2]), "kind": kind}))
    assert (batch.kind, batch.state, batch.asked_by) == (kind, "checked", admin.user)
    assert names(batch) == ["Phone 0", "Phone 1"]
    assert not Change.objects.exists()


def test_the_list_offers_each_act_and_a_tick_box_for_each_softphone(admin, phones):
    form = soup(admin.get(LIST)).select_one("form.choosing")
    assert form["action"] == BULK
    assert [int(box["value"]) for box in form.select("tbody input[name=pick]")] == keys(phones)
    assert form.select_one("tbody input[name=pick]")["aria-label"] == "Select Phone 0"
    assert {button["value"] for button in form.select("button[name=kind]")} == set(ACTS)


def test_a_person_whom_audian_does_not_know_is_not_shown_as_an_id(admin, account, the_import):
    phone = make_softphone(account, owner_audian_id="f" * 32)
    batch = the_import(admin.post(BULK, {"pick": phone.pk, "kind": "disable"}))
    row = words(soup(admin.get(f"/acme/imports/{batch.pk}/")).select_one("td.person"))
    assert row == "Unknown at Audian"


def test_helpdesk_chooses_nothing_in_the_list(helpdesk, phones):
    page = soup(helpdesk.get(LIST))
    assert not page.select("form.choosing, input[name=pick], .pick")
    assert helpdesk.post(BULK, {"pick": keys(phones), "kind": "delete"}).status_code == 404


def test_what_is_gone_can_not_be_ticked(admin, account, phones):
    gone = make_softphone(account, name="Gone", gone_at="2026-01-01T00:00Z")
    assert not soup(admin.get(f"{LIST}?state=gone")).select("form.choosing, input[name=pick]")
    admin.post(BULK, {"pick": [gone.pk], "kind": "delete"})
    assert not Import.objects.exists()


def test_softphones_ticked_on_other_pages_come_along(admin, phones, the_import):
    elsewhere = ",".join(map(str, keys(phones[2:])))
    batch = the_import(admin.post(BULK, {"pick": [elsewhere, phones[0].pk], "kind": "reset"}))
    assert names(batch) == ["Phone 0", "Phone 2", "Phone 3"]


def test_all_that_the_list_finds_is_more_than_its_page(admin, account, the_import):
    for number in range(60):
        make_softphone(account, name=f"Phone {number:02}", enabled=number % 2 == 0)
    page = soup(admin.get(f"{LIST}?state=enabled&order=-name"))
    assert not page.select("input[name=all]"), "all of 30 are on the page"
    page = soup(admin.get(f"{LIST}?order=-name"))
    assert page.select_one("input[name=all]")
    sent = chosen_in(page)
    assert len(names(the_import(admin.post(BULK, sent | {"all": "1", "kind": "reset"})))) == 60
    sent = chosen_in(soup(admin.get(f"{LIST}?state=disabled")))
    assert len(names(the_import(admin.post(BULK, sent | {"all": "1", "kind": "enable"})))) == 30


def test_how_many_the_list_finds_is_told_when_somebody_wants_them_all(admin, account):
    for number in range(60):
        make_softphone(account, name=f"Phone {number}", enabled=number > 3)
    counting = HTMX | {"HX-Target": "matching"}
    assert words(admin.get(f"{LIST}?state=enabled", headers=counting)) == "All 56 that the list finds, on every page"


def test_all_of_a_search_that_tells_not_all_is_refused(admin, account, phones, monkeypatch):
    monkeypatch.setattr(search, "MOST", 2)
    page = soup(admin.get(f"{LIST}?text=phone"))
    assert not page.select("input[name=all]")
    response = admin.post(BULK, {"all": "1", "here": "text=phone", "kind": "delete"}, follow=True)
    assert "More are found than shown" in words(response)
    assert not Import.objects.exists()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"kind": "delete"}, "No softphone is ticked."),
        ({"kind": "delete", "pick": "x,-1,,1e3,99999999999999999999999"}, "No softphone is ticked."),
        ({"kind": "delete", "pick": "999999"}, "not there any more"),
        ({"pick": "1"}, "Choose what to do"),
        ({"pick": "1", "kind": "create"}, "Choose what to do"),
    ],
)
def test_what_makes_no_sense_leads_back_to_the_list_and_says_why(admin, phones, sent, said):
    response = admin.post(BULK, {"here": "state=enabled&order=-name"} | sent, follow=True)
    assert response.redirect_chain == [(f"{LIST}?state=enabled&order=-name", 302)]
    assert said in words(response)
    assert not Import.objects.exists()


def test_more_than_one_piece_of_bulk_work_takes_is_refused(admin, phones, monkeypatch):
    monkeypatch.setattr("softphones.bulk_forms.MOST", 3)
    response = admin.post(BULK, {"all": "1", "kind": "delete"}, follow=True)
    assert "At most" in words(response)
    assert not Import.objects.exists()


def test_a_softphone_of_another_account_is_never_chosen(admin, mallory, phones, the_import):
    theirs = make_softphone(Account.objects.get(slug="evil"), name="Theirs")
    assert names(the_import(admin.post(BULK, {"pick": [theirs.pk, phones[0].pk], "kind": "delete"}))) == ["Phone 0"]
    response = admin.post(BULK, {"pick": [theirs.pk], "kind": "delete"}, follow=True)
    assert "Theirs" not in words(response)
    assert Import.objects.count() == 1


def test_the_way_back_leads_nowhere_else(admin, phones):
    response = admin.post(BULK, {"here": "//evil.example/?x=\r\nSet-Cookie: a=b"})
    assert response["Location"].startswith(f"{LIST}?")
    assert "\n" not in response["Location"]


def test_the_same_choice_pressed_twice_is_one_piece_of_bulk_work(admin, phones, the_import):
    sent = {"pick": keys(phones), "kind": "delete"}
    assert the_import(admin.post(BULK, sent)) == the_import(admin.post(BULK, sent))


def test_owners_and_addresses_are_not_fetched_one_by_one(admin, account, django_assert_max_num_queries):
    picked = [make_softphone(account, make_owner(account, f"p{n}@acme.example"), name=f"P{n}").pk for n in range(40)]
    with django_assert_max_num_queries(45):
        admin.post(BULK, {"pick": picked, "kind": "disable"})
