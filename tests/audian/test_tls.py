"""The same promises over TLS, with certificates made for the test."""

import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from softphones.audian import errors
from softphones.audian.client import AudianClient
from softphones.audian.credentials import StaticToken

ACCOUNT = "a" * 32
BODY = b'{"data": {"id": "%s", "realm": "acme.sip.audian.com"}, "status": "success"}' % ACCOUNT.encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY)


@pytest.fixture
def certified(tmp_path):
    """(certificate file, a server's TLS context): a certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return str(tmp_path / "certificate.pem"), context


def caller(server, **options) -> AudianClient:
    url = server.url.replace("http:", "https:")
    return AudianClient(url=url, account_id=ACCOUNT, credentials=StaticToken("token"), **options)


def test_an_answer_over_tls_is_read(rude, certified):
    ca_file, tls = certified
    assert caller(rude(HEAD + BODY, tls=tls), ca_file=ca_file).account().realm == "acme.sip.audian.com"


def test_a_body_that_drips_over_tls_is_cut_at_the_deadline(rude, certified):
    ca_file, tls = certified
    server = rude(HEAD, *[b" "] * 1000, pause=0.05, tls=tls)
    with pytest.raises(errors.TimedOut):
        caller(server, ca_file=ca_file, deadline=0.5).account()
    assert server.finished == 0


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(rude, certified):
    server = rude(HEAD + BODY, tls=certified[1])
    with pytest.raises(errors.Unreachable, match="certificate") as caught:
        caller(server).delete_device("b" * 32)
    assert not caught.value.doubtful
    assert server.requests == []


def test_a_certificate_for_another_name_is_refused(rude, certified):
    ca_file, tls = certified
    server = rude(HEAD + BODY, tls=tls)
    url = server.url.replace("http://127.0.0.1", "https://localhost")
    client = AudianClient(url=url, account_id=ACCOUNT, credentials=StaticToken("token"), ca_file=ca_file)
    with pytest.raises(errors.Unreachable, match="certificate"):
        client.account()
    assert server.requests == []


def test_a_handshake_that_hangs_is_given_up_at_the_deadline(rude):
    server = rude(b"", pause=60)
    with pytest.raises(errors.Unreachable):
        caller(server, deadline=0.3).account()
    assert server.finished == 0
