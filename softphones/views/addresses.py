"""Addresses that one page shows many of. Resolved once: Django takes longer to find an address than to show a row."""

from collections.abc import Callable
from functools import lru_cache

from django.urls import reverse


@lru_cache(maxsize=1024)
def of_account(name: str, slug: str) -> str:
    """The address called `name` among the staff pages of the account with this slug."""
    return reverse(name, args=[slug])


@lru_cache(maxsize=1024)
def for_rows(name: str, slug: str) -> Callable[[int], str]:
    """What tells the address called `name` of each row by its primary key, which stands last in the address."""
    before, _pk, after = reverse(name, args=[slug, 0]).rpartition("/0/")
    return lambda pk: f"{before}/{pk}/{after}"
