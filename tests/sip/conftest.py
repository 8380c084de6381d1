"""The SIP laboratory: everything on loopback, started for these tests and stopped after them."""

import os
import shutil

import pytest

from .phones import BARESIP_MODULES
from .registrar import Registrar

USER = "alice_softphone"
PASSWORD = "a&b<c>\"d' é;=%#"
PLAIN_USER, PLAIN_PASSWORD = "bob_softphone", "S3cret-p4ss"
VENDOR_REALM, OWN_REALM = "sip.audian.com", "acme.sip.audian.com"

PROGRAMS = {"kamailio": "kamailio kamailio-tls-modules", "linphonec": "linphone-cli", "baresip": "baresip-core"}


def missing() -> list[str]:
    """The Debian packages that these tests need and this machine lacks."""
    absent = [packages for program, packages in PROGRAMS.items() if shutil.which(program) is None]
    if not BARESIP_MODULES.is_dir() and PROGRAMS["baresip"] not in absent:
        absent.append(PROGRAMS["baresip"])
    return absent


@pytest.fixture(scope="session")
def registrar(tmp_path_factory):
    """A running registrar that knows Alice and Bob in the vendor's realm and in the account's own."""
    if absent := missing():
        reason = f"Real SIP software is missing. Install it with: apt-get install {' '.join(absent)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    people = {USER: PASSWORD, PLAIN_USER: PLAIN_PASSWORD}
    accounts = {(user, realm): people[user] for user in people for realm in (VENDOR_REALM, OWN_REALM)}
    registrar = Registrar(tmp_path_factory.mktemp("registrar"), accounts)
    registrar.start()
    yield registrar
    registrar.stop()
