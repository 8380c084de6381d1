"""How much a request may bring along, and what is said where it is more."""

import socket
import time
from contextlib import suppress
from threading import Timer

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

MOST_BYTES = 32 * 1024 * 1024  # more than any form takes, so that the form itself can say how much a file has
LISTEN_SECONDS = 10
_AT_ONCE = 64 * 1024


class RefuseHuge(FileUploadHandler):
    """Refuses a request with files before any of it is read, or written to a disk that others need."""

    def handle_raw_input(self, input_data, META, content_length, boundary, encoding=None):
        if content_length > MOST_BYTES:
            raise RequestDataTooBig(f"The request has {content_length} bytes.")

    def receive_data_chunk(self, raw_data, start):
        return raw_data  # for the next handler

    def file_complete(self, file_size):
        return None


def bad_request(request, exception):
    """The page for requests that can't be answered; one that is too large is told so."""
    if isinstance(exception, RequestDataTooBig):
        _hear_out(request)
        return HttpResponse(render_to_string("413.html", {"back": request.path}), status=413)
    return defaults.bad_request(request, exception)


def _hear_out(request) -> None:
    """Take in what is still being sent, and drop it: who is answered in between reads an error instead of the page.

    The web server closes the connection after its answer, and what nobody has read resets it. Somebody who sends a byte
    now and then would keep this thread, one of a few, for as long as they like, since a read returns with all that it was
    asked for: so the connection hears nothing more once the time is over, and the read ends.
    """
    until = time.monotonic() + LISTEN_SECONDS
    over = Timer(LISTEN_SECONDS, _hear_no_more, [request.META.get("gunicorn.socket")])
    over.daemon = True
    over.start()
    with suppress(OSError):  # of a sender who has gone away
        while time.monotonic() < until and request.read(_AT_ONCE):
            pass
    over.cancel()


def _hear_no_more(connection: socket.socket | None) -> None:
    with suppress(OSError):
        if connection:
            connection.shutdown(socket.SHUT_RD)
