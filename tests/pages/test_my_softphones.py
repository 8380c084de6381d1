"""`/`: my softphones, and an honest page for everybody who has none to show."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones.models import Membership, Owner, Softphone, SyncRun
from tests.factories import make_owner, make_softphone, make_user
from tests.pages.conftest import HTMX, soup, words


def page_of(client) -> str:
    response = client.get("/")
    assert response.status_code == 200
    assert "helpdesk@acme.example" in words(response), "the page has to name the helpdesk"
    return words(response)


def heading(client) -> str:
    return words(soup(client.get("/")).h1)


def test_each_of_my_phones_has_its_name_number_light_and_a_way_to_set_it_up(signed_in, alice, alices_phone, mirrored):
    page = soup(signed_in(alice).get("/"))
    phone = page.select_one("li.phone")
    assert words(phone.h2) == "Alice Smith - softphone"
    assert "Extension 1001" in words(phone)
    assert "Looking…" in words(phone)
    assert [link["href"] for link in phone.select("a.button")] == [f"/softphones/{alices_phone.pk}/"]


def test_phones_of_others_are_not_there(signed_in, account, alice, alices_phone, bob, mirrored):
    make_softphone(account, make_owner(account, "bob@acme.example", user=bob), name="Bob's own")
    assert "Bob's own" not in page_of(signed_in(alice))


@pytest.mark.parametrize(
    ("registered", "says"), [(True, "Connected since"), (False, "Not connected"), (None, "Last seen not connected")]
)
def test_the_light_says_what_was_seen_a_moment_ago(signed_in, alice, alices_phone, mirrored, registered, says):
    now = timezone.now()
    Softphone.objects.update(registered=registered, registered_since=now - timedelta(hours=2), seen_at=now)
    assert says in page_of(signed_in(alice))


def test_what_was_seen_long_ago_is_not_sold_as_the_present(signed_in, alice, alices_phone, mirrored):
    Softphone.objects.update(registered=True, seen_at=timezone.now() - timedelta(hours=5))
    page = page_of(signed_in(alice))
    assert "Last seen connected" in page
    assert "Connected since" not in page


def test_a_phone_that_is_switched_off_says_so(signed_in, alice, alices_phone, mirrored):
    Softphone.objects.update(enabled=False)
    assert "Switched off" in page_of(signed_in(alice))


def test_a_phone_without_a_username_is_not_ready(signed_in, alice, alices_phone, mirrored):
    Softphone.objects.update(sip_username="", fault=Softphone.Fault.NO_SIP)
    assert "Not ready yet" in page_of(signed_in(alice))


def test_a_doubled_username_is_a_warning(signed_in, alice, alices_phone, mirrored):
    Softphone.objects.update(fault=Softphone.Fault.DOUBLED_USERNAME)
    assert "Another phone uses the same username" in page_of(signed_in(alice))


def test_hostile_names_are_shown_as_they_are(signed_in, alice, alices_phone, mirrored):
    name = '"><script>alert(1)</script> ‮מרים ' + "Ж" * 90
    Softphone.objects.update(name=name)
    response = signed_in(alice).get("/")
    assert "<script>alert" not in response.text
    assert soup(response).select_one("li.phone h2").get_text(strip=True) == name.strip()


def test_somebody_known_without_a_phone_hears_that_there_is_none_yet(signed_in, account, alice, mirrored):
    make_owner(account, "alice@acme.example", user=alice)
    account.self_service = False
    account.save()
    assert heading(signed_in(alice)) == "You have no softphone yet"


def test_somebody_whom_audian_does_not_know_hears_that(signed_in, alice, mirrored):
    client = signed_in(alice)
    assert heading(client) == "We don’t know which phones are yours"
    assert "alice@acme.example" in page_of(client)


def test_somebody_without_any_account_gets_a_page_too(signed_in, account, alice, mirrored):
    Membership.objects.all().delete()
    assert signed_in(alice).get("/").status_code == 200


def test_a_shared_address_is_named_as_the_reason_and_shows_no_phone(signed_in, account, alice, mirrored):
    for name in ("Front Desk A", "Front Desk B"):
        make_softphone(account, make_owner(account, "alice@acme.example", name=name), name=f"{name} - softphone")
    client = signed_in(alice)
    assert heading(client) == "Several people have your address"
    assert "Front Desk" not in page_of(client)


def test_an_address_that_was_changed_waits_for_an_administrator(signed_in, account, alice, mirrored):
    make_softphone(account, make_owner(account, "alice@acme.example", hold=Owner.Hold.ADDRESS_CHANGED))
    assert heading(signed_in(alice)) == "Someone has to confirm it’s you"


@pytest.mark.parametrize("state", [{"enabled": False}, {"gone_at": timezone.now()}])
def test_access_ends_at_the_next_request_when_the_owner_is_off_or_gone(signed_in, alice, alices_phone, mirrored, state):
    client = signed_in(alice)
    assert "Alice Smith - softphone" in page_of(client)
    Owner.objects.update(**state)
    assert heading(client) == "Your phones are switched off"
    assert client.get(f"/softphones/{alices_phone.pk}/").status_code == 404


def test_before_the_first_look_at_audian_the_page_asks_for_patience(signed_in, account, alice):
    make_owner(account, "alice@acme.example", user=alice)
    assert heading(signed_in(alice)) == "Your softphones are on their way"


def test_while_audian_is_out_of_reach_the_page_says_how_old_it_is(signed_in, account, alice, alices_phone, mirrored):
    later = timezone.now()
    SyncRun.objects.create(account=account, state=SyncRun.State.FAILED, started_at=later, finished_at=later)
    page = soup(signed_in(alice).get("/"))
    note = page.select_one(".note")
    assert "We can’t reach Audian right now. What you see is from" in words(note)
    assert note.time["datetime"][:16] == mirrored.finished_at.isoformat()[:16]


def test_a_mirror_that_has_not_run_for_long_counts_as_out_of_reach(signed_in, alice, alices_phone, mirrored, settings):
    SyncRun.objects.update(finished_at=timezone.now() - timedelta(seconds=settings.MIRROR_STALE_AFTER + 5))
    assert "We can’t reach Audian right now" in page_of(signed_in(alice))


@pytest.mark.parametrize(("role", "sees"), [("user", False), ("helpdesk", True), ("admin", True)])
def test_only_staff_see_the_way_to_everybodys_phones(signed_in, account, mirrored, role, sees):
    user = make_user("somebody@acme.example", account=account, role=role)
    links = {link["href"] for link in soup(signed_in(user).get("/")).select("a[href]")}
    assert ("/acme/" in links) is sees


def test_thirty_phones_cost_as_many_queries_as_one(signed_in, account, alice, mirrored, django_assert_num_queries):
    owner = make_owner(account, "alice@acme.example", user=alice)
    make_softphone(account, owner)
    client = signed_in(alice)
    client.get("/")
    with django_assert_num_queries(7):
        client.get("/")
    for number in range(29):
        make_softphone(account, owner, name=f"Phone {number}")
    with django_assert_num_queries(7):
        assert len(soup(client.get("/")).select("li.phone")) == 30


def test_the_list_that_polls_is_the_list_of_the_page(signed_in, alice, alices_phone, mirrored):
    Softphone.objects.update(registered=False, seen_at=timezone.now(), watched_at=timezone.now(), audian_id=None)
    client = signed_in(alice)
    fragment, page = soup(client.get("/lights/", headers=HTMX)), soup(client.get("/"))
    assert "<html" not in str(fragment)
    assert words(fragment.select_one("#phones")) == words(page.select_one("#phones"))


def test_the_list_is_silent_while_nothing_changed(signed_in, alice, alices_phone, mirrored):
    client = signed_in(alice)
    asked = soup(client.get("/lights/", headers=HTMX)).select_one("#phones")["hx-get"]
    assert client.get(asked, headers=HTMX).status_code == 204
    Softphone.objects.update(registered=True, registered_since=timezone.now(), seen_at=timezone.now())
    assert "Connected since" in words(client.get(asked, headers=HTMX))


def test_the_address_of_the_lights_leads_to_the_page_without_htmx(signed_in, alice, alices_phone):
    assert signed_in(alice).get("/lights/")["Location"] == "/"


def test_looking_at_the_page_writes_nothing(signed_in, alice, alices_phone, mirrored):
    client = signed_in(alice)
    before = list(Softphone.objects.values())
    client.get("/")
    assert list(Softphone.objects.values()) == before
