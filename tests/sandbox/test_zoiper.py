"""Zoiper's picture of a QR code, and the XML behind it."""

import io
from xml.etree import ElementTree

import pytest
import requests
import zxingcpp
from PIL import Image

TOKEN = "a-one-time-token&<odd>"


def picture(caller, **query):
    query = {"provider_id": caller.sandbox.zoiper_provider_id, "t": TOKEN, **query}
    return requests.get(f"{caller.root}/qr.php", params=query, timeout=30)


def decoded(png):
    image = Image.open(io.BytesIO(png))
    (code,) = zxingcpp.read_barcodes(image.convert("L"))
    return code.text


def read(answer):
    return ElementTree.fromstring(answer.content)  # noqa: S314 - the sandbox is trusted


def test_the_picture_is_a_png_that_leads_to_the_token(api):
    answer = picture(api, h="acme.sip.audian.com", o="sip.audian.com:5061", tr="2")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    pointer = decoded(answer.content)
    assert pointer.startswith(f"{api.root}/")
    assert TOKEN not in pointer
    found = requests.get(pointer, timeout=30)
    assert found.headers["Content-Type"].startswith("text/xml")
    xml = read(found)
    assert xml.findtext("token_url") == "http://127.0.0.1:8000/zoiper?id="
    assert xml.findtext("token") == TOKEN
    assert (xml.findtext("host"), xml.findtext("outbound_proxy")) == ("acme.sip.audian.com", "sip.audian.com:5061")
    assert xml.findtext("transport") == "2"


def test_the_picture_has_its_quiet_zone_and_is_small(api):
    png = picture(api).content
    image = Image.open(io.BytesIO(png)).convert("L")
    assert image.width == image.height
    edge = 4 * 6
    assert all(image.getpixel((x, y)) == 255 for x in range(image.width) for y in range(edge))
    assert len(png) < 200_000


@pytest.mark.parametrize("query", [{"provider_id": "0" * 32}, {"provider_id": ""}, {"t": ""}])
def test_a_wrong_provider_id_or_a_missing_token_is_404_in_html(api, query):
    answer = picture(api, **query)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html")


def test_other_addresses_are_404_in_html(api):
    for path in ("/", "/zoiper-provisioning/unknown", "/v3"):
        answer = requests.get(api.root + path, timeout=30)
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html")
    assert requests.post(f"{api.root}/qr.php", timeout=30).status_code == 405


def test_the_token_url_is_a_switch():
    from .conftest import calling

    with calling(zoiper_token_url="https://phones.example/zoiper?id=") as api:
        xml = read(requests.get(decoded(picture(api).content), timeout=30))
        assert xml.findtext("token_url") == "https://phones.example/zoiper?id="


def test_faults_reach_the_picture_only_when_they_name_it(api):
    api.sandbox.faults.add("503")
    assert picture(api).status_code == 200
    api.sandbox.faults.clear()
    for name, status in (("html_200", 200), ("503", 503)):
        api.sandbox.faults.add(name, path="/qr.php")
        answer = picture(api)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
    api.sandbox.faults.add("cut_after", path="/qr.php")
    with pytest.raises(requests.ConnectionError):
        picture(api)


def test_it_counts_as_a_call_but_not_against_the_limit(limited):
    picture(limited)
    assert [call.below for call in limited.sandbox.calls] == ["/qr.php"]
    assert limited.get("").json()["tokens"]["remaining"] == 99
