"""`/<account>/people/`: finding somebody, and who may look."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from softphones import search
from tests.factories import make_owner, make_softphone, make_user
from tests.pages.conftest import HTMX, soup, words
from tests.staffing import signed_in_as_staff


@pytest.fixture
def bobs_owner(account):
    owner = make_owner(account, "bob@acme.example", name="Bob Jones", number="1002")
    search.add(account, [owner])
    return owner


def hits(response) -> list[str]:
    return [words(each) for each in soup(response).select("[data-hit]")]


def test_everybody_is_listed_with_number_masked_address_and_light(helpdesk, alices_phone, bobs_owner):
    assert hits(helpdesk.get("/acme/people/")) == [
        "Alice Smith 1001 · a•••e@acme.example Not seen lately",
        "Bob Jones 1002 · •••@acme.example No phone",
    ]


def test_a_search_tells_who_matches_and_keeps_what_was_typed(helpdesk, account, alices_phone, bobs_owner):
    for name in ("Bobby Tables", "Bob Ross"):
        search.add(account, [make_owner(account, name=name, number="")])
    page = helpdesk.get("/acme/people/?q=bob")
    assert hits(page)[0].startswith("Bob Jones")
    assert len(hits(page)) == 3
    assert "3 matches" in words(page)
    assert soup(page).select_one("#find")["value"] == "bob"


def test_enter_on_one_match_leads_to_the_person(helpdesk, alices_phone, alices_owner, bobs_owner):
    assert helpdesk.get("/acme/people/?q=alice+laptop")["Location"] == f"/acme/people/{alices_owner.pk}/"


def test_while_typing_only_the_matches_are_sent(helpdesk, alices_phone):
    part = helpdesk.get("/acme/people/?q=ali", headers=HTMX)
    assert part.status_code == 200
    assert soup(part).select_one("#found")
    assert not soup(part).select("header, form")


def test_a_phone_without_a_person_is_found_and_has_a_page(helpdesk, account, alices_phone):
    phone = make_softphone(account, name="Meeting room 7", caller_id_number="")
    search.add(account, [phone])
    address = helpdesk.get("/acme/people/?q=meeting")["Location"]
    assert address == f"/acme/softphones/{phone.pk}/"
    assert "Meeting room 7 This softphone belongs to nobody" in words(soup(helpdesk.get(address)).main)


def test_nobody_found_says_what_can_be_looked_for(helpdesk, alices_phone):
    assert "Nobody is found by “zzz”" in words(helpdesk.get("/acme/people/?q=zzz"))


def test_more_matches_than_one_search_tells_are_named(helpdesk, account):
    search.add(account, [make_owner(account, name=f"Alice {number:03}") for number in range(203)])
    page = helpdesk.get("/acme/people/?q=alice")
    assert "The first 200 matches. Type more to narrow it down." in words(page)
    assert len(hits(page)) == 50
    everybody = helpdesk.get(f"/acme/people/{soup(page).find('a', string='Show all 200')['href']}")
    assert len(hits(everybody)) == 200
    assert hits(everybody)[:50] == hits(page)


def test_the_list_costs_as_many_queries_for_one_as_for_a_page(helpdesk, account, alices_phone):
    address = "/acme/people/?q=alice"
    search.add(account, [make_owner(account, name="Alice the second")])

    before = _queries(helpdesk, address)
    for number in range(30):
        owner = make_owner(account, name=f"Alice {number}")
        search.add(account, [owner])
        make_softphone(account, owner)
    assert _queries(helpdesk, address) == before


def _queries(client, address) -> int:
    with CaptureQueriesContext(connection) as found:
        assert client.get(address).status_code == 200
    return len(found)


ADDRESSES = [
    "people/",
    "people/{owner}/",
    "leavers/",
    "softphones/{phone}/",
    "softphones/{phone}/reset/",
    "softphones/{phone}/off/",
]
ACTS = ["softphones/{phone}/send/", "softphones/{phone}/on/", "softphones/{phone}/links/revoke/"]


@pytest.mark.parametrize("address", ADDRESSES + ACTS)
def test_only_staff_of_the_account_may(client, signed_in, alice, bob, mallory, alices_phone, alices_owner, address):
    path = "/acme/" + address.format(owner=alices_owner.pk, phone=alices_phone.pk)
    method = "post" if address in ACTS else "get"
    assert getattr(client, method)(path)["Location"].startswith("/sign-in/")
    for person in (alice, bob, mallory):
        assert getattr(signed_in(person), method)(path).status_code == 404
    elsewhere = signed_in_as_staff(make_user("eve@evil.example", account=mallory.memberships.get().account, role="admin"))
    assert getattr(elsewhere, method)(path).status_code == 404
    assert getattr(elsewhere, method)(path.replace("/acme/", "/evil/")).status_code == (
        200 if address in ("people/", "leavers/") else 404
    )
    without_factor = signed_in(make_user("new@acme.example", account=alices_owner.account, role="admin"))
    assert "/second-factor/" in getattr(without_factor, method)(path)["Location"]
