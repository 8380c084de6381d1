"""A real SIP registrar (Kamailio) on loopback, on free ports, with a certificate of its own."""

import hashlib
import shutil
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from softphones.demo.place import free_port

TEMPLATE = Path(__file__).with_name("registrar.cfg")
START_SECONDS = 60


class Registrar:
    """Accounts are `{(username, realm): password}`. `events()` tells who connected or was refused, and over what."""

    def __init__(self, folder: Path, accounts: dict[tuple[str, str], str]) -> None:
        self.folder = folder
        self.certificate, self.key = make_certificate(folder)
        self.udp_port, self.tls_port = free_port(), free_port()
        self.log = folder / "kamailio.log"
        self._config = folder / "kamailio.cfg"
        self._config.write_text(self._fill(accounts))

    def start(self) -> None:
        command = [shutil.which("kamailio") or "", "-f", self._config, "-Y", self.folder, "-w", self.folder]
        command += ["-DD", "-E", "-m", "32", "-M", "4"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._listens, START_SECONDS, lambda: f"Kamailio did not start:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)

    def events(self) -> list[tuple[str, str, str, str]]:
        """`(connected or refused, username, realm, transport)`, oldest first."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [tuple(line.split(" LAB ")[1].split()) for line in lines if " LAB " in line]

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"Kamailio stopped:\n{self.log.read_text()[-2000:]}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.tls_port)) == 0

    def _fill(self, accounts: dict[tuple[str, str], str]) -> str:
        hashed = "\n".join(
            f'    $sht(ha1=>{user}@{realm}) = "{ha1(user, realm, password)}";' for (user, realm), password in accounts.items()
        )
        values = {
            "UDP_PORT": str(self.udp_port),
            "TLS_PORT": str(self.tls_port),
            "KEY": str(self.key),
            "CERTIFICATE": str(self.certificate),
            "HA1": hashed,
        }
        text = TEMPLATE.read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        return text


def ha1(user: str, realm: str, password: str) -> str:
    """What digest authentication keeps of a password (RFC 3261, 22.4)."""
    return hashlib.md5(f"{user}:{realm}:{password}".encode(), usedforsecurity=False).hexdigest()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, which is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return paths


def wait_until(done, seconds: float, complaint) -> None:
    """Ask `done()` ten times a second. Raises AssertionError with `complaint()` when the time is up."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise AssertionError(complaint())
        time.sleep(0.1)
