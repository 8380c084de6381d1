"""Somebody without a phone gets one, sets it up, sees it turn green; later it is lost, and a new password replaces it."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from softphones import changes
from softphones.models import Change, Softphone

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

CARLA = "carla@acme.example"


@pytest.fixture
def worker(portal):
    """Does what the worker does: sends what waits."""
    return lambda: changes.drain(account=portal, seconds=10)


def carlas_phone() -> Softphone:
    return Softphone.objects.get(owner__email=CARLA)


@pytest.mark.parametrize(
    ("device", "scheme"),
    [pytest.param("computer", "light", marks=pytest.mark.both_databases), ("phone", "dark")],
)
def test_from_no_phone_to_a_green_light_and_to_its_replacement(visitor, sandbox, worker, device, scheme):
    carla = visitor(device, scheme)
    page = carla.page
    carla.signs_in(CARLA)
    expect(page.get_by_role("heading", name="Get your softphone")).to_be_visible()
    carla.is_accessible()
    carla.fits()

    page.get_by_role("button", name="Get my softphone").dblclick()
    expect(page.get_by_text("The softphone is being made")).to_be_visible()
    carla.is_accessible()
    carla.fits()
    worker()
    expect(page.get_by_text("Waiting for your phone to connect…")).to_be_visible()
    expect(page.get_by_role("heading", name="Carla Nuñez - softphone")).to_be_visible()
    assert Change.objects.count() == 1
    carla.is_accessible()
    carla.fits()

    phone = carlas_phone()
    password = page.locator(".reference [data-field=password]")
    password.get_by_role("button", name="Show").first.click()
    expect(password.locator("code")).to_have_text(phone.password)
    sandbox.register(phone.audian_id)
    expect(page.get_by_text("Connected — you’re done")).to_be_visible()

    page.get_by_role("link", name="Replace a lost phone").click()
    expect(page.get_by_text("This disconnects")).to_be_visible()
    carla.is_accessible()
    carla.fits()
    page.get_by_role("button", name="Cut it off and set up anew").dblclick()
    expect(page.get_by_text("New password on its way")).to_be_visible()
    expect(page.get_by_text("A new one is on its way.").first).to_be_visible()
    expect(page.get_by_role("button", name="Show")).to_have_count(0)
    carla.is_accessible()
    carla.fits()

    worker()
    expect(page.get_by_text("New password on its way")).to_have_count(0)
    password.get_by_role("button", name="Show").first.click()
    renewed = carlas_phone().password
    assert renewed != phone.password
    expect(password.locator("code")).to_have_text(renewed)
    expect(page.get_by_text("Waiting for your phone to connect…")).to_be_visible()
    assert Change.objects.filter(kind=Change.Kind.RESET_PASSWORD).count() == 1


def test_what_becomes_of_a_change_is_said_aloud(visitor, portal, alices_phone, worker):
    alice = visitor()
    alice.signs_in("alice@acme.example")
    person = alices_phone.owner.user or Softphone.objects.get(pk=alices_phone.pk).owner.user
    change = changes.update(softphone=alices_phone, values={"name": "Laptop"}, seen={}, by=person, now=timezone.now())
    alice.page.goto(f"/changes/{change.pk}/")
    expect(alice.page.get_by_text("The change is being saved")).to_be_visible()
    alice.is_accessible()
    worker()
    expect(alice.page.locator("#say")).to_have_text("The change is saved. Done: Audian confirmed it.")
    expect(alice.page.locator("[hx-get].change")).to_have_count(0)


def test_without_javascript_everything_works_by_looking_again(visitor, worker):
    carla = visitor(java_script_enabled=False)
    page = carla.page
    carla.signs_in(CARLA)
    page.get_by_role("button", name="Get my softphone").click()
    expect(page.get_by_text("The softphone is being made")).to_be_visible()
    worker()
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("heading", name="Carla Nuñez - softphone")).to_be_visible()
    page.get_by_label("Name of this softphone").fill("Carla's mobile")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_text("The change is being saved")).to_be_visible()
    worker()
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("heading", name="Carla's mobile")).to_be_visible()
