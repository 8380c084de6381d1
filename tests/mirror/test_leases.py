"""A lease belongs to one, until it lapses by the database's clock; whoever lost it can't write any more."""

import threading
import time

import pytest
from django.db import connection
from django.db.models import F

from softphones import leases
from softphones.leases import LeaseLost
from softphones.models import Lease
from tests.factories import make_account

pytestmark = pytest.mark.django_db


def test_a_lease_is_taken_once():
    assert leases.take("work", 60)
    assert leases.take("work", 60) is None
    assert leases.take("other work", 60)


def test_a_released_lease_can_be_taken_at_once():
    leases.take("work", 60).release()
    assert leases.take("work", 60)


def test_a_lease_that_lapsed_can_be_taken():
    leases.take("work", 0.05)
    time.sleep(0.1)
    assert leases.take("work", 60)


def test_each_taking_raises_the_epoch():
    first = leases.take("work", 60)
    first.release()
    assert leases.take("work", 60).epoch == first.epoch + 1


def test_a_renewed_lease_lasts():
    lease = leases.take("work", 600)
    for _ in range(3):
        Lease.objects.update(held_until=F("held_until") - 599)
        lease.renew()
    Lease.objects.update(held_until=F("held_until") - 300)
    assert leases.take("work", 60) is None


def test_a_lapsed_lease_that_nobody_took_can_be_renewed():
    lease = leases.take("work", 0.05)
    time.sleep(0.1)
    lease.renew()


def test_who_was_replaced_can_neither_renew_nor_release():
    late = leases.take("work", 0)
    assert leases.take("work", 60)
    late.release()
    with pytest.raises(LeaseLost):
        late.renew()
    assert leases.take("work", 60) is None


def test_who_was_replaced_writes_nothing():
    account = make_account(company_name="Before")
    late = leases.take("work", 0)
    leases.take("work", 60)
    with pytest.raises(LeaseLost), late.writing():
        type(account).objects.update(company_name="After")
    account.refresh_from_db()
    assert account.company_name == "Before"


def test_an_error_while_writing_takes_everything_back():
    account = make_account(company_name="Before")
    lease = leases.take("work", 60)

    def fail_half_way():
        with lease.writing():
            type(account).objects.update(company_name="After")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    account.refresh_from_db()
    assert account.company_name == "Before"


def test_the_clock_is_the_databases(time_machine):
    time_machine.move_to("2001-01-01")
    lease = leases.take("work", 60)
    assert Lease.objects.get(name=lease.name).held_until > 1_700_000_000


@pytest.mark.django_db(transaction=True)
def test_of_sixteen_at_the_same_moment_one_gets_it():
    got, start = [], threading.Barrier(16)

    def race():
        start.wait()
        got.append(leases.take("work", 60))
        connection.close()

    threads = [threading.Thread(target=race) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 16
    assert len([lease for lease in got if lease]) == 1
