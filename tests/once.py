"""Most tests run on both pairs of servers (tests/pairs.py); those that touch neither database nor broker run once."""

import pytest

TOUCHING = {"db", "transactional_db", "live_server"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.get_closest_marker("django_db") and TOUCHING.isdisjoint(item.fixturenames):
            item.add_marker("once")
