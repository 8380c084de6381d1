"""The next page is fetched while the current one is compared and written."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from django.db import connection, connections

from softphones.audian.documents import Page


def read_ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """The same pages, one fetched ahead in a thread of its own, and the errors that fetching raises, in their place.

    Inside a transaction they are fetched one after the other: the thread has a connection of its own, to which what the
    transaction wrote is not there yet.
    """
    if connection.in_atomic_block:
        yield from pages
        return
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as thread:
        lines = copy_context()  # its log lines belong where ours do
        upcoming = thread.submit(lines.run, next, pages, None)
        try:
            while (page := upcoming.result()) is not None:
                upcoming = thread.submit(lines.run, next, pages, None)
                yield page
        finally:
            thread.submit(connections.close_all).result()
