"""The light on the set-up page, against a sandbox in which phones connect and go."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from softphones.models import Softphone
from softphones.views.setup_page import LOOKS_FOR
from tests.factories import make_owner, make_softphone, make_user
from tests.pages.conftest import HTMX, soup, words


class SetUpPage:
    """The page as a browser keeps it open: what it shows now, and a look at whether that is still so."""

    def __init__(self, client, pk):
        self.client, self.address = client, f"/softphones/{pk}/"
        self.open()

    def open(self) -> None:
        page = soup(self.client.get(self.address))
        self.opened, self.light = page.select_one("#opened")["value"], page.select_one("#light")

    def look(self) -> int:
        response = self.client.get(f"{self.light['hx-get']}&opened={self.opened}", headers=HTMX)
        if response.status_code == 200:
            self.light = soup(response).select_one("#light")
        return response.status_code

    @property
    def says(self) -> str:
        return words(self.light.strong)

    @property
    def is_green(self) -> bool:
        return "ok" in self.light["class"]


@pytest.fixture
def device(sandbox):
    return sandbox.add_device(
        name="Alice Smith - softphone",
        device_type="softphone",
        enabled=True,
        sip={"username": "user_alice", "password": "wP7kq3hTz9mB", "method": "password"},
    )


@pytest.fixture
def page(signed_in, sandbox, sandbox_account, device, settings):
    settings.LIGHT_ONE_EVERY = settings.LIGHT_LIST_EVERY = settings.LIGHT_PAUSE = 0
    sandbox_account.api_key, sandbox_account.static_token = "", sandbox.static_token
    sandbox_account.save()
    alice = make_user("alice@acme.example", account=sandbox_account)
    owner = make_owner(sandbox_account, "alice@acme.example", user=alice)
    phone = make_softphone(sandbox_account, owner, audian_id=device, sip_username="user_alice")
    return SetUpPage(signed_in(alice), phone.pk)


def test_it_waits_then_turns_green_when_the_phone_connects(page, sandbox, device):
    assert page.says == "Looking for your phone…"
    page.look()
    assert page.says == "Waiting for your phone to connect…"
    sandbox.register(device)
    page.look()
    assert page.says == "Connected — you’re done"
    assert page.is_green


def test_nothing_is_said_twice(page):
    assert page.look() == 200
    assert page.look() == 204


def test_a_connection_that_was_there_before_is_not_green(page, sandbox, device):
    sandbox.register(device)
    Softphone.objects.update(registered=True, registered_since=timezone.now() - timedelta(hours=2), seen_at=timezone.now())
    page.look()
    assert page.says.startswith("Already connected in another app since")
    assert not page.is_green


def seen_unconnected(seconds: int) -> None:
    """By another page, so many seconds ago."""
    Softphone.objects.update(registered=False, seen_at=timezone.now() - timedelta(seconds=seconds))


def test_a_phone_that_connects_before_the_first_look_of_a_page_that_says_waiting_is_green(page, sandbox, device, settings):
    settings.LIGHT_LIST_EVERY = 5
    seen_unconnected(seconds=2)
    page.open()
    assert page.says == "Waiting for your phone to connect…"
    sandbox.register(device)
    page.look()
    assert page.says == "Connected — you’re done"
    assert page.is_green


def test_a_phone_that_connects_while_the_page_slept_is_green_though_nobody_knows_since_when(page, sandbox, device):
    with time_machine.travel(timezone.now(), tick=False) as now:
        page.look()
        now.shift(timedelta(seconds=35))
        sandbox.register(device)
        page.look()
    assert page.says == "Connected — you’re done"
    assert "Your phone is ready for calls." in words(page.light)


def test_a_connection_that_may_be_older_than_the_page_is_not_green(page, sandbox, device, settings):
    settings.LIGHT_LIST_EVERY = 5
    seen_unconnected(seconds=10)
    sandbox.register(device)
    page.open()
    page.look()
    assert page.says.startswith("Already connected in another app since")
    assert not page.is_green


def test_it_goes_dark_again_when_the_phone_goes(page, sandbox, device):
    page.look()
    sandbox.register(device)
    page.look()
    sandbox.unregister(device)
    page.look()
    assert page.says == "Waiting for your phone to connect…"


def test_when_audian_does_not_answer_it_says_that_we_cannot_see(page, sandbox):
    sandbox.faults.add("503", times=None)
    page.look()
    assert page.says == "We can’t see right now"
    assert page.light["hx-trigger"].endswith("every 3s, look"), "it goes on looking"


def test_it_looks_every_few_seconds_and_stops_in_the_end(page):
    assert "every 3s" in page.light["hx-trigger"]
    with time_machine.travel(timezone.now() + LOOKS_FOR + timedelta(seconds=1)):
        page.look()
        assert page.says == "We stopped looking"
        assert not page.light.has_attr("hx-trigger")
        page.light = page.light.select_one("a[hx-get]")
        page.look()
    assert page.says == "Waiting for your phone to connect…"


def test_a_forged_time_stops_it(page):
    page.light["hx-get"] = page.light["hx-get"].split("?")[0] + "?looking=forever"
    page.look()
    assert page.says == "We stopped looking"


def test_without_htmx_its_address_leads_to_the_page(page):
    response = page.client.get(page.light["hx-get"])
    assert response["Location"] in page.light["hx-get"]
