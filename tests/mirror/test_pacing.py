"""We slow down before the API makes us: nobody waits longer than their urgency allows, and nobody is starved."""

import threading
import time

import pytest
from django.db import connection, transaction

from softphones import pacing
from softphones.models import Bucket
from softphones.pacing import TooBusy, Urgency
from tests.mirror.conftest import account_on, look, plant_phones, present

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _pace(settings, _no_pacing):
    """Buckets as in production, but slow, so that what happens while a test runs does not count."""
    settings.API_BUCKET_SIZE, settings.API_TOKENS_PER_SECOND = 100, 0.01


def reserve(urgency, cost=1, bucket="account:1"):
    return pacing.reserve(bucket, cost=cost, urgency=urgency)


def left(bucket="account:1") -> int:
    return round(Bucket.objects.get(name=bucket).tokens)


def test_a_full_bucket_lets_a_burst_through_at_once():
    assert [reserve(Urgency.PERSON) for _ in range(90)] == [0.0] * 90


def test_bulk_leaves_a_share_for_people():
    while reserve(Urgency.BULK) == 0.0:
        pass
    assert left() == 20
    assert reserve(Urgency.PERSON) == 0.0


def test_a_person_waits_their_turn_and_no_longer_than_they_would(settings):
    settings.API_TOKENS_PER_SECOND = 0.2
    waits = []
    while (wait := reserve(Urgency.PERSON)) is not None:
        waits.append(wait)
    assert waits[:90] == [0.0] * 90
    assert waits == sorted(waits)
    assert 15 < waits[-1] <= 20


def test_a_light_finds_its_share_when_people_used_up_everything_else():
    while reserve(Urgency.PERSON) == 0.0:
        pass
    assert reserve(Urgency.LIGHT) == 0.0


def test_a_light_finds_a_little_even_if_people_have_reserved_ahead(settings):
    settings.API_TOKENS_PER_SECOND = 2
    for _ in range(200):
        reserve(Urgency.PERSON)
    assert left() < 0
    lights = [reserve(Urgency.LIGHT) for _ in range(20)]
    assert lights[:4] == [0.0] * 4
    assert lights[-1] is None


def test_a_light_never_waits():
    Bucket.objects.create(name="account:1", tokens=0, at=time.time())
    Bucket.objects.create(name="account:1:lights", tokens=0, at=time.time())
    waited = []
    with pytest.raises(TooBusy):
        pacing.wait_for("account:1", cost=1, urgency=Urgency.LIGHT, meanwhile=lambda: waited.append(1))
    assert waited == []


def test_accounts_do_not_slow_each_other_down():
    while reserve(Urgency.BULK, bucket="account:1") == 0.0:
        pass
    assert reserve(Urgency.BULK, bucket="account:2") == 0.0


def test_two_log_ins_pass_and_the_third_waits(settings):
    settings.API_TOKENS_PER_SECOND = 1
    waits = [reserve(Urgency.PERSON, cost=35, bucket=pacing.LOG_INS) for _ in range(3)]
    assert waits[:2] == [0.0, 0.0]
    assert waits[2] > 1


def test_a_bucket_refills_but_never_beyond_its_size():
    Bucket.objects.create(name="account:1", tokens=5, at=0)
    reserve(Urgency.PERSON)
    assert left() == 99


def test_what_the_api_says_lowers_our_count_and_never_raises_it():
    reserve(Urgency.PERSON)
    pacing.heard("account:1", 40)
    assert left() == 40
    pacing.heard("account:1", 80)
    assert left() == 40


def test_a_call_that_costs_more_than_the_bucket_holds_still_passes(settings):
    settings.API_BUCKET_SIZE = 10
    assert [reserve(urgency, cost=35, bucket=str(urgency)) for urgency in Urgency] == [0.0] * 3


@pytest.mark.parametrize(("size", "rate"), [(0, 9.5), (95, 0)])
def test_pacing_can_be_turned_off(settings, size, rate):
    settings.API_BUCKET_SIZE, settings.API_TOKENS_PER_SECOND = size, rate
    assert {reserve(Urgency.BULK) for _ in range(200)} == {0.0}
    assert not Bucket.objects.exists()


def test_bulk_goes_on_as_soon_as_there_is_room(settings):
    settings.API_TOKENS_PER_SECOND = 20
    Bucket.objects.create(name="account:1", tokens=-10, at=time.time())
    signs = []
    pacing.wait_for("account:1", cost=1, urgency=Urgency.BULK, meanwhile=lambda: signs.append(time.monotonic()))
    assert len(signs) >= 2, "whoever holds a lease can keep it meanwhile"


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_inside_a_transaction():
    with pytest.raises(RuntimeError), transaction.atomic():
        reserve(Urgency.PERSON)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_no_more_than_there_is(settings):
    settings.API_BUCKET_SIZE = 40
    passed, start = [], threading.Barrier(8)

    def race():
        start.wait()
        passed.extend([reserve(Urgency.LIGHT, bucket="shared") for _ in range(10)])
        connection.close()

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    of_the_small_one = 2
    assert passed.count(0.0) == 40 + of_the_small_one


def test_a_run_never_hears_a_429_from_a_server_that_counts(db, served, settings):
    settings.API_BUCKET_SIZE, settings.API_TOKENS_PER_SECOND = 95, 9.5
    settings.API_PAGE_SIZE = 1
    sandbox = served(rate_limit=True)
    account = account_on(sandbox)
    planted = plant_phones(sandbox, 70)
    assert look(account).state == "complete"
    assert 429 not in {call.status for call in sandbox.calls}
    assert present() == set(planted)
