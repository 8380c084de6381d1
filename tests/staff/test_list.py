"""`/<account>/softphones/`: every softphone of an account, filtered and ordered."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones import changes, search
from softphones.models import Change, Softphone
from tests.factories import make_owner, make_softphone
from tests.pages.conftest import HTMX, PASSWORD, soup, words
from tests.staffing import staff_browser

QUERIES = 10


def names(response) -> list[str]:
    return [words(row.th) for row in soup(response).select("tbody tr")]


@pytest.mark.parametrize("role", ["helpdesk", "admin"])
def test_staff_see_every_phone_of_their_account(account, alices_phone, role):
    make_softphone(account, name="Nobody's phone")
    client = staff_browser(account, role)
    assert names(client.get("/acme/softphones/")) == ["Alice Smith - softphone", "Nobody's phone"]


def test_nobody_else_does(signed_in, alice, alices_phone, mallory, client):
    assert signed_in(alice).get("/acme/softphones/").status_code == 404
    assert signed_in(mallory).get("/acme/softphones/").status_code == 404
    assert client.get("/acme/softphones/")["Location"].startswith("/sign-in/")


def test_an_account_of_others_is_the_same_as_none(helpdesk, mallory):
    assert helpdesk.get("/evil/").status_code == helpdesk.get("/nothing/").status_code == 404


def test_staff_never_see_a_password(helpdesk, alices_phone):
    response = helpdesk.get("/acme/softphones/")
    assert PASSWORD not in response.text
    assert helpdesk.get(f"/softphones/{alices_phone.pk}/").status_code == 404


def test_a_row_says_whose_it_is_and_what_is_wrong(admin, account, alices_phone):
    make_softphone(account, name="B dangling", owner_audian_id="f" * 32)
    make_softphone(account, name="C broken", sip_username="", fault=Softphone.Fault.NO_SIP)
    make_softphone(account, name="D off", enabled=False)
    rows = [words(row) for row in soup(admin.get("/acme/softphones/")).select("tbody tr")]
    assert "alice@acme.example" in rows[0]
    assert "1001" in rows[0]
    assert "Unknown at Audian" in rows[1]
    assert "no username" in rows[2]
    assert "Nobody" in rows[2]
    assert "Switched off" in rows[3]


def test_helpdesk_sees_enough_of_an_address_to_recognise_it(helpdesk, alices_phone):
    page = helpdesk.get("/acme/softphones/")
    assert "a•••e@acme.example" in words(page)
    assert "alice@acme.example" not in page.text


def test_a_search_that_finds_more_than_it_tells_says_how_many_it_tells(helpdesk, account):
    owners = [make_owner(account, name=f"Finn {number:03}") for number in range(201)]
    phones = [make_softphone(account, owner) for owner in owners]
    search.add(account, [*owners, *phones])
    said = "The first 200 matches. Type more to narrow it down."
    assert said in words(helpdesk.get("/acme/softphones/?text=finn"))
    assert said in words(helpdesk.get("/acme/softphones/?text=finn", headers=HTMX))
    assert "Type more" not in words(helpdesk.get("/acme/softphones/?text=finn+20"))
    assert "Type more" not in words(helpdesk.get("/acme/softphones/"))


def test_the_list_pages_by_key_there_and_back(helpdesk, account):
    owner = make_owner(account)
    for number in range(120):
        make_softphone(account, owner, name=f"Phone {number // 3:03}")  # names repeat: the id decides
    seen, address, pages = [], "/acme/softphones/", []
    while address:
        response = helpdesk.get(address)
        rows = soup(response).select("tbody tr")
        pages.append([words(row.code) for row in rows])
        seen += pages[-1]
        link = soup(response).select_one("a[rel=next]")
        address = f"/acme/softphones/{link['href']}" if link else None
    assert seen == list(Softphone.objects.order_by("name", "id").values_list("sip_username", flat=True))
    back = soup(response).select_one("a[rel=prev]")
    assert [words(row.code) for row in soup(helpdesk.get(f"/acme/softphones/{back['href']}")).select("tbody tr")] == pages[-2]


def test_a_mark_that_is_not_ours_shows_the_first_page(helpdesk, alices_phone):
    assert names(helpdesk.get("/acme/softphones/?after=x&before=y")) == ["Alice Smith - softphone"]


def test_a_full_page_costs_as_many_queries_as_one_row(helpdesk, account, alices_phone, django_assert_num_queries):
    with django_assert_num_queries(QUERIES):
        helpdesk.get("/acme/softphones/")
    for number in range(60):
        make_softphone(account, make_owner(account), name=f"Phone {number:03}")
    with django_assert_num_queries(QUERIES):
        assert len(names(helpdesk.get("/acme/softphones/"))) == 50


@pytest.fixture
def many(account):
    """One phone of each kind; returns their names by what is special about them."""
    owner, gone = make_owner(account, "o@acme.example"), make_owner(account, name="Gone Owner", gone_at=timezone.now())
    phones = {
        "plain": make_softphone(account, owner, registered=True, seen_at=timezone.now()),
        "off": make_softphone(account, owner, enabled=False, registered=False, seen_at=timezone.now() - timedelta(hours=1)),
        "deleted": make_softphone(account, owner, gone_at=timezone.now()),
        "nobodys": make_softphone(account),
        "dangling": make_softphone(account, owner_audian_id="f" * 32),
        "left behind": make_softphone(account, gone),
        "faulty": make_softphone(account, owner, fault=Softphone.Fault.NO_SIP),
    }
    numbers = {"plain": "1003", "off": "1001", "faulty": "1002"}
    for name, phone in phones.items():
        Softphone.objects.filter(pk=phone.pk).update(name=name, caller_id_number=numbers.get(name, "9"))
    search.add(account, Softphone.objects.exclude(name="deleted"))
    search.add(account, [owner, gone])
    return phones


def listed(client, query) -> set[str]:
    return {words(row.th.find(["a", "bdi"])) for row in soup(client.get(f"/acme/softphones/?{query}")).select("tbody tr")}


ALL = {"plain", "off", "nobodys", "dangling", "left behind", "faulty"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ALL),
        ("state=enabled", ALL - {"off"}),
        ("state=disabled", {"off"}),
        ("state=gone", {"deleted"}),
        ("state=gone&text=del", {"deleted"}),
        ("state=nonsense", ALL),
        ("owner=has", {"plain", "off", "faulty"}),
        ("owner=none", {"nobodys"}),
        ("owner=dangling", {"dangling", "left behind"}),
        ("connected=yes", {"plain"}),
        ("connected=no", {"off"}),
        ("connected=unknown", ALL - {"plain", "off"}),
        ("trouble=fault", {"faulty"}),
        ("trouble=unsynced", set()),
        ("text=dangl", {"dangling"}),
        ("text=1002", {"faulty"}),
        ("text=o@acme", {"plain", "off", "faulty"}),
        ("text=acme 1002", {"faulty"}),
        ("text=zzz", set()),
        ("text=gone&state=disabled", set()),
    ],
)
def test_filters(admin, many, query, found):
    assert listed(admin, query) == found


def test_what_is_on_its_way_and_what_failed(admin, many):
    for name in ("plain", "off"):
        wanted = {"softphone": many[name], "values": {"name": "x"}, "seen": {"name": name}, "by": admin.user}
        change = changes.update(**wanted, now=timezone.now())
    Change.objects.filter(pk=change.pk).update(state=Change.State.FAILED, error="Audian refused.")
    assert listed(admin, "trouble=unsynced") == {"plain"}
    assert listed(admin, "trouble=failed") == {"off"}
    page = soup(admin.get("/acme/softphones/?trouble=failed"))
    assert page.select_one(f"a[href='/acme/changes/{change.pk}/']")
    changes.update(softphone=many["off"], values={"name": "y"}, seen={"name": "off"}, by=admin.user, now=timezone.now())
    assert listed(admin, "trouble=failed") == set(), "a newer change took its place"


def in_order(client, order) -> list[str]:
    rows = soup(client.get(f"/acme/softphones/?owner=has&order={order}")).select("tbody tr")
    return [words(row.th.a) for row in rows]


@pytest.mark.parametrize(
    ("order", "rows"),
    [
        ("name", ["faulty", "off", "plain"]),
        ("-name", ["plain", "off", "faulty"]),
        ("number", ["off", "faulty", "plain"]),
        ("-number", ["plain", "faulty", "off"]),
        ("seen", ["faulty", "off", "plain"]),
        ("-seen", ["plain", "off", "faulty"]),
        ("password", ["faulty", "off", "plain"]),
    ],
)
def test_orders(admin, many, order, rows):
    assert in_order(admin, order) == rows


@pytest.mark.parametrize("order", ["name", "-number", "seen", "-seen"])
def test_every_order_pages_by_key_through_all_rows(admin, account, monkeypatch, order):
    now = timezone.now()
    for number in range(120):
        seen = now - timedelta(minutes=number // 2) if number % 3 else None
        make_softphone(account, name=f"P{number % 40}", caller_id_number=str(number // 4), seen_at=seen)
    seen, address = [], f"/acme/softphones/?state=enabled&order={order}"
    while address:
        page = soup(admin.get(address))
        seen += [words(row.code) for row in page.select("tbody tr")]
        link = page.select_one("a[rel=next]")
        address = f"/acme/softphones/{link['href']}" if link else None
    assert len(seen) == len(set(seen)) == 120


def test_a_header_turns_its_order_round_and_keeps_the_filters(admin, many):
    header = soup(admin.get("/acme/softphones/?owner=has&order=number")).select("thead th[aria-sort]")
    assert [each["aria-sort"] for each in header] == ["none", "ascending", "none"]
    assert header[1].a["href"] == "?owner=has&order=-number"


def test_htmx_gets_the_list_alone(admin, many):
    response = admin.get("/acme/softphones/?text=off", headers=HTMX)
    assert soup(response).find(id="list")
    assert not soup(response).find("header")


def test_filtered_pages_cost_as_many_queries_for_many_rows_as_for_one(admin, account, django_assert_max_num_queries):
    queries = ["owner=none&order=-seen", "trouble=unsynced", "trouble=failed", "text=phone"]
    for number in range(120):
        phone = make_softphone(account, name=f"Phone {number}")
        changes.update(softphone=phone, values={"name": "x"}, seen={"name": phone.name}, by=None, now=timezone.now())
        search.add(account, [phone])
    for query in queries:
        with django_assert_max_num_queries(21):
            admin.get(f"/acme/softphones/?{query}")


def test_only_admins_are_offered_what_only_they_can_do(admin, helpdesk, many):
    def links(client):
        return {link["href"] for link in soup(client.get("/acme/softphones/")).select("main a[href]")}

    admins = {f"/acme/softphones/{many['off'].pk}/{act}/" for act in ("edit", "delete")} | {"/acme/softphones/new/"}
    assert admins <= links(admin)
    assert not admins & links(helpdesk)
