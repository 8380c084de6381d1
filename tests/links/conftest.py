"""Alice has drawn a one-time link for her phone; browsers and softphones come to its address."""

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import timezone

from softphones import setup_links

PASSWORD = "wP7kq3hTz9mB"
UNKNOWN = "A" * 43
CHROME = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/142.0 Mobile Safari/537.36"
HTML = {"User-Agent": CHROME, "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
LINPHONE = {"User-Agent": "LinphoneAndroid/6.0.21 (Pixel 9) LinphoneSDK/5.4.0", "X-Linphone-Provisioning": "1"}
ZOIPER = {"User-Agent": "Zoiper v5.6.4", "Accept": "*/*"}


@pytest.fixture
def draw(alice, alices_phone) -> Callable[[], setup_links.Drawn]:
    return lambda: setup_links.draw(softphone=alices_phone, user=alice, ip="192.0.2.7", now=timezone.now())


@pytest.fixture
def drawn(draw) -> setup_links.Drawn:
    return draw()


@pytest.fixture
def address(drawn) -> str:
    """The path of Alice's link on our own address."""
    return f"/s/{drawn.token}"


@pytest.fixture
def browser() -> Client:
    return Client(headers=HTML)


@pytest.fixture
def other_browser() -> Client:
    return Client(headers=HTML)


@pytest.fixture
def softphone_app() -> Client:
    """Something that sends just the headers a test gives it."""
    return Client()


def heading(response) -> str:
    return BeautifulSoup(response.content, "html.parser").h1.get_text()


def works(response) -> bool:
    return response.status_code == 200 and "Open my set-up" in response.text


def is_dead(response) -> bool:
    return response.status_code == 404 and heading(response) == "This link does not work"


@pytest.fixture
def comparable() -> Callable[..., tuple]:
    """What two answers have to share to look the same: all but the form token, the time of day and the request's own id."""

    def of(response) -> tuple:
        token = response.context["csrf_token"]
        own = {"Content-Length", "Expires", "X-Request-ID"}
        headers = {name: value for name, value in response.headers.items() if name not in own}
        return response.status_code, tuple(sorted(headers.items())), response.text.replace(str(token), "")

    return of
