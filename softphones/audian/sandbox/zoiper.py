"""What the portal uses of Zoiper's OEM service: a picture of a QR code, and what the app finds behind it.

The bytes inside Zoiper's own QR codes are not published; that Zoiper receives an XML with `<token_url>` and `<token>`
is (oem.zoiper.com/docs/token-based-provisioning). So the code drawn here points to this sandbox, which answers that XML.
"""

import io
import secrets
import struct
import threading
import zlib
from collections import OrderedDict
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import qrcode
from qrcode.constants import ERROR_CORRECT_M

from .envelope import Request, Response, html_response

POINTER = "/zoiper-provisioning/"
MOST_POINTERS = 1000
MODULE_PIXELS = 6
QUIET_ZONE = 4


class ZoiperService:
    """Knows one provider id and the Token URL that its owner has set."""

    def __init__(self, provider_id: str, token_url: str):
        self.provider_id = provider_id
        self.token_url = token_url
        self._lock = threading.Lock()
        self._pointers: OrderedDict[str, dict[str, str]] = OrderedDict()

    def respond(self, request: Request) -> Response:
        """Answer /qr.php and what its pictures point to; 404 in HTML for everything else."""
        if request.method != "GET":
            return html_response(405, "405 Method Not Allowed")
        if request.path == "/qr.php":
            return self._picture(request)
        if request.path.startswith(POINTER):
            return self._provisioning(request.path.removeprefix(POINTER))
        return html_response(404, "404 Not Found")

    def _picture(self, request: Request) -> Response:
        if request.query.get("provider_id") != self.provider_id or not request.query.get("t"):
            return html_response(404, "404 Not Found")
        key = secrets.token_hex(16)
        with self._lock:
            self._pointers[key] = {name: request.query.get(name, "") for name in ("t", "h", "o", "tr")}
            while len(self._pointers) > MOST_POINTERS:
                self._pointers.popitem(last=False)
        host = urlsplit(f"//{request.host}").netloc or "127.0.0.1"
        return Response(200, {"Content-Type": "image/png"}, png_of(f"http://{host}{POINTER}{key}"))

    def _provisioning(self, key: str) -> Response:
        with self._lock:
            pointer = self._pointers.get(key)
        if pointer is None:
            return html_response(404, "404 Not Found")
        overrides = "".join(
            f"<{tag}>{escape(pointer[name])}</{tag}>"
            for name, tag in (("h", "host"), ("o", "outbound_proxy"), ("tr", "transport"))
            if pointer[name]
        )
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f"<provisioning><token_url>{escape(self.token_url)}</token_url><token>{escape(pointer['t'])}</token>"
            f"{overrides}</provisioning>"
        )
        return Response(200, {"Content-Type": "text/xml; charset=utf-8"}, xml.encode())


def png_of(text: str) -> bytes:
    """A QR code as a PNG: black on white, one bit a pixel, with its quiet zone."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE)
    code.add_data(text)
    code.make(fit=True)
    rows = [[dark for dark in row for _ in range(MODULE_PIXELS)] for row in code.get_matrix()]
    side = len(rows) * MODULE_PIXELS
    line = (side + 7) // 8
    image = io.BytesIO()
    for row in rows:
        bits = "".join("0" if dark else "1" for dark in row).ljust(line * 8, "0")
        image.write((b"\0" + int(bits, 2).to_bytes(line, "big")) * MODULE_PIXELS)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(image.getvalue())) + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
