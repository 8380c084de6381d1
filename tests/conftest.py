"""The world of most tests: one account, Alice with a phone, a colleague, a stranger in another account, and a sandbox."""

import hypothesis
import pytest

from softphones.audian.sandbox import Sandbox, serve
from tests.append_only import lift_for_flushes  # noqa: F401
from tests.factories import make_account, make_owner, make_softphone, make_user
from tests.loopback import pytest_configure  # noqa: F401
from tests.once import pytest_collection_modifyitems  # noqa: F401
from tests.reporting import pytest_report_header  # noqa: F401

# What a test finds must not depend on how busy the machine is.
hypothesis.settings.register_profile("any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("any machine")


@pytest.fixture
def sandbox():
    """An empty stand-in for Audian, served on loopback; `sandbox.url` is its address."""
    sandbox = Sandbox(devices=0)
    with serve(sandbox) as url:
        sandbox.url = url
        yield sandbox


@pytest.fixture
def account(db):
    return make_account(slug="acme")


@pytest.fixture
def sandbox_account(db, sandbox):
    """The account whose API is the sandbox."""
    return make_account(slug="acme", api_url=sandbox.url, audian_id=sandbox.account_id, api_key=sandbox.api_key)


@pytest.fixture
def alice(account):
    """A person with one phone, linked."""
    return make_user("alice@acme.example", account=account, name="Alice Smith")


@pytest.fixture
def alices_phone(account, alice):
    return make_softphone(account, make_owner(account, "alice@acme.example", user=alice))


@pytest.fixture
def bob(account):
    """A colleague of Alice's."""
    return make_user("bob@acme.example", account=account, name="Bob Jones")


@pytest.fixture
def mallory(db):
    """Somebody hostile with an account of their own elsewhere."""
    return make_user("mallory@evil.example", account=make_account(slug="evil", company_name="Evil"))
