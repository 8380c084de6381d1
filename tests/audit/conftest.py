"""Staff who read the history, and templates under a strict eye."""

from tests.pages.conftest import signed_in, undefined_variables_fail  # noqa: F401
from tests.staff.conftest import admin, helpdesk  # noqa: F401
