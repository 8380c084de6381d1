"""People who get mail."""

from tests.people.conftest import ceo, ceo_owner  # noqa: F401
