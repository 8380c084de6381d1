"""Softphones for people whom Audian knows and who have none."""

import pytest
from django.utils import timezone

from softphones import changes, search
from softphones.models import Account, Change, Import, Softphone
from tests.bulk_pages.conftest import names
from tests.factories import make_owner, make_softphone
from tests.pages.conftest import HTMX, soup, words

PEOPLE = "/acme/imports/people/"


@pytest.fixture
def people(account, mirrored):
    found = [make_owner(account, f"{name.lower()}@acme.example", name=name) for name in ("Ann", "Ben", "Cem")]
    search.add(account, found)
    return found


def listed(response) -> list[str]:
    return [words(person) for person in soup(response).select(".picks strong")]


def test_those_without_a_softphone_are_listed(admin, account, people):
    make_softphone(account, people[1])
    make_owner(account, name="Off", enabled=False)
    make_owner(account, name="Gone", gone_at=timezone.now())
    make_owner(Account.objects.create(slug="other", audian_id="f" * 32), name="Of another account")
    assert listed(admin.get(PEOPLE)) == ["Ann", "Cem"]


def test_ticked_people_get_one_each_after_a_preview(admin, people, the_import):
    batch = the_import(admin.post(PEOPLE, {"pick": [people[0].pk, people[2].pk]}))
    assert (batch.kind, batch.state, batch.will) == ("create", "checked", 2)
    assert names(batch) == ["Ann - softphone", "Cem - softphone"]
    assert not Change.objects.exists()
    assert not Softphone.objects.exists()


def test_all_that_the_search_finds_get_one(admin, account, people, the_import):
    batch = the_import(admin.post(PEOPLE, {"all": "1", "here": "text=ben"}))
    assert names(batch) == ["Ben - softphone"]
    assert batch.rows.get().values["owner_id"] == people[1].audian_id
    assert the_import(admin.post(PEOPLE, {"all": "1"})).will == 3


def test_somebody_who_got_one_meanwhile_is_not_chosen(admin, account, people, the_import):
    make_softphone(account, people[0])
    assert names(the_import(admin.post(PEOPLE, {"pick": [people[0].pk, people[1].pk]}))) == ["Ben - softphone"]
    response = admin.post(PEOPLE, {"pick": [people[0].pk]}, follow=True)
    assert "not there any more" in words(response)


def test_a_softphone_on_its_way_counts_and_one_that_could_not_be_made_does_not(admin, account, people):
    wishes = [changes.create(account=account, name="X", owner=each, by=None, now=timezone.now()) for each in people[:2]]
    assert listed(admin.get(PEOPLE)) == ["Cem"]
    Change.objects.filter(pk=wishes[0].pk).update(state=Change.State.FAILED)
    assert listed(admin.get(PEOPLE)) == ["Ann", "Cem"]


def test_one_that_is_just_being_deleted_does_not_count(admin, account, people):
    phone = make_softphone(account, people[0])
    assert listed(admin.get(PEOPLE)) == ["Ben", "Cem"]
    changes.delete(softphone=phone, by=None, now=timezone.now())
    assert listed(admin.get(PEOPLE)) == ["Ann", "Ben", "Cem"]


@pytest.mark.parametrize("how", ["linked", "same address"])
def test_nobody_gives_a_phone_to_themselves(admin, account, people, the_import, how):
    address = {"linked": "other@acme.example", "same address": admin.user.email}[how]
    me = make_owner(account, address, name="Me", user=admin.user if how == "linked" else None)
    row = next(row for row in soup(admin.get(PEOPLE)).select(".picks li") if "Me" in words(row))
    assert row.input.has_attr("disabled")
    assert "another admin" in words(row)
    assert the_import(admin.post(PEOPLE, {"all": "1"})).will == 3
    admin.post(PEOPLE, {"pick": [me.pk]})
    assert Import.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [("an", ["Ann"]), ("acme", ["Ann", "Ben", "Cem"]), ("ann cem", []), ("1001", ["Ann", "Ben", "Cem"]), ("%", []), ("\0", [])],
)
def test_the_search_finds_by_the_beginnings_of_words(admin, people, text, found):
    assert listed(admin.get(PEOPLE, {"text": text})) == found


def test_who_can_not_sign_in_or_has_no_number_is_told_so(admin, account, mirrored):
    make_owner(account, name="Nameless", number="")
    row = words(soup(admin.get(PEOPLE)).select_one(".picks li"))
    assert "no number" in row
    assert "no e-mail address" in row


def test_the_list_pages_by_key_with_the_same_few_queries(admin, account, people, django_assert_num_queries):
    with django_assert_num_queries(13):
        admin.get(PEOPLE)
    for number in range(120):
        make_owner(account, f"z{number}@acme.example", name=f"Z {number // 2:03}")
    seen, address = [], PEOPLE
    while address:
        with django_assert_num_queries(13):
            response = admin.get(address)
        seen += [int(box["value"]) for box in soup(response).select(".picks input")]
        link = soup(response).select_one("a[rel=next]")
        address = f"{PEOPLE}{link['href']}" if link else None
    assert len(seen) == len(set(seen)) == 123


def test_htmx_gets_the_list_or_the_number_alone(admin, account, people):
    assert not soup(admin.get(PEOPLE, headers=HTMX)).find("header")
    make_owner(account, admin.user.email, name="Me")
    counted = admin.get(PEOPLE, {"text": ""}, headers=HTMX | {"HX-Target": "matching"})
    assert words(counted) == "All 3 that the list finds, on every page"


@pytest.mark.parametrize(("text", "said"), [("", "Everybody has a softphone"), ("zzz", "found by “zzz”")])
def test_an_empty_list_says_why(admin, account, people, text, said):
    for person in people:
        make_softphone(account, person)
    assert said in words(admin.get(PEOPLE, {"text": text}))


def test_before_the_first_look_at_audian_the_list_says_so(admin):
    assert "Nothing has been read from Audian yet" in words(admin.get(PEOPLE))


def test_nobody_ticked_leads_back_to_the_search(admin, people):
    response = admin.post(PEOPLE, {"here": "text=ann"}, follow=True)
    assert response.redirect_chain == [(f"{PEOPLE}?text=ann", 302)]
    assert "Nobody is ticked." in words(response)


def test_helpdesk_makes_none(helpdesk, people):
    assert helpdesk.get(PEOPLE).status_code == 404
    assert helpdesk.post(PEOPLE, {"all": "1"}).status_code == 404


def test_the_way_there_begins_where_one_softphone_is_made_and_where_there_is_none(admin, helpdesk, account, mirrored):
    for address in ("/acme/softphones/new/", "/acme/softphones/", "/acme/imports/"):
        assert soup(admin.get(address)).select(f"a[href='{PEOPLE}']"), address
    assert not soup(helpdesk.get("/acme/softphones/")).select(f"a[href='{PEOPLE}']")
