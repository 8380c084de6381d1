"""Real softphones without a screen: Linphone's console and baresip, each with a fresh home of its own."""

import os
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from softphones.clients import generic_fields

BARESIP_MODULES = Path("/usr/lib/baresip/modules")  # where Debian's package puts them; baresip does not look there unasked


class DocumentServer(ThreadingHTTPServer):
    """One document at one address on loopback; `requests` counts who asked for it."""

    def __init__(self, document: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.document = document.encode()
        self.requests = 0
        self.url = f"http://127.0.0.1:{self.server_port}/s/one-time"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.requests += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(self.server.document)))
        self.end_headers()
        self.wfile.write(self.server.document)

    def log_message(self, *arguments: object) -> None:
        """Quiet: the test counts requests instead."""


@contextmanager
def serving(document: str):
    """Serve `document` while the block runs."""
    with DocumentServer(document) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def linphone(home: Path, url: str, *, authority: Path):
    """A Linphone told only the address of its document; started again in the same home, it is told nothing anew.

    `authority`: the certificate that it trusts.
    """
    config = home / "linphonerc"
    if not config.exists():
        for folder in (".local/share/linphone", ".config/linphone"):  # without both, the core never starts, silently
            (home / folder).mkdir(parents=True)
        ports = "sip_port=-1\nsip_tcp_port=-1\nsip_tls_port=-1"
        config.write_text(f"[misc]\nconfig-uri={url}\n[sip]\n{ports}\nroot_ca={authority}\n")
    command = ["linphonec", "-c", str(config), "-d", "4", "-l", str(home / "linphone.log")]
    with _running(command, home, goodbye="quit\n") as process:
        yield process


@contextmanager
def baresip(home: Path, settings, transport: str, *, authority: Path):
    """A baresip whose account holds what a person copies from the generic fields, and nothing else."""
    copied = {field.key: field.value for field in generic_fields(settings)}
    port = copied["port_tls" if transport == "tls" else "port_udp"]
    account = (
        f"<sip:{copied['username']}@{copied['realm']};transport={transport}>;auth_user={copied['username']}"
        f';auth_pass={copied["password"]};outbound="sip:{copied["server"]}:{port};transport={transport}";regint=60\n'
    )
    home.mkdir()
    (home / "accounts").write_text(account)
    (home / "config").write_text(
        f"sip_cafile {authority}\nnet_interface 127.0.0.1\nsip_listen 127.0.0.1:0\n"
        f"module_path {BARESIP_MODULES}\nmodule_tmp uuid.so\nmodule_tmp account.so\n"
    )
    with _running(["baresip", "-4", "-f", str(home)], home) as process:
        yield process


@contextmanager
def _running(command: list[str], home: Path, goodbye: str = ""):
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    with (home / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=home, env=environment, text=True, stdin=subprocess.PIPE, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        _end(process, goodbye)


def _end(process: subprocess.Popen, goodbye: str) -> None:
    """Ask nicely, then not."""
    if not goodbye:
        process.terminate()
    try:
        process.communicate(goodbye or None, timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
