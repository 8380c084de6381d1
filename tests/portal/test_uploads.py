"""Who sends too much reads so; who sends it slowly keeps a thread of the web server for a while only."""

import socket
import time
from contextlib import suppress
from threading import Thread

from django.core.exceptions import RequestDataTooBig
from django.core.handlers.wsgi import WSGIRequest
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import SocketUnreader

from portal import uploads

LENGTH = 3 * 1024 * 1024


def refused(connection: socket.socket):
    """The answer to a request of LENGTH bytes on this connection, as gunicorn hands it over."""
    body = Body(LengthReader(SocketUnreader(connection), LENGTH))
    asked = {"REQUEST_METHOD": "POST", "PATH_INFO": "/sign-in/", "SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    environ = {"CONTENT_LENGTH": str(LENGTH), "wsgi.input": body, "gunicorn.socket": connection}
    return uploads.bad_request(WSGIRequest(asked | environ), RequestDataTooBig("It has 3 MB."))


def test_all_of_it_is_taken_in_before_the_page_is_sent():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = Thread(target=theirs.sendall, args=[bytes(LENGTH)], daemon=True)
        sender.start()
        answer = refused(ours)
        sender.join(20)
        assert not sender.is_alive()
        assert answer.status_code == 413
        theirs.close()
        assert ours.recv(1) == b"", "nothing is left"


def test_a_sender_who_never_ends_is_answered_all_the_same(monkeypatch):
    monkeypatch.setattr(uploads, "LISTEN_SECONDS", 0.3)
    ours, theirs = socket.socketpair()
    sent = []

    def send_a_byte_now_and_then() -> None:
        with suppress(OSError):  # once nobody listens
            for _ in range(600):
                time.sleep(0.05)
                sent.append(theirs.send(b"x"))
        theirs.close()

    with ours, theirs:
        sender = Thread(target=send_a_byte_now_and_then)
        sender.start()
        answer = refused(ours)
        assert len(sent) < 600, "it was not waited for the end"
        assert answer.status_code == 413
        theirs.close()
        sender.join()


def test_one_who_goes_away_meanwhile_is_no_error():
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        assert refused(ours).status_code == 413
