"""People who get mail, and templates under a strict eye."""

import pytest

from softphones import mail
from softphones.models import Message
from tests.pages.conftest import signed_in, undefined_variables_fail  # noqa: F401
from tests.people.conftest import ceo, ceo_owner  # noqa: F401
from tests.staff.conftest import admin, helpdesk  # noqa: F401


@pytest.fixture
def ask(account, alices_phone):
    """Ask for a mail to Alice about her phone, at a time that the test chooses."""

    def ask(now, kind=Message.Kind.SETUP_LINK, **more):
        return mail.ask(kind=kind, account=account, now=now, **{"softphone": alices_phone} | more)

    return ask
