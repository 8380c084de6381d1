"""An admin on the first day: a second factor, then one softphone from its birth to its end, with every page on the way."""

import re
import time

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from softphones import changes, mirror, second_factor
from softphones.models import AuditEvent, Message, Softphone, SyncRun
from tests.factories import make_user
from tests.staffing import enrolled_app

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

ADAM, HELEN = "adam@acme.example", "helen@acme.example"


@pytest.fixture
def adam(portal):
    make_user("sue@acme.example", account=portal, role="helpdesk", name="Sue Second")
    return make_user(ADAM, account=portal, role="admin", name="Adam Admin")


def with_a_passkey(page):
    """Give the browser an authenticator that always agrees, as a fingerprint would."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    ready = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    agrees = {"isUserVerified": True, "automaticPresenceSimulation": True}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": ready | agrees})


def looks_right(visitor):
    visitor.is_accessible()
    visitor.fits()


def test_a_passkey_opens_the_pages_for_staff(visitor, portal, adam):
    eve = make_user("eve@acme.example", account=portal, role="admin", name="Eve Admin")
    admin = visitor()
    page = admin.page
    with_a_passkey(page)
    admin.signs_in(ADAM)
    page.get_by_role("link", name="Everybody’s softphones").click()
    looks_right(admin)
    page.get_by_role("link", name="A passkey").click()
    looks_right(admin)
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.locator(".codes")).to_be_visible()
    looks_right(admin)
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#say")).to_have_text("Recovery codes copied.")
    assert len(admin.clipboard.split()) == 10
    told = Message.objects.filter(kind="second_factor", detail="webauthn", about=adam)
    assert sorted(each.to for each in told) == [ADAM, eve.email], "every admin is mailed, and nobody else"
    on_record = AuditEvent.objects.get(act="second_factor:enrolled", data__kind="webauthn")
    assert (on_record.actor, on_record.ip, on_record.account) == (adam, "127.0.0.1", portal)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", name="What waits for somebody")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    admin.signs_in(ADAM)
    page.get_by_role("link", name="Everybody’s softphones").click()
    looks_right(admin)
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_role("heading", name="What waits for somebody")).to_be_visible()
    page.get_by_role("link", name="Adam Admin").click()
    expect(page.get_by_text("10 left")).to_be_visible()
    looks_right(admin)


def test_a_passkey_that_is_not_given_is_told(visitor, adam):
    admin = visitor()
    admin.signs_in(ADAM)
    admin.page.goto("/account/second-factor/passkey/")
    admin.page.evaluate("() => { navigator.credentials.create = () => Promise.reject(new DOMException('no')); }")
    admin.page.get_by_role("button", name="Add the passkey").click()
    expect(admin.page.get_by_text("No passkey was made")).to_be_visible()


@pytest.mark.parametrize(("device", "scheme"), [("computer", "light"), ("phone", "dark")])
def test_one_softphone_from_its_birth_to_its_end(visitor, portal, adam, device, scheme):
    admin = visitor(device, scheme)
    page = admin.page
    _comes_in(admin, enrolled_app(adam))
    looks_right(admin)

    page.get_by_role("link", name="Softphones", exact=True).click()
    looks_right(admin)
    page.get_by_role("link", name="New softphone").click()
    looks_right(admin)
    page.get_by_label("Name", exact=True).fill("Helen's tablet")
    page.get_by_label("Find a person").fill("hel")
    page.get_by_text(HELEN).click()
    page.get_by_label("Extension").fill("1777")
    looks_right(admin)
    page.get_by_role("button", name="Create softphone").dblclick()
    expect(page.get_by_text("The softphone is being made")).to_be_visible()
    changes.drain(account=portal, seconds=10)
    expect(page.get_by_text("The softphone is made", exact=True)).to_be_visible()
    looks_right(admin)
    tablet = Softphone.objects.get(name="Helen's tablet")
    assert (tablet.owner.email, tablet.caller_id_number) == (HELEN, "1777")
    assert tablet.audian_id

    page.goto("/acme/softphones/")
    page.get_by_label("Find", exact=True).press_sequentially("1777")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("text=1777"))
    page.get_by_role("link", name="Edit Helen's tablet").click()
    page.get_by_label("Name", exact=True).fill("Helen's new tablet")
    looks_right(admin)
    page.get_by_role("button", name="Save").click()
    changes.drain(account=portal, seconds=10)
    expect(page.get_by_text("The change is saved", exact=True)).to_be_visible()

    page.goto(f"/acme/softphones/{tablet.pk}/delete/")
    looks_right(admin)
    page.get_by_label("Type the softphone’s name").fill("Helen's new tablet")
    page.get_by_role("button", name="Delete it at Audian").click()
    changes.drain(account=portal, seconds=10)
    expect(page.get_by_text("The softphone is deleted", exact=True)).to_be_visible()
    page.goto("/acme/softphones/?state=gone")
    expect(page.get_by_text("Helen's new tablet")).to_be_visible()


@pytest.mark.parametrize(("device", "scheme"), [("computer", "dark"), ("phone", "light")])
def test_a_look_at_audian_moves_without_a_reload_and_the_other_pages_hold(visitor, portal, adam, device, scheme):
    admin = visitor(device, scheme)
    page = admin.page
    _comes_in(admin, enrolled_app(adam))
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_text("A new look is asked for")).to_be_visible()
    looks_right(admin)
    run = SyncRun.objects.create(account=portal, started_at=timezone.now(), pages=3)
    expect(page.get_by_text("Running now")).to_be_visible()
    looks_right(admin)
    run.delete()
    mirror.run(portal, timezone.now())
    expect(page.get_by_text("Complete").first).to_be_visible()

    phones = list(Softphone.objects.values_list("pk", flat=True))
    now = timezone.now()
    held = SyncRun.objects.create(account=portal, state="held", started_at=now, finished_at=now, removals=phones)
    page.goto(f"/acme/runs/{held.pk}/")
    looks_right(admin)
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_text("A new look is asked for")).to_be_visible()

    page.goto("/acme/members/")
    looks_right(admin)
    row = page.locator(".members li", has_text="Sue Second")
    row.get_by_label("Role of Sue Second").select_option("admin")
    row.get_by_role("button", name="Change").click()
    expect(page.get_by_text("Sue Second is now admin.")).to_be_visible()
    change = changes.create(account=portal, name="Lab", by=adam, urgent=False, now=timezone.now())
    quote = {"devices": {"softphone": {"quantity": 1, "rate": 2.0, "activation_charges": 1.0}}}
    type(change).objects.filter(pk=change.pk).update(state="held", quote=quote)
    page.goto("/acme/charges/")
    looks_right(admin)
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_text("Declined: 1 change ended.")).to_be_visible()


def _comes_in(admin, secret):
    admin.signs_in(ADAM)
    admin.page.get_by_role("link", name="Everybody’s softphones").click()
    looks_right(admin)
    admin.page.get_by_label("Code from your app").fill(second_factor.app_code(secret, time.time()))
    admin.page.get_by_role("button", name="Continue").click()
    expect(admin.page.get_by_role("heading", name="What waits for somebody")).to_be_visible()
