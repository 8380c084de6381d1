"""The walk: sign in by code, set up, copy, reveal, scan, and see it turn green."""

import io
import re

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import expect

from softphones.models import AuditEvent
from tests.e2e.conftest import until

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def scan(page) -> str:
    """What a camera reads off the screen, once the page has moved the code into view."""
    page.locator("#code.drawn .picture :is(svg, img)").wait_for()
    found = []

    def read():
        found.extend(zxingcpp.read_barcodes(Image.open(io.BytesIO(page.screenshot()))))
        return found

    until(page, read)
    return found[0].text


@pytest.mark.parametrize(
    ("device", "scheme"),
    [
        pytest.param("computer", "light", marks=pytest.mark.both_databases),
        ("computer", "dark"),
        ("phone", "light"),
        ("phone", "dark"),
    ],
)
def test_from_the_front_page_to_a_green_light(visitor, sandbox, alices_phone, device, scheme):
    alice = visitor(device, scheme)
    page = alice.page
    alice.signs_in("alice@acme.example")
    expect(page.get_by_role("heading", name="My softphones")).to_be_visible()
    expect(page.get_by_text("Alice Smith - softphone").first).to_be_visible()
    expect(page.get_by_text("Not connected")).to_be_visible()
    alice.is_accessible()
    alice.fits()

    alice.sets_up("zoiper")
    expect(page.get_by_text("Waiting for your phone to connect…")).to_be_visible()
    alice.is_accessible()
    alice.fits()
    assert alices_phone.password not in page.content()

    if device == "phone":
        page.get_by_text("Setting up another device?").click()
    page.get_by_role("button", name="Show the code").click()
    assert scan(page).startswith("http")
    alice.is_accessible()

    username = page.locator(".reference [data-field=username]")
    username.get_by_role("button", name="Copy").click()
    expect(username.get_by_text("Copied")).to_be_visible()
    expect(page.locator("#say")).to_have_text("Username copied.")
    assert alice.clipboard == alices_phone.sip_username

    password = page.locator(".reference [data-field=password]")
    password.get_by_role("button", name="Show and copy").click()
    expect(password.get_by_text("Copied")).to_be_visible()
    expect(password.locator("code")).to_have_text(alices_phone.password)
    assert alice.clipboard == alices_phone.password
    assert page.locator("#code .picture :is(svg, img)").count() == 1, "the code stays where it was"
    alice.is_accessible()
    alice.fits()

    sandbox.register(alices_phone.audian_id)
    expect(page.get_by_text("Connected — you’re done")).to_be_visible()
    alice.is_accessible()

    acts = AuditEvent.objects.filter(softphone=alices_phone).order_by("id").values_list("act", flat=True)
    assert [act for act in acts if act in {"password:shown", "link:made"}] == ["link:made", "password:shown"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_our_own_code_leads_a_phone_to_the_settings_once(visitor, live_server, alices_phone, scheme):
    alice = visitor("computer", scheme)
    alice.signs_in("alice@acme.example")
    alice.sets_up("linphone")
    alice.page.get_by_role("button", name="Show the code").click()
    address = scan(alice.page)
    alice.page.emulate_media(media="print")
    expect(alice.page.locator("#code")).to_be_hidden()  # paper never holds a one-time code
    alice.page.emulate_media(media="screen")
    assert re.fullmatch(re.escape(live_server.url) + r"/s/[\w-]{43}", address)

    phone = visitor("phone", scheme)
    phone.page.goto(address)
    phone.is_accessible()
    phone.page.get_by_role("button", name="Open my set-up").click()
    expect(phone.page.locator(".reference [data-field=password] code")).to_have_text(alices_phone.password)
    phone.is_accessible()
    phone.fits()
    phone.page.locator(".reference [data-field=password]").get_by_role("button", name="Copy").click()
    expect(phone.page.locator("#say")).to_have_text("Password copied.")
    assert phone.clipboard == alices_phone.password
    phone.page.reload()
    expect(phone.page.locator(".reference [data-field=password] code")).to_have_text(alices_phone.password)

    other = visitor("phone", scheme)
    other.page.goto(address)
    expect(other.page.get_by_role("heading", name="This link does not work")).to_be_visible()
    other.is_accessible()
