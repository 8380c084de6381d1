"""Helpdesk at the keyboard, and the person whom they help, on a phone of their own."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from softphones import changes, mail
from softphones.models import Message
from tests.e2e.conftest import Visitor
from tests.factories import make_owner, make_softphone, make_user
from tests.staffing import signed_in_as_staff

pytestmark = pytest.mark.e2e

COUNT_KEYS = """addEventListener("keydown", () => {
    if (location.protocol !== "about:") sessionStorage.setItem("keys", Number(sessionStorage.getItem("keys") ?? 0) + 1);
}, true);"""


@pytest.fixture
def role() -> str:
    return "helpdesk"


@pytest.fixture
def helen(visitor, portal, live_server, role) -> Visitor:
    """Helpdesk, signed in, with her second factor shown."""
    client = signed_in_as_staff(make_user("helen@acme.example", account=portal, role=role, name="Helen Desk"))
    desk = visitor()
    cookies = [{"name": each.key, "value": each.value, "url": live_server.url} for each in client.cookies.values()]
    desk.context.add_cookies(cookies)
    return desk


def keys_pressed(page) -> int:
    return int(page.evaluate("sessionStorage.getItem('keys') ?? 0"))


@pytest.mark.parametrize(("typed", "role"), [("alice smith", "helpdesk"), ("alice", "admin")])
def test_from_a_name_to_a_sent_link_in_five_key_presses(helen, alices_phone, typed):
    page = helen.page
    helen.context.add_init_script(COUNT_KEYS)
    page.goto("/acme/people/")
    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.type(typed)
    expect(page.locator("[data-hit]").first).to_contain_text("Alice Smith")
    expect(page.locator("[data-hit]")).to_have_count(1)
    typing = keys_pressed(page)
    page.keyboard.press("Enter")
    page.wait_for_url("**/people/*/")
    expect(page.locator(".now .main")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The set-up link goes to a•••e@acme.example.")).to_be_visible()
    assert keys_pressed(page) - typing <= 5
    assert Message.objects.get(kind=Message.Kind.SETUP_LINK).softphone == alices_phone


def test_the_second_of_several_is_reached_with_the_arrows(helen, portal):
    page = helen.page
    helen.context.add_init_script(COUNT_KEYS)
    page.goto("/acme/people/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("acme.example")
    hits = page.locator("[data-hit]")
    expect(page.locator(".counted")).to_contain_text("matches")
    second = hits.nth(1).locator("strong").inner_text()
    typing = keys_pressed(page)
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("h1")).to_have_text(second)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The set-up link goes to")).to_be_visible()
    assert keys_pressed(page) - typing <= 5


def test_without_a_script_it_works_as_a_form(portal, visitor, helen, live_server, alices_phone):
    plain = visitor(java_script_enabled=False)
    plain.context.add_cookies(helen.context.cookies())
    plain.page.goto("/acme/people/")
    plain.page.get_by_label("Find a person or a phone").fill("smith alice")
    plain.page.keyboard.press("Enter")
    expect(plain.page.locator("h1")).to_have_text("Alice Smith")
    plain.page.get_by_role("button", name="Send set-up link").click()
    expect(plain.page.get_by_text("The set-up link goes to")).to_be_visible()


def test_helpdesk_resets_and_the_person_finishes_on_another_phone(helen, visitor, portal, sandbox, alices_phone):
    sandbox.register(alices_phone.audian_id, user_agent="Zoiper v5.6.4")
    desk = helen.page
    desk.goto(f"/acme/people/{alices_phone.owner_id}/")
    expect(desk.locator(".now .pill")).to_have_text("Connected")
    desk.get_by_role("link", name="Reset password…").click()
    expect(desk.locator(".asking .note")).to_contain_text("This disconnects")
    desk.get_by_label("Reason or ticket number").fill("Lost phone")
    desk.get_by_role("button", name="Reset password").dblclick()
    expect(desk.locator(".way .next")).to_contain_text("Changed at Audian")

    alice = visitor("phone")
    alice.signs_in("alice@acme.example")
    alice.page.goto(f"/softphones/{alices_phone.pk}/")
    old = sandbox.device(alices_phone.audian_id)["sip"]["password"]
    assert old not in alice.page.content()

    assert changes.drain(account=portal, seconds=5).done == 1
    sandbox.unregister(alices_phone.audian_id)
    expect(desk.locator(".way .done")).to_have_count(2)
    mail.send_due(timezone.now())
    new = sandbox.device(alices_phone.audian_id)["sip"]["password"]
    assert new != old

    alice.page.reload()
    alice.page.locator("button", has_text="Show").first.click()
    expect(alice.page.locator("#value-step-password")).to_have_text(new)
    expect(desk.locator(".way .done")).to_have_count(3)
    sandbox.register(alices_phone.audian_id, user_agent="LinphoneiOS/5.2.4", at=timezone.now().timestamp())
    expect(alice.page.locator("#light")).to_contain_text("Connected — you’re done")
    expect(desk.locator(".way .done")).to_have_count(4)
    expect(desk.get_by_text("Helen Desk reset the password").first).to_be_visible()
    assert new not in desk.content()
    assert old not in desk.content()


@pytest.mark.parametrize(("device", "scheme"), [("computer", "light"), ("phone", "dark")])
def test_every_page_of_the_desk_is_accessible_and_fits(helen, visitor, portal, alices_phone, device, scheme):
    desk = visitor(device, scheme)
    desk.context.add_cookies(helen.context.cookies())
    left = make_owner(portal, name="Bob Jones", enabled=False)
    make_softphone(portal, left, name="Bob's laptop")
    pages = [
        "/acme/people/",
        "/acme/people/?q=a",
        "/acme/people/?q=zzz",
        f"/acme/people/{alices_phone.owner_id}/",
        "/acme/leavers/",
        f"/acme/people/{left.pk}/close/",
        f"/acme/people/{alices_phone.owner_id}/close/",
        f"/acme/softphones/{alices_phone.pk}/reset/",
        f"/acme/softphones/{alices_phone.pk}/off/",
    ]
    for address in pages:
        desk.page.goto(address)
        desk.is_accessible()
        desk.fits()
