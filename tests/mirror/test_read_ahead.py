"""A run outside of any transaction, as in production, fetches the next page while it writes the current one."""

import threading

import pytest
from django.db import connection

from tests.mirror.conftest import account_on, look, plant_phones, present

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(sandbox, settings):
    settings.API_PAGE_SIZE = 3
    settings.API_BUCKET_SIZE = 95
    return account_on(sandbox)


def at_page(sandbox, number, act):
    asked = iter(range(1, 1000))

    def watch(method, path):
        if path.endswith("/devices") and next(asked) == number:
            act()

    sandbox.on_request(watch)


def test_all_pages_arrive_once_and_in_order(account, sandbox):
    planted = plant_phones(sandbox, 10)
    run = look(account)
    assert (run.state, run.created, run.pages) == ("complete", 10, 5)
    assert present() == set(planted)
    assert run.calls == len(sandbox.calls)


@pytest.mark.parametrize("fault", ["503", "cut_before", "html_200"])
def test_trouble_at_a_later_page_ends_the_run_with_what_came_before(account, sandbox, fault):
    plant_phones(sandbox, 10)
    at_page(sandbox, 3, lambda: sandbox.faults.add(fault, times=None))
    run = look(account)
    assert (run.state, run.created) == ("failed", 6)
    sandbox.faults.clear()
    assert look(account).created == 4


def test_a_token_that_expires_meanwhile_is_renewed(account, sandbox):
    planted = plant_phones(sandbox, 10)
    at_page(sandbox, 3, sandbox.expire_tokens)
    assert look(account).state == "complete"
    assert present() == set(planted)


def test_neither_a_thread_nor_a_connection_stays_behind(account, sandbox):
    plant_phones(sandbox, 10)
    at_page(sandbox, 3, lambda: sandbox.faults.add("503", times=None))
    look(account)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            assert cursor.fetchone()[0] == 1
