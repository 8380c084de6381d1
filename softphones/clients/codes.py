"""QR codes as inline SVG: dark on white in every theme, with their quiet zone, and nothing a strict CSP would block."""

from xml.etree import ElementTree as ET

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathImage

from .xml_document import clean


def qr_svg(payload: str, label: str) -> str:
    """One `<svg>` element with the QR code of `payload`; `label` is its spoken name.

    Raises ValueError for a payload that no code of this correction level holds (above some 2,300 bytes).
    """
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=4, image_factory=SvgPathImage)
    code.add_data(payload)
    code.make(fit=True)
    drawn = ET.fromstring(code.make_image().to_string(encoding="unicode"))  # noqa: S314 - drawn by us, a line above
    path = next(each for each in drawn if each.tag.endswith("path"))
    size = {"viewBox": drawn.get("viewBox", "")}
    svg = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size, "role": "img", "aria-label": clean(label)})
    ET.SubElement(svg, "rect", width="100%", height="100%", fill="#fff")
    ET.SubElement(svg, "path", {"d": path.get("d", ""), "fill": "#000", "shape-rendering": "crispEdges"})
    return ET.tostring(svg, encoding="unicode")
