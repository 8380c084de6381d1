"""How much a request may bring along, and what is said where it is more."""

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

MOST_BYTES = 32 * 1024 * 1024  # more than any form takes, so that the form itself can say how much a file has


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
        return HttpResponse(render_to_string("413.html", {"back": request.path}), status=413)
    return defaults.bad_request(request, exception)
