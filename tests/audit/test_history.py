"""The history page and its file: an account's own events, found by who, whose, what and when."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from softphones import audit
from softphones.models import AuditEvent
from tests.factories import make_account, make_owner, make_softphone, make_user
from tests.pages.conftest import soup, words
from tests.staffing import staff_browser

pytestmark = pytest.mark.django_db
HISTORY, EXPORT = "/acme/history/", "/acme/history/export/"


@pytest.fixture
def past(account, alice, alices_phone):
    """Three things that happened: on 1, 2 and 3 March 2026 at noon UTC."""
    jose = make_user("jose@acme.example", account=account, role="helpdesk", name="José Núñez")
    bobs = make_softphone(account, make_owner(account, "bob@acme.example", name="Bob Jones"), name="Mobile 77")
    day = datetime(2026, 3, 1, 12, tzinfo=UTC)
    audit.record(act="password:shown", actor=alice, softphone=alices_phone, ip="192.0.2.1", now=day)
    audit.record(act="password:reset", actor=jose, softphone=bobs, reason="lost", outcome="asked", now=day + timedelta(days=1))
    audit.record(act="password:reset", actor=jose, softphone=alices_phone, now=day + timedelta(days=2))


def sentences(response) -> list[str]:
    return [words(each) for each in soup(response).select(".events .what > p:first-child")]


ALICES, BOBS, ALICES_RESET = (
    "Alice Smith looked at the password of Alice Smith - softphone",
    "José Núñez asked for a new password for Mobile 77 — “lost”",
    "José Núñez reset the password of Alice Smith - softphone",
)


def test_it_tells_what_happened_newest_first(past, helpdesk):
    response = helpdesk.get(HISTORY)
    assert sentences(response) == [ALICES_RESET, BOBS, ALICES]
    assert "Asked for" in words(response)


def test_admins_see_whole_addresses_and_helpdesk_enough_to_recognise_them(past, helpdesk, admin, account):
    audit.record(act="person:signed_in", actor=make_user("nameless@acme.example"), account=account)
    whole, masked = words(admin.get(HISTORY)), words(helpdesk.get(HISTORY))
    assert "alice@acme.example · from 192.0.2.1" in whole
    assert "nameless@acme.example signed in" in whole
    assert "a•••e@acme.example · from 192.0.2.1" in masked
    assert "n•••s@acme.example signed in" in masked
    assert "alice@acme.example" not in masked
    assert "nameless@acme.example" not in masked


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"who": "jose"}, [ALICES_RESET, BOBS]),
        ({"who": "NÚÑ jo"}, [ALICES_RESET, BOBS]),
        ({"who": "alice@acme.example"}, [ALICES]),
        ({"who": "lice"}, []),
        ({"whose": "bob"}, [BOBS]),
        ({"whose": "mobile 7"}, [BOBS]),
        ({"whose": "bob alice"}, []),
        ({"act": "password:reset"}, [ALICES_RESET, BOBS]),
        ({"since": "2026-03-02"}, [ALICES_RESET, BOBS]),
        ({"until": "2026-03-02"}, [BOBS, ALICES]),
        ({"since": "2026-03-02", "until": "2026-03-02"}, [BOBS]),
        ({"who": "jose", "whose": "alice", "act": "password:reset", "since": "2026-03-03"}, [ALICES_RESET]),
        ({"act": "password:shown", "who": "jose"}, []),
    ],
)
def test_it_finds(past, helpdesk, asked, found):
    assert sentences(helpdesk.get(HISTORY, asked)) == found


def test_days_are_those_of_the_account(past, account, helpdesk):
    account.time_zone = "Pacific/Auckland"  # 13 hours ahead: noon UTC on the 2nd is the 3rd there
    account.save()
    assert sentences(helpdesk.get(HISTORY, {"since": "2026-03-03", "until": "2026-03-03"})) == [BOBS]


def test_a_filter_that_makes_no_sense_says_so_and_shows_the_rest(past, helpdesk):
    response = helpdesk.get(HISTORY, {"since": "2026-03-03", "until": "2026-03-01", "act": "moon:landed"})
    assert "The last day is before the first one." in words(response)
    assert sentences(response) == [ALICES_RESET]
    assert helpdesk.get(HISTORY, {"since": "tomorrow"}).status_code == 200


@pytest.mark.parametrize("asked", [{"until": "9999-12-31"}, {"since": "0001-01-01"}, {"since": "1999-12-31"}])
def test_a_day_far_away_is_told_and_not_looked_for(past, account, helpdesk, asked):
    account.time_zone = "Pacific/Auckland"
    account.save()
    response = helpdesk.get(HISTORY, asked)
    assert "Choose a day from 2000 to 2099." in words(response)
    assert len(sentences(response)) == 3
    assert helpdesk.post(EXPORT, asked).status_code == 302


def test_empty_is_not_the_same_as_not_found(helpdesk, account):
    assert "Nothing has happened yet" in words(helpdesk.get(HISTORY))
    assert "Nothing like that in the history" in words(helpdesk.get(HISTORY, {"who": "zoe"}))


class TestPages:
    @pytest.fixture
    def busy(self, alice, account):
        """120 events, several at the same moment."""
        start = timezone.now() - timedelta(days=1)
        for n in range(120):
            audit.record(
                act="person:signed_in", actor=alice, account=account, reason=f"n{n}", now=start + timedelta(seconds=n // 7)
            )

    def walk(self, browser, way, path):
        seen = []
        while path:
            page = browser.get(path)
            seen.append(sentences(page))
            link = soup(page).select_one(f".pages [rel={way}]")
            path = link and HISTORY + link["href"]
        return seen, page

    def test_there_and_back_every_event_is_seen_once(self, busy, helpdesk):
        there, last = self.walk(helpdesk, "next", HISTORY)
        assert [len(page) for page in there] == [50, 50, 20]
        assert [each.split("“")[1] for page in there for each in page] == [f"n{n}”" for n in reversed(range(120))]
        back, _first = self.walk(helpdesk, "prev", HISTORY + soup(last).select_one("[rel=prev]")["href"])
        assert back == there[-2::-1]

    def test_new_events_do_not_shift_an_older_page(self, busy, helpdesk, alice, account):
        older = HISTORY + soup(helpdesk.get(HISTORY)).select_one("[rel=next]")["href"]
        before = sentences(helpdesk.get(older))
        audit.record(act="person:signed_in", actor=alice, account=account)
        assert sentences(helpdesk.get(older)) == before

    def test_the_filter_goes_along(self, busy, helpdesk):
        there, _last = self.walk(helpdesk, "next", f"{HISTORY}?who=alice&act=person:signed_in")
        assert sum(map(len, there)) == 120

    def test_a_forged_mark_is_the_first_page(self, busy, helpdesk):
        assert len(sentences(helpdesk.get(HISTORY, {"after": "moon"}))) == 50

    def test_an_older_page_costs_as_many_queries_as_the_first(self, busy, helpdesk):
        with CaptureQueriesContext(connection) as newest:
            first = helpdesk.get(HISTORY)
        with CaptureQueriesContext(connection) as older:
            helpdesk.get(HISTORY + soup(first).select_one("[rel=next]")["href"])
        assert len(older) == len(newest)
        assert not [query for query in older if "OFFSET" in query["sql"].upper()]


class TestExport:
    def rows(self, response) -> list[dict]:
        assert response.status_code == 200, response
        text = b"".join(response.streaming_content).decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def test_the_file_has_what_the_page_shows(self, past, admin, account):
        account.time_zone = "Europe/Berlin"
        account.save()
        response = admin.post(EXPORT, {"who": "jose", "whose": "bob"})
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert 'attachment; filename="history-acme-' in response["Content-Disposition"]
        [row] = self.rows(response)
        assert row == {
            "Time": "2026-03-02 13:00:00+01:00",
            "Who": "José Núñez <jose@acme.example>",
            "Act": "password:reset",
            "What happened": "José Núñez asked for a new password for Mobile 77 — “lost”",
            "Softphone": "Mobile 77",
            "Person": "Bob Jones <bob@acme.example>",
            "Reason": "lost",
            "Outcome": "Asked for",
            "From": "",
        }

    def test_helpdesk_gets_no_whole_address(self, past, helpdesk, account):
        nameless = make_user("nameless@acme.example")
        audit.record(act="role:granted", actor=nameless, person=nameless, account=account, data={"role": "admin"})
        newest, *_, oldest = self.rows(helpdesk.post(EXPORT))
        assert newest["Who"] == newest["Person"] == "n•••s@acme.example"
        assert newest["What happened"] == "n•••s@acme.example gave n•••s@acme.example the role admin"
        assert oldest["Who"] == oldest["Person"] == "Alice Smith <a•••e@acme.example>"
        [bobs] = self.rows(helpdesk.post(EXPORT, {"whose": "bob"}))
        assert bobs["Person"] == "Bob Jones <•••@acme.example>"

    def test_the_export_is_on_record_but_not_in_its_own_file(self, past, helpdesk):
        assert len(self.rows(helpdesk.post(EXPORT))) == 3
        event = AuditEvent.objects.get(act="history:exported")
        assert (event.actor, event.ip) == (helpdesk.user, "127.0.0.1")

    def test_a_get_exports_nothing(self, past, helpdesk):
        assert helpdesk.get(EXPORT).status_code == 405
        assert not AuditEvent.objects.filter(act="history:exported").exists()

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
    def test_no_cell_is_a_formula(self, helpdesk, account, start):
        evil = make_softphone(account, name=f'{start}HYPERLINK("http://evil.example","x")')
        audit.record(act="softphone:deleted", softphone=evil, reason=f"{start}1+1")
        [row] = self.rows(helpdesk.post(EXPORT))
        assert row["Softphone"] == f"'{evil.name}"
        assert row["Reason"] == f"'{start}1+1"
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())

    def test_long_ones_are_read_in_batches(self, helpdesk, account, alice, django_assert_max_num_queries):
        for n in range(2100):
            audit.record(act="person:signed_in", actor=alice, account=account, reason=f"n{n}")
        response = helpdesk.post(EXPORT)
        with django_assert_max_num_queries(3):
            rows = self.rows(response)
        assert [row["Reason"] for row in rows] == [f"n{n}" for n in reversed(range(2100))]

    def test_what_makes_no_sense_leads_back_to_the_form(self, helpdesk, account):
        response = helpdesk.post(EXPORT, {"since": "2026-03-03", "until": "2026-03-01"})
        assert response.status_code == 302
        assert "The last day is before the first one." in words(helpdesk.get(response["Location"]))


class TestWhoMayReadIt:
    def test_another_account_sees_nothing_of_ours(self, past, db):
        evil = staff_browser(make_account(slug="evil"), "admin", "eve@evil.example")
        assert sentences(evil.get("/evil/history/")) == []
        assert b"".join(evil.post("/evil/history/export/").streaming_content).count(b"\r\n") == 1
        assert evil.get(HISTORY).status_code == evil.post(EXPORT).status_code == 404

    def test_users_and_strangers_do_not(self, past, signed_in, alice, client):
        assert signed_in(alice).get(HISTORY).status_code == 404
        assert signed_in(alice).post(EXPORT).status_code == 404
        assert client.get(HISTORY).status_code == client.post(EXPORT).status_code == 302

    def test_admins_do(self, past, admin):
        assert len(sentences(admin.get(HISTORY))) == 3
