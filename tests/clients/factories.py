"""SIP settings of one phone, as the tests like them."""

from xml.etree import ElementTree as ET

from softphones.clients import SipSettings

PASSWORD = "a&b<c>\"d' é;=%#"


def make_settings(**changes) -> SipSettings:
    """Alice's phone in an account whose realm is not the server's name, as on Kazoo."""
    settings = {
        "server": "sip.audian.com",
        "udp_port": 5060,
        "tls_port": 5061,
        "realm": "acme.sip.audian.com",
        "username": "user_8k3mq2xw7a",
        "password": PASSWORD,
        "display_name": "Alice Smith",
        "number": "1001",
    }
    return SipSettings(**{**settings, **changes})


def parsed(document: str) -> ET.Element:
    """The root of a document that our own code wrote."""
    return ET.fromstring(document.encode())  # noqa: S314 - nothing here comes from outside
