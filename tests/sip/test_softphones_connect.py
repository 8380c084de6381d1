"""Real softphones, told only what the portal tells them, connect to a real registrar."""

import pytest

from softphones.clients import SipSettings
from softphones.clients.linphone import provisioning_document

from .conftest import OWN_REALM, PASSWORD, PLAIN_PASSWORD, PLAIN_USER, USER, VENDOR_REALM
from .phones import baresip, linphone, serving
from .registrar import wait_until

pytestmark = pytest.mark.sip

SECONDS = 60
HOSTILE_NAME = 'Zoë "<script>" \\ \u202eمرحبا\x00\r\n&amp; ' + "漢" * 100


def settings_for(registrar, **changes) -> SipSettings:
    settings = {
        "server": "localhost",
        "udp_port": registrar.udp_port,
        "tls_port": registrar.tls_port,
        "realm": OWN_REALM,
        "username": USER,
        "password": PASSWORD,
        "display_name": "Alice Smith",
        "number": "1001",
    }
    return SipSettings(**{**settings, **changes})


@pytest.fixture
def told(registrar):
    """What the registrar says from now on."""
    before = len(registrar.events())
    return lambda: registrar.events()[before:]


@pytest.fixture
def set_up_linphone(registrar, told, tmp_path):
    """Provision a fresh Linphone with the settings and return the registrar's first word and the requests it took."""

    def set_up(**changes):
        home = tmp_path / "linphone"
        document = provisioning_document(settings_for(registrar, **changes))
        with serving(document) as server, linphone(home, server.url, authority=registrar.certificate):
            wait_until(told, SECONDS, lambda: (home / "linphone.log").read_text(errors="replace")[-3000:])
        return told()[0], server.requests

    return set_up


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.parametrize("realm", [VENDOR_REALM, OWN_REALM])
def test_linphone_set_up_by_our_document_connects_in_its_realm(set_up_linphone, transport, realm):
    event, requests = set_up_linphone(transport=transport, realm=realm)
    assert event == ("connected", USER, realm, transport)
    assert requests == 1


def test_linphone_connects_under_a_hostile_display_name(set_up_linphone):
    event, _ = set_up_linphone(display_name=HOSTILE_NAME)
    assert event == ("connected", USER, OWN_REALM, "tls")


def test_linphone_connects_with_encrypted_media_and_stun_offered(set_up_linphone):
    event, _ = set_up_linphone(srtp=True, stun_server="127.0.0.1")
    assert event == ("connected", USER, OWN_REALM, "tls")


def test_linphone_connects_again_after_a_restart_without_asking_for_its_one_time_document(registrar, told, tmp_path):
    home = tmp_path / "linphone"
    with serving(provisioning_document(settings_for(registrar))) as server:
        with linphone(home, server.url, authority=registrar.certificate):
            wait_until(told, SECONDS, lambda: "the first start did not connect")
        first_run = len(told())
        with linphone(home, server.url, authority=registrar.certificate):
            wait_until(lambda: len(told()) > first_run, SECONDS, lambda: "the second start did not connect")
    assert {event[0] for event in told()} == {"connected"}
    assert server.requests == 1


def test_linphone_with_a_wrong_password_is_refused(set_up_linphone):
    event, _ = set_up_linphone(password="not the password")
    assert event == ("refused", USER, OWN_REALM, "tls")


@pytest.mark.parametrize("transport", ["udp", "tls"])
def test_baresip_set_up_from_the_generic_fields_connects(registrar, told, tmp_path, transport):
    home = tmp_path / "baresip"
    # baresip asks its own name server, which does not know localhost.
    settings = settings_for(registrar, server="127.0.0.1", username=PLAIN_USER, password=PLAIN_PASSWORD)
    with baresip(home, settings, transport, authority=registrar.certificate):
        wait_until(told, SECONDS, lambda: (home / "output.txt").read_text(errors="replace"))
    assert told()[0] == ("connected", PLAIN_USER, OWN_REALM, transport)


def test_baresip_with_a_wrong_password_is_refused(registrar, told, tmp_path):
    home = tmp_path / "baresip"
    settings = settings_for(registrar, server="127.0.0.1", username=PLAIN_USER, password="wrong-password")
    with baresip(home, settings, "udp", authority=registrar.certificate):
        wait_until(told, SECONDS, lambda: (home / "output.txt").read_text(errors="replace"))
    assert told()[0] == ("refused", PLAIN_USER, OWN_REALM, "udp")
