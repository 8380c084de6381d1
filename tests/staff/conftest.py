"""Staff at their pages: an admin and somebody of the helpdesk, each in a browser that has shown its second factor."""

import pytest

from tests.pages.conftest import mirrored, signed_in, undefined_variables_fail  # noqa: F401
from tests.staffing import staff_browser


@pytest.fixture
def admin(account):
    return staff_browser(account, "admin", "adam@acme.example", name="Adam Admin")


@pytest.fixture
def helpdesk(account):
    return staff_browser(account, "helpdesk", "helen@acme.example", name="Helen Desk")
