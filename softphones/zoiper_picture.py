"""Zoiper's own QR code, as a picture fetched by our server: the visitor's browser never talks to a third party."""

import logging

from django.conf import settings

from softphones.audian.errors import AccountTrouble
from softphones.audian.transport import Transport
from softphones.clients import SipSettings
from softphones.clients.zoiper import provider_qr_url

log = logging.getLogger(__name__)

PNG = b"\x89PNG\r\n\x1a\n"


def fetch(*, provider_id: str, token: str, sip: SipSettings) -> bytes | None:
    """The PNG that the Zoiper app scans, in token mode: it holds `token`, never the password.

    Asks `ZOIPER_QR_URL` once, for ZOIPER_QR_DEADLINE seconds in all, follows no redirect, and takes a PNG of at most
    ZOIPER_QR_BYTES. None for anything else; the log says why, without the address, which holds the token.
    """
    transport = Transport(deadline=settings.ZOIPER_QR_DEADLINE, max_bytes=settings.ZOIPER_QR_BYTES)
    try:
        answer = transport.send(
            "GET", provider_qr_url(settings.ZOIPER_QR_URL, provider_id, token, sip), headers={"Accept": "image/png"}, body=None
        )
    except AccountTrouble as trouble:
        log.warning("Zoiper's code service gave no picture: %s", type(trouble).__name__)
        return None
    finally:
        transport.close()
    if answer.status != 200 or not answer.body.startswith(PNG):
        log.warning("Zoiper's code service gave no picture: status %s, %s bytes", answer.status, len(answer.body))
        return None
    return answer.body
