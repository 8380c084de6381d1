"""The QR code, as a camera would see it."""

import re

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from softphones.clients import qr_svg
from tests.clients.factories import parsed

SVG = "{http://www.w3.org/2000/svg}"
ADDRESS = "https://phones.acme.example/s/" + "Ab1-_" * 9
SCALE = 6
MODULE = re.compile(r"M(\d+),(\d+)H(\d+)V(\d+)H(\d+)z")


def drawn(svg: str) -> Image.Image:
    """The picture that a browser shows: the white ground, then every dark module."""
    root = parsed(svg)
    size = int(float(root.get("viewBox").split()[2]))
    picture = Image.new("RGB", (size * SCALE, size * SCALE), "#888")
    brush = ImageDraw.Draw(picture)
    ground, path = root
    assert (ground.tag, ground.get("width"), ground.get("height")) == (f"{SVG}rect", "100%", "100%")
    brush.rectangle((0, 0, size * SCALE, size * SCALE), fill=ground.get("fill"))
    modules = MODULE.findall(path.get("d"))
    assert MODULE.sub("", path.get("d")) == ""
    for left, top, right, bottom, _ in modules:
        corners = [int(left) * SCALE, int(top) * SCALE, int(right) * SCALE - 1, int(bottom) * SCALE - 1]
        brush.rectangle(corners, fill=path.get("fill"))
    return picture


@pytest.mark.parametrize("payload", [ADDRESS, 'Zoë & <b>"漢"', "x" * 1000])
def test_the_code_reads_back_as_what_went_in(payload):
    assert zxingcpp.read_barcode(drawn(qr_svg(payload, "QR code"))).text == payload


def test_the_code_has_its_quiet_zone_of_four_modules():
    picture = drawn(qr_svg(ADDRESS, "QR code")).convert("L")
    left, top, right, bottom = picture.point(lambda light: 255 - light).getbbox()
    assert (left, top) == (4 * SCALE, 4 * SCALE)
    assert (picture.width - right, picture.height - bottom) == (4 * SCALE, 4 * SCALE)


def test_the_code_survives_damage_to_a_tenth_of_it():
    picture = drawn(qr_svg(ADDRESS, "QR code"))
    middle, half = picture.width // 2, picture.width // 10
    ImageDraw.Draw(picture).rectangle((middle - half, middle - half, middle + half, middle + half), fill="#fff")
    assert zxingcpp.read_barcode(picture).text == ADDRESS


def test_the_code_is_spoken_and_its_label_is_escaped():
    label = 'QR code for "Zoë\'s" <script>\x00 & more'
    root = parsed(qr_svg(ADDRESS, label))
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == label.replace("\x00", "")


def test_the_code_needs_nothing_that_a_strict_content_security_policy_blocks():
    svg = qr_svg(ADDRESS, "QR code")
    assert "style" not in svg
    assert set(parsed(svg).attrib) == {"viewBox", "role", "aria-label"}


def test_a_payload_that_no_code_can_hold_is_a_value_error():
    with pytest.raises(ValueError):
        qr_svg("x" * 3000, "QR code")
