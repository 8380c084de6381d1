"""`/<account>/`: what helpdesk and admins see, for now read-only."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones.models import Softphone, SyncRun
from tests.factories import make_owner, make_softphone, make_user
from tests.pages.conftest import PASSWORD, soup, words


@pytest.fixture
def helpdesk(signed_in, account):
    return signed_in(make_user("helen@acme.example", account=account, role="helpdesk", name="Helen Desk"))


def names(response) -> list[str]:
    return [words(row.th) for row in soup(response).select("tbody tr")]


@pytest.mark.parametrize("role", ["helpdesk", "admin"])
def test_staff_see_every_phone_of_their_account(signed_in, account, alices_phone, role):
    make_softphone(account, name="Nobody's phone")
    client = signed_in(make_user("staff@acme.example", account=account, role=role))
    assert names(client.get("/acme/")) == ["Alice Smith - softphone", "Nobody's phone"]


def test_nobody_else_does(signed_in, alice, alices_phone, mallory, client):
    assert signed_in(alice).get("/acme/").status_code == 404
    assert signed_in(mallory).get("/acme/").status_code == 404
    assert client.get("/acme/")["Location"].startswith("/sign-in/")


def test_an_account_of_others_is_the_same_as_none(helpdesk, mallory):
    assert helpdesk.get("/evil/").status_code == helpdesk.get("/nothing/").status_code == 404


def test_staff_never_see_a_password(helpdesk, alices_phone):
    response = helpdesk.get("/acme/")
    assert PASSWORD not in response.text
    assert helpdesk.get(f"/softphones/{alices_phone.pk}/").status_code == 404


def test_a_row_says_whose_it_is_and_what_is_wrong(helpdesk, account, alices_phone):
    make_softphone(account, name="B dangling", owner_audian_id="f" * 32)
    make_softphone(account, name="C broken", sip_username="", fault=Softphone.Fault.NO_SIP)
    make_softphone(account, name="D off", enabled=False)
    rows = [words(row) for row in soup(helpdesk.get("/acme/")).select("tbody tr")]
    assert "alice@acme.example" in rows[0]
    assert "1001" in rows[0]
    assert "Unknown at Audian" in rows[1]
    assert "no username" in rows[2]
    assert "Nobody" in rows[2]
    assert "Switched off" in rows[3]


def test_the_list_pages_by_key_there_and_back(helpdesk, account):
    owner = make_owner(account)
    for number in range(120):
        make_softphone(account, owner, name=f"Phone {number // 3:03}")  # names repeat: the id decides
    seen, address, pages = [], "/acme/", []
    while address:
        response = helpdesk.get(address)
        rows = soup(response).select("tbody tr")
        pages.append([words(row.code) for row in rows])
        seen += pages[-1]
        link = soup(response).select_one("a[rel=next]")
        address = f"/acme/{link['href']}" if link else None
    assert seen == list(Softphone.objects.order_by("name", "id").values_list("sip_username", flat=True))
    back = soup(response).select_one("a[rel=prev]")
    assert [words(row.code) for row in soup(helpdesk.get(f"/acme/{back['href']}")).select("tbody tr")] == pages[-2]


def test_a_mark_that_is_not_ours_shows_the_first_page(helpdesk, alices_phone):
    assert names(helpdesk.get("/acme/?after=x&before=y")) == ["Alice Smith - softphone"]


def test_a_full_page_costs_as_many_queries_as_one_row(helpdesk, account, alices_phone, django_assert_num_queries):
    with django_assert_num_queries(7):
        helpdesk.get("/acme/")
    for number in range(60):
        make_softphone(account, make_owner(account), name=f"Phone {number:03}")
    with django_assert_num_queries(7):
        assert len(names(helpdesk.get("/acme/"))) == 50


def test_the_last_run_has_its_numbers(helpdesk, account):
    now = timezone.now()
    SyncRun.objects.create(
        account=account,
        state=SyncRun.State.COMPLETE,
        started_at=now - timedelta(minutes=1),
        finished_at=now,
        calls=104,
        pages=100,
        created=12,
        updated=3,
        unchanged=4970,
        gone=1,
    )
    run = soup(helpdesk.get("/acme/")).select_one(".run")
    assert "Complete" in words(run)
    assert "100 pages · 104 calls" in words(run)
    assert {words(each.dt): words(each.dd) for each in run.select("dl div")} == {
        "new": "12",
        "changed": "3",
        "unchanged": "4,970",
        "gone": "1",
    }


@pytest.mark.parametrize(("state", "says"), [("running", "Running now"), ("held", "Held"), ("failed", "Failed")])
def test_a_run_that_is_not_complete_says_why_and_how_old_the_list_is(helpdesk, account, mirrored, state, says):
    later = timezone.now() + timedelta(seconds=1)
    SyncRun.objects.create(account=account, state=state, started_at=later, message="Audian did not answer.")
    run = words(soup(helpdesk.get("/acme/")).select_one(".run"))
    assert says in run
    assert "Audian did not answer." in run
    assert "The list below is from" in run


def test_an_account_without_phones_says_whether_audian_was_asked(helpdesk, account):
    assert "Nothing has been read from Audian yet" in words(helpdesk.get("/acme/"))
    now = timezone.now()
    SyncRun.objects.create(account=account, state=SyncRun.State.COMPLETE, started_at=now, finished_at=now)
    assert "No softphones at Audian" in words(helpdesk.get("/acme/"))
