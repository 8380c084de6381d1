"""The overview, the word of trouble on every page, and charges."""

import pytest
from django.db.models import F
from django.utils import timezone

from softphones import changes, leases, vitals
from softphones.models import AuditEvent, Change, Lease, Pause, SyncRun
from tests.factories import make_softphone
from tests.pages.conftest import soup, words

QUOTE = {"devices": {"softphone": {"category": "devices", "item": "softphone", "quantity": 1, "rate": 2.5}}}


def held_change(account, name="Extra phone", batch=""):
    change = changes.create(account=account, name=name, by=None, batch=batch, urgent=False, now=timezone.now())
    Change.objects.filter(pk=change.pk).update(state=Change.State.HELD, quote=QUOTE)
    return change


def test_with_nothing_to_do_it_says_so(helpdesk, mirrored):
    assert "Nothing. Everything is done." in words(helpdesk.get("/acme/"))


def test_while_something_is_on_its_way_not_everything_is_done(helpdesk, alices_phone, mirrored):
    changes.reset_password(softphone=alices_phone, by=None, now=timezone.now())
    page = words(helpdesk.get("/acme/"))
    assert "Nothing, but not everything is done yet." in page
    assert "1 softphone has a change on its way to Audian" in page


def test_without_a_worker_every_page_says_that_nothing_goes_on(helpdesk, alices_phone, mirrored):
    changes.reset_password(softphone=alices_phone, by=None, now=timezone.now())
    Lease.objects.filter(name=vitals.SWEPT).update(held_until=F("held_until") - 181)
    for page in ("/acme/", "/acme/people/", f"/acme/changes/{Change.objects.get().pk}/"):
        assert "No worker of the portal is at work: nothing is sent to Audian" in words(helpdesk.get(page)), page
    assert "Everything is done" not in words(helpdesk.get("/acme/"))
    leases.take("changes:1", 15)
    assert "No worker" not in words(helpdesk.get("/acme/")), "somebody sends from a terminal"


def test_what_waits_is_counted_and_linked(helpdesk, account, mirrored):
    make_softphone(account, owner_audian_id="f" * 32)
    make_softphone(account, fault="no_sip", sip_username="")
    phone = make_softphone(account)
    change = changes.update(softphone=phone, values={"name": "x"}, seen={"name": phone.name}, by=None, now=timezone.now())
    Change.objects.filter(pk=change.pk).update(state=Change.State.FAILED)
    held_change(account)
    page = soup(helpdesk.get("/acme/"))
    links = {link["href"]: words(link.strong) for link in page.select(".waits a")}
    assert links == {
        "/acme/leavers/": "1 leaver",
        "/acme/charges/": "1 change that costs something",
        "/acme/softphones/?trouble=failed": "1 change failed",
        "/acme/softphones/?trouble=fault": "1 softphone has a fault at Audian",
    }


def test_trouble_is_told_on_every_page(admin, account, mirrored, alices_phone):
    now = timezone.now()
    changes.reset_password(softphone=alices_phone, by=admin.user, now=now)
    Pause.objects.create(account=account, since=now, until=now, reason="Audian answers with an error (HTTP 502).")
    SyncRun.objects.create(account=account, state="failed", started_at=now, finished_at=now, message="Audian did not answer.")
    for page in (
        "/acme/",
        "/acme/people/",
        "/acme/softphones/",
        "/acme/history/",
        "/acme/mail/",
        "/acme/members/",
        "/acme/runs/",
    ):
        trouble = words(soup(admin.get(page)).select_one("#trouble"))
        assert "HTTP 502" in trouble, page
        assert "Audian did not answer." in trouble, page


def test_every_part_leads_to_the_others(admin, helpdesk):
    admins = [words(link) for link in soup(admin.get("/acme/")).select(".parts a")]
    assert admins == ["Overview", "People", "Softphones", "Bulk", "History", "Mail", "Members"]
    assert [words(link) for link in soup(helpdesk.get("/acme/")).select(".parts a")] == [
        part for part in admins if part not in ("Bulk", "Members")
    ]


def accept(admin, change, page=None):
    """Press Accept on the page of charges, as it is now or as it was."""
    form = soup(page or admin.get("/acme/charges/")).select_one(f"form[action$='/{change.pk}/accept/']")
    fields = {field["name"]: field["value"] for field in form.select("input[name]")}
    return admin.post(form["action"], fields, follow=True)


class TestCharges:
    def test_the_quote_is_shown(self, helpdesk, account):
        held_change(account)
        page = words(helpdesk.get("/acme/charges/"))
        assert "Extra phone" in page
        assert "softphone 1 2.50 0.00" in page
        assert "An administrator decides." in page

    def test_accepted_it_goes_on(self, admin, account):
        change = held_change(account)
        assert "Accepted: 1 change goes on." in words(accept(admin, change))
        change.refresh_from_db()
        assert (change.state, change.decided_by, change.accepted) == ("queued", admin.user, QUOTE)
        told = AuditEvent.objects.get(act="charges:accepted")
        assert (told.actor, told.ip, told.outcome, told.data["change"]) == (admin.user, "127.0.0.1", "done", change.pk)

    def test_nobody_accepts_charges_that_they_did_not_see(self, admin, account):
        change = held_change(account)
        page = admin.get("/acme/charges/")
        dearer = {"devices": {"softphone": QUOTE["devices"]["softphone"] | {"rate": 4.0}}}
        Change.objects.filter(pk=change.pk).update(quote=dearer)
        assert "no longer those that you saw" in words(accept(admin, change, page))
        change.refresh_from_db()
        assert (change.state, change.accepted) == ("held", None)

    def test_declined_it_ends(self, admin, account):
        change = held_change(account)
        assert "Declined: 1 change ended." in words(admin.post(f"/acme/charges/{change.pk}/decline/", follow=True))
        change.refresh_from_db()
        assert (change.state, change.error) == ("failed", "The charges were declined.")
        assert change.decided_by == admin.user
        told = AuditEvent.objects.get(act="charges:declined")
        assert (told.actor, told.ip, told.outcome, told.data["change"]) == (admin.user, "127.0.0.1", "done", change.pk)

    def test_a_list_asks_once_and_says_for_how_many(self, admin, account):
        held_change(account, batch="list-1")
        changes.create(account=account, name="Second", by=None, batch="list-1", urgent=False, now=timezone.now())
        page = soup(admin.get("/acme/charges/"))
        assert len(page.select(".offer")) == 1
        assert "and 1 more of the same list" in words(page)
        assert "at most 2 changes" in words(page)

    def test_decided_twice_is_decided_once(self, admin, account):
        change = held_change(account)
        accept(admin, change)
        assert "Nobody waits" in words(admin.post(f"/acme/charges/{change.pk}/decline/", follow=True))
        change.refresh_from_db()
        assert change.state == "queued"

    def test_helpdesk_decides_nothing(self, helpdesk, account):
        change = held_change(account)
        for decision in ("accept", "decline"):
            assert helpdesk.post(f"/acme/charges/{change.pk}/{decision}/").status_code == 404

    @pytest.mark.parametrize("decision", ["accept", "decline"])
    def test_of_another_account_it_is_not_found(self, admin, mallory, decision):
        change = held_change(mallory.memberships.get().account)
        assert admin.post(f"/acme/charges/{change.pk}/{decision}/").status_code == 404
