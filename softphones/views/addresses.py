"""Addresses for the rows of a long list."""

from collections.abc import Callable

from django.urls import reverse


def for_rows(name: str, slug: str) -> Callable[[int], str]:
    """What tells the address called `name` of each row by its primary key, which stands last in the address.

    Resolved once: Django takes longer to find an address than to show the rest of a row.
    """
    before, _pk, after = reverse(name, args=[slug, 0]).rpartition("/0/")
    return lambda pk: f"{before}/{pk}/{after}"
