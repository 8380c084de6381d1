"""Databases for one measurement each."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """An empty database beside the one that this address names; gone afterwards. Yields its address.

    "" stays "", which is an SQLite file of the portal's own. Raises psycopg.Error if it can't be made.
    """
    if not server:
        yield ""
        return
    name = f"softphone_portal_benchmark_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
