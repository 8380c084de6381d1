"""One exchange: the deadline is total, sizes are bounded, and nothing is sent where it should not go."""

import contextlib
import logging
import socket
import threading
import time

import pytest
from urllib3.util import Retry

from softphones.audian import errors
from softphones.audian.client import AudianClient
from softphones.audian.credentials import ApiKey, StaticToken
from softphones.audian.transport import Transport, checked_base

ACCOUNT = "a" * 32
TOKEN = "a-token-nobody-may-see"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def caller(url, **options) -> AudianClient:
    return AudianClient(url=url, account_id=ACCOUNT, credentials=StaticToken(TOKEN), **options)


def answer(body: bytes) -> bytes:
    return OK + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


def redirect(to: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


@pytest.fixture
def gives_up(rude):
    """The server has far more to say than fits into the deadline: the client gives up when that is over, and not before."""

    def check(*pieces: bytes, pause: float) -> None:
        server = rude(*pieces, pause=pause)
        client = caller(server.url, deadline=0.3)
        started = time.monotonic()
        with pytest.raises(errors.TimedOut):
            client.account()
        assert time.monotonic() - started >= 0.3
        assert server.finished == 0

    return check


def test_a_body_that_drips_is_cut_at_the_deadline(gives_up):
    gives_up(OK + b"Content-Length: 5000\r\n\r\n", *[b" "] * 1000, pause=0.05)


def test_headers_that_drip_are_cut_at_the_deadline(gives_up):
    gives_up(b"HTTP/1.1 200 OK\r\n", *[b"X-Slow: 1\r\n"] * 99, pause=0.1)


def test_a_server_that_says_nothing_is_cut_at_the_deadline(gives_up):
    gives_up(b"", pause=60)


def test_several_requests_can_share_one_deadline(rude):
    server = rude(b"", pause=60)
    client = caller(server.url, deadline=30)
    with client.within(0.3):
        with pytest.raises(errors.TimedOut):
            client.account()
        with pytest.raises(errors.TimedOut, match="no time left"):
            client.account()
    assert server.finished == 0


def test_a_refused_connection_is_never_doubtful():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        client = caller(f"http://127.0.0.1:{deaf.getsockname()[1]}/v2")
        with pytest.raises(errors.Unreachable) as caught:
            client.delete_device("b" * 32)
    assert not caught.value.doubtful


def test_a_connection_that_was_never_made_is_tried_again(monkeypatch):
    found = []
    # Bound and not listening: whoever connects is refused.
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.settimeout(30)

    def answer():
        connection, _ = listener.accept()
        with connection:
            found.append(connection.recv(65_536))
            connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    server = threading.Thread(target=answer, daemon=True)

    def while_the_client_waits(retry, response=None):
        if not server.ident:
            listener.listen()
            server.start()

    monkeypatch.setattr(Retry, "sleep", while_the_client_waits)
    with listener:
        caller(f"http://127.0.0.1:{listener.getsockname()[1]}/v2").delete_device("b" * 32)
        server.join(30)
    assert found[0].startswith(b"DELETE /v2/accounts/")


def test_a_name_that_does_not_exist_is_unreachable(monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(errors.Unreachable):
        caller("https://api.audian.test/v2").account()


def test_the_next_address_of_a_name_is_tried_if_the_first_refuses(rude, monkeypatch):
    server = rude(answer(b'{"data": {"id": "%s"}, "status": "success"}' % ACCOUNT.encode()))
    resolve = socket.getaddrinfo

    def two_addresses(host, *args, **kwargs):
        hosts = ("127.0.0.2", "127.0.0.1") if host == "localhost" else (host,)
        return [found for one in hosts for found in resolve(one, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    assert caller(server.url.replace("127.0.0.1", "localhost")).account().id == ACCOUNT


def test_a_connection_that_hangs_is_given_up_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as waiting:
        address = full.getsockname()
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(address)
        started = time.monotonic()
        with pytest.raises(errors.Unreachable):
            caller(f"http://127.0.0.1:{address[1]}/v2", deadline=0.3).account()
        assert time.monotonic() - started < 60, "the system alone would try for two minutes"


def test_many_calls_share_one_connection(client, plant, caplog):
    device = plant()
    with caplog.at_level(logging.DEBUG, "urllib3"):
        for _ in range(3):
            client.device(device)
            with pytest.raises(errors.NotFound):
                client.device("b" * 32)
    assert caplog.text.count("Starting new HTTP connection") == 1


def test_a_certificate_that_is_not_trusted_is_named(rude):
    server = rude(b"not TLS at all")
    with pytest.raises(errors.Unreachable, match="certificate"):
        caller(server.url.replace("http:", "https:")).account()


def test_a_connection_that_breaks_is_not_tried_again(rude):
    server = rude()
    with pytest.raises(errors.CutOff) as caught:
        caller(server.url).account()
    assert server.connections == 1
    assert not caught.value.doubtful, "a GET changes nothing"


def test_a_write_that_breaks_is_doubtful_and_not_tried_again(rude):
    server = rude()
    with pytest.raises(errors.CutOff) as caught:
        caller(server.url).delete_device("b" * 32)
    assert server.connections == 1
    assert caught.value.doubtful


def test_a_body_that_ends_too_soon_is_not_an_answer(rude):
    with pytest.raises(errors.NotOurAnswer):
        caller(rude(OK + b'Content-Length: 500\r\n\r\n{"data": {"id"').url).account()


def test_an_answer_larger_than_we_read_is_dropped_before_it_is_all_there(rude):
    server = rude(OK + b"Content-Length: 10000000\r\n\r\n" + b" " * 200_000, pause=60)
    with pytest.raises(errors.TooLarge):
        Transport(deadline=30, max_bytes=1000).send("GET", server.url, headers={}, body=None)


def test_a_redirect_is_not_followed(rude):
    elsewhere = rude(answer(b"{}"))
    with pytest.raises(errors.NotOurAnswer, match="leads to another address"):
        caller(rude(redirect(elsewhere.url, b"more")).url).account()
    assert elsewhere.connections == 0


def test_the_body_of_a_redirect_is_bounded_like_any_other(rude):
    server = rude(redirect("https://elsewhere.test/", b" " * 200_000))
    with pytest.raises(errors.TooLarge):
        Transport(deadline=30, max_bytes=1000).send("GET", server.url, headers={}, body=None)


def test_proxies_and_netrc_of_the_environment_are_not_used(rude, monkeypatch, tmp_path):
    proxy = rude(answer(b"{}"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password netrc-password")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    server = rude(answer(b'{"data": {"id": "%s"}, "status": "success"}' % ACCOUNT.encode()))
    assert caller(server.url).account().id == ACCOUNT
    assert proxy.connections == 0
    assert b"Authorization" not in server.requests[0]


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>502 Bad Gateway</body></html>",
        b"",
        b"null",
        b"[]",
        b'{"data": NaN',
        b"[" * 100_000,
        b'{"status": "success"}',
        b'{"data": {}, "status": "error"}',
        b'{"data": {"id": "another account"}, "status": "success"}',
        b"\xff\xfe\x00garbage",
    ],
)
def test_anything_but_audians_json_is_not_our_answer(rude, body):
    with pytest.raises(errors.NotOurAnswer):
        caller(rude(answer(body)).url).account()


@pytest.mark.parametrize("url", ["https://api.audian.com:8443/v2", "http://127.0.0.1:1/v2", "http://[::1]:1/v2/"])
def test_https_anywhere_and_http_to_this_machine_are_allowed(url):
    assert checked_base(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.audian.com/v2",
        "http://127.0.0.1.evil.example/v2",
        "ftp://127.0.0.1/",
        "https://me:hush@api.audian.com/v2",
        "https://api.audian.com/v2?auth_token=hush",
        "https://",
        "http://[bad",
        "",
    ],
)
def test_other_addresses_are_refused_in_a_sentence_without_the_address(url):
    with pytest.raises(errors.BadAddress) as caught:
        caller(url)
    assert "hush" not in str(caught.value)


def test_plain_http_elsewhere_has_to_be_allowed():
    assert checked_base("http://audian.test/v2", allow_http=True) == "http://audian.test/v2"


@pytest.mark.parametrize("token", ["line\nbreak", "eu€ro", "two words", ""])
def test_a_token_that_no_header_can_hold_is_refused_without_being_quoted(rude, token):
    server = rude(answer(b"{}"))
    client = AudianClient(url=server.url, account_id=ACCOUNT, credentials=StaticToken(token))
    with pytest.raises(errors.Unauthorised) as caught:
        client.account()
    assert not token or token not in str(caught.value)
    assert server.connections == 0


def test_an_exception_of_the_http_library_does_not_travel_along(rude):
    with pytest.raises(errors.CutOff) as caught:
        caller(rude().url).account()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("id", ["..", ".", "", "a/b", "a?b", "a b"])
def test_an_id_that_would_change_the_address_is_not_sent(rude, id):
    server = rude(answer(b"{}"))
    with pytest.raises(errors.FaultyRequest):
        caller(server.url).delete_device(id)
    assert server.connections == 0


def test_an_account_id_that_would_change_the_address_is_not_sent(rude):
    server = rude(answer(b"{}"))
    client = AudianClient(url=server.url, account_id="../x", credentials=ApiKey("k" * 64))
    with pytest.raises(errors.Unauthorised):
        client.device("b" * 32)
    assert server.connections == 0
