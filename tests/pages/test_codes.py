"""The QR code on the set-up page: Zoiper's own where there is a provider id, else our one-time address."""

import base64
import hashlib
import io
import re
from datetime import timedelta

import pytest
import zxingcpp
from PIL import Image

from softphones.models import SetupLink
from softphones.zoiper_picture import PNG
from tests.pages.conftest import HTMX, PASSWORD, soup, words


@pytest.fixture
def draw(signed_in, alice, alices_phone):
    """Press "Show the code" for an app; answers with the fragment."""
    browser = signed_in(alice)
    return lambda app: browser.post(f"/softphones/{alices_phone.pk}/code/", {"app": app}, headers=HTMX)


@pytest.fixture
def provider(account, sandbox, settings):
    """The account has a provider id, and Zoiper's service is the sandbox's."""
    settings.ZOIPER_QR_URL = sandbox.url.removesuffix("/v2") + "/qr.php"
    account.zoiper_provider_id = sandbox.zoiper_provider_id
    account.save()
    return sandbox


def test_linphone_gets_our_own_code_which_it_takes_in(draw):
    response = draw("linphone")
    code = soup(response).select_one("#code")
    assert "Scan this with Linphone." in words(code)
    svg = code.select_one(".picture svg[role=img]")
    assert svg["aria-label"] == "QR code that sets up Alice Smith - softphone"
    assert svg.rect["fill"] == "#fff"
    assert svg.path["fill"] == "#000"
    assert "style" not in re.findall(r"<svg[^>]*>", str(svg))[0]


def test_each_press_draws_a_new_link_and_says_until_when_it_works(draw, settings):
    draw("linphone")
    code = soup(draw("linphone")).select_one("#code")
    assert SetupLink.objects.count() == 2
    assert int(code["data-lapses-in"]) == settings.SETUP_LINK_SECONDS
    link = SetupLink.objects.latest("id")
    assert link.expires_at - link.made_at == timedelta(seconds=settings.SETUP_LINK_SECONDS)
    assert "New code" in words(code)


def test_zoiper_without_a_provider_id_is_never_said_to_take_the_code_in(draw, signed_in, alice, alices_phone):
    page = signed_in(alice).get(f"/softphones/{alices_phone.pk}/?app=zoiper")
    assert "Scan the code" not in words(soup(page).select_one(".steps"))
    assert "Zoiper itself does not take this code in." in words(page)
    assert "Scan this with your phone’s camera." in words(draw("zoiper"))


def test_zoiper_with_a_provider_id_gets_zoipers_picture_from_our_own_address(draw, provider, signed_in, alice, alices_phone):
    page = signed_in(alice).get(f"/softphones/{alices_phone.pk}/?app=zoiper")
    assert "Scan the code" in words(soup(page).select_one(".steps"))
    picture = soup(draw("zoiper")).select_one(".picture img")
    kind, _, data = picture["src"].partition(",")
    assert kind == "data:image/png;base64"
    png = base64.b64decode(data)
    assert png.startswith(PNG)
    assert zxingcpp.read_barcode(Image.open(io.BytesIO(png))), "a decoder has to read it"


def test_the_password_goes_to_nobody_but_a_one_time_token_does(draw, provider):
    provider.calls.clear()
    draw("zoiper")
    call = next(call for call in provider.calls if "qr.php" in call.path)
    assert PASSWORD not in str(call)
    assert (call.query.get("u", ""), call.query.get("p", "")) == ("", "")
    assert SetupLink.objects.get().token_hash == hashlib.sha256(call.query["t"].encode()).hexdigest()


@pytest.mark.parametrize(
    "fault", [{"name": "503"}, {"name": "html_200"}, {"name": "slow", "seconds": 2}, {"name": "cut_before"}]
)
def test_when_zoipers_service_fails_the_page_says_so_and_shows_our_own_code(draw, provider, settings, fault):
    settings.ZOIPER_QR_DEADLINE = 0.5
    provider.faults.add(**fault, path="/qr.php")
    code = soup(draw("zoiper")).select_one("#code")
    assert "Zoiper’s code service does not answer" in words(code)
    assert code.select_one(".picture svg[role=img]")
    assert "Scan this with your phone’s camera." in words(code)


def test_a_picture_that_is_too_large_is_not_taken(draw, provider, settings):
    settings.ZOIPER_QR_BYTES = 100
    assert "does not answer" in words(draw("zoiper"))


def test_the_log_of_a_failure_holds_no_token(draw, provider, caplog):
    provider.faults.add("503", path="/qr.php")
    draw("zoiper")
    assert "gave no picture" in caplog.text
    assert not re.search(r"[\w-]{43}", caplog.text)
