"""Sync now, how a look goes, and letting go what one held back."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from softphones import mirror, tasks
from softphones.models import AuditEvent, Softphone, SyncRun
from tests.factories import make_owner, make_softphone
from tests.pages.conftest import HTMX, soup, words
from tests.staffing import signed_in_as_staff, staff_browser

RUNS = "/acme/runs/"


def make_run(account, state, ago=60, **fields):
    at = timezone.now() - timedelta(seconds=ago)
    finished = None if state == "running" else at + timedelta(seconds=1)
    return SyncRun.objects.create(account=account, state=state, started_at=at, finished_at=finished, **fields)


@pytest.fixture
def woken(monkeypatch):
    """What a worker was woken for."""
    calls = []
    monkeypatch.setattr("softphones.wake._send", lambda name, ids: calls.append((name.rpartition(".")[2], ids)))
    return calls


class TestSyncNow:
    def test_it_wakes_a_worker_and_follows_it(self, admin, account, woken, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            response = admin.post("/acme/runs/start/")
        assert woken == [("mirror_account", {"account_id": account.pk})]
        assert AuditEvent.objects.get(act="sync:asked").actor == admin.user
        page = soup(admin.get(response["Location"]))
        assert "A new look is asked for" in words(page)
        assert page.select_one("#runs[hx-get]")

    def test_while_it_runs_its_numbers_move(self, admin, account):
        run = make_run(account, "running", ago=2, pages=3, created=7)
        page = admin.get(RUNS, headers=HTMX)
        assert "3 pages" in words(page)
        assert soup(page).select_one("[hx-get]")
        SyncRun.objects.filter(pk=run.pk).update(state="complete", finished_at=timezone.now())
        assert not soup(admin.get(RUNS, headers=HTMX)).select_one("[hx-get]"), "a finished look asks no more"

    def test_a_run_that_began_since_ends_the_waiting(self, admin, account):
        asked = int((timezone.now() - timedelta(seconds=5)).timestamp())
        make_run(account, "complete", ago=1)
        assert "A new look is asked for" not in words(admin.get(f"{RUNS}?asked={asked}"))

    def test_a_look_that_began_in_the_same_second_is_not_the_one_that_was_asked_for(self, admin, account):
        with time_machine.travel(datetime(2026, 3, 2, 9, 0, 0, 400_000, tzinfo=UTC), tick=False) as clock:
            admin = signed_in_as_staff(admin.user)
            make_run(account, "complete", ago=0)
            clock.shift(0.05)
            response = admin.post("/acme/runs/start/")
            assert "A new look is asked for" in words(admin.get(response["Location"]))

    def test_no_worker_is_said_so(self, admin):
        asked = int((timezone.now() - timedelta(seconds=30)).timestamp())
        assert "its worker does not run" in words(admin.get(f"{RUNS}?asked={asked}"))

    @pytest.mark.parametrize("asked", ["x", "-1", "9" * 30, "9" * 400, "0", "nan", "inf"])
    def test_nonsense_waits_for_nothing(self, admin, asked):
        assert "A new look is asked for" not in words(admin.get(f"{RUNS}?asked={asked}"))

    def test_helpdesk_looks_and_starts_nothing(self, helpdesk, account):
        make_run(account, "complete", message="All is well.")
        assert "All is well." in words(helpdesk.get(RUNS))
        assert "Sync now" not in words(helpdesk.get(RUNS))
        assert helpdesk.post("/acme/runs/start/").status_code == 404


class TestHeld:
    @pytest.fixture
    def held(self, account, alices_phone):
        bob = make_owner(account, "bob@acme.example", name="Bob Jones")
        phones = [alices_phone.pk, make_softphone(account, bob, name="Bob's phone").pk]
        make_softphone(account, name="Stays")
        return make_run(account, "held", removals=phones, removed_owners=[bob.pk], message="Too many are missing.")

    def test_it_shows_exactly_what_would_go(self, admin, held):
        page = soup(admin.get(f"{RUNS}{held.pk}/"))
        assert [words(row.strong) for row in page.select(".lines li")] == [
            "Alice Smith - softphone",
            "Bob's phone",
            "Bob Jones",
        ]
        assert "Release 2 softphones and 1 person" in words(page)

    def test_many_come_a_page_at_a_time(self, admin, account):
        phones = [make_softphone(account, name=f"P{number:03}").pk for number in range(130)]
        address = f"{RUNS}{make_run(account, 'held', removals=phones).pk}/"
        first = soup(admin.get(address))
        second = soup(admin.get(address + first.select_one("a[rel=next]")["href"]))
        shown = [words(row.strong) for page in (first, second) for row in page.select(".lines li")]
        assert shown == [f"P{number:03}" for number in range(130)]
        assert not second.select_one("a[rel=next]")

    def test_every_staff_page_says_so(self, admin, helpdesk, held):
        for client in (admin, helpdesk):
            assert soup(client.get("/acme/softphones/")).select_one(f"#trouble a[href='{RUNS}{held.pk}/']")
        make_run(held.account, "complete", ago=1)
        assert not soup(admin.get("/acme/softphones/")).select_one("#trouble a")

    def test_released_it_goes_with_the_next_run(self, admin, held, woken, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            admin.post(f"{RUNS}{held.pk}/release/")
        held.refresh_from_db()
        assert held.released_by == admin.user
        assert mirror.released(held.account) == held.pk
        assert woken == [("mirror_account", {"account_id": held.account_id})]
        event = AuditEvent.objects.get(act="sync:released")
        assert (event.actor, event.data) == (admin.user, {"run": held.pk, "count": 3})

    def test_released_twice_is_released_once(self, admin, held):
        admin.post(f"{RUNS}{held.pk}/release/")
        assert "waits for nobody" in words(admin.post(f"{RUNS}{held.pk}/release/", follow=True))
        assert AuditEvent.objects.filter(act="sync:released").count() == 1

    def test_a_hold_that_a_later_look_ended_is_not_released(self, admin, held):
        make_run(held.account, "complete", ago=1)
        assert "waits for nobody" in words(admin.post(f"{RUNS}{held.pk}/release/", follow=True))
        assert mirror.released(held.account) is None

    def test_a_run_that_was_under_way_does_not_swallow_the_release(self, admin, held):
        admin.post(f"{RUNS}{held.pk}/release/")
        make_run(held.account, "held", ago=5, removals=held.removals)
        assert mirror.released(held.account) == held.pk
        make_run(held.account, "complete", ago=-1)
        assert mirror.released(held.account) is None

    def test_helpdesk_sees_it_and_releases_nothing(self, helpdesk, held):
        assert "An administrator decides." in words(helpdesk.get(f"{RUNS}{held.pk}/"))
        assert helpdesk.post(f"{RUNS}{held.pk}/release/").status_code == 404
        assert mirror.released(held.account) is None

    def test_helpdesk_sees_no_whole_address(self, admin, helpdesk, held):
        path = f"/acme/runs/{held.pk}/"
        assert "bob@acme.example" in words(admin.get(path))
        assert "bob@acme.example" not in helpdesk.get(path).text
        assert "•••@acme.example" in words(helpdesk.get(path))

    def test_a_run_of_another_account_is_not_found(self, admin, mallory):
        elsewhere = make_run(mallory.memberships.get().account, "held")
        assert admin.get(f"{RUNS}{elsewhere.pk}/").status_code == 404
        assert admin.post(f"{RUNS}{elsewhere.pk}/release/").status_code == 404


def test_from_the_button_to_the_removal(sandbox, sandbox_account):
    """With the real mirror: phones vanish at Audian, the run is held, an admin lets them go, they are gone."""
    admin = staff_browser(sandbox_account, "admin")
    for number in range(14):
        make_softphone(sandbox_account, name=f"Vanished {number}")
    tasks.mirror_account(account_id=sandbox_account.pk)
    held = SyncRun.objects.get()
    assert held.state == "held"
    assert Softphone.objects.present().count() == 14
    admin.post(f"{RUNS}{held.pk}/release/")
    tasks.mirror_account(account_id=sandbox_account.pk)
    assert SyncRun.objects.order_by("-pk").first().state == "complete"
    assert not Softphone.objects.present().exists()
    assert mirror.released(sandbox_account) is None
