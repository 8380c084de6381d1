"""What the lights cost: how many calls, how long a page waits, and what happens when Audian is in trouble."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from softphones import lights
from softphones.models import ApiToken, Softphone

FAILURES = ["403", "423", "429", "500", "503", "html_502", "html_200", "empty_body_200", "cut_before", "truncated_body"]


def at_once(*jobs):
    """What these return, each from a thread with a database connection of its own."""

    def run(job):
        try:
            return job()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [each.result() for each in [pool.submit(run, job) for job in jobs]]


class Held:
    """A world whose Audian holds each call until `meanwhile` has done something else; `was_told` says whether it has."""

    def __init__(self, world, then=""):
        self._arrived, self._told = threading.Event(), threading.Event()
        self.was_told = None
        if then:
            world.sandbox.faults.add(then, times=None)
        world.sandbox.on_request(self._hold)

    def _hold(self, method, path):
        self._arrived.set()
        self.was_told = self._told.wait(30)

    def meanwhile(self, act):
        def once_it_arrived():
            assert self._arrived.wait(30)
            done = act()
            self._told.set()
            return done

        return once_it_arrived


@pytest.mark.django_db
class TestCalls:
    def test_one_phone_costs_its_own_status_every_two_seconds(self, make_world):
        world = make_world(dialect="page")
        phone = world.phone()
        for _ in range(20):
            world.watch(phone)
            world.later(0.5)
        assert world.calls() == [f"GET /devices/{phone.audian_id}/status"] * 5

    def test_the_route_that_kazoo_does_not_have_is_asked_for_once(self, world):
        phone = world.phone()
        for _ in range(4):
            world.watch(phone)
            world.later(3)
        assert world.calls() == [f"GET /devices/{phone.audian_id}/status", *["GET /devices"] * 4]

    def test_several_phones_cost_one_list_for_all_every_five_seconds(self, either):
        phones = [either.phone(f"user_{number}") for number in range(4)]
        for _ in range(5):
            for phone in phones:
                either.watch(phone)
        either.calls()
        for _ in range(60):
            for phone in phones:
                either.watch(phone)
            either.later(0.5)
        assert either.calls() == ["GET /devices"] * 6

    def test_a_phone_that_no_page_watches_any_more_is_not_asked_about(self, world):
        left, stays = world.phone("left"), world.phone("stays")
        world.watch(left, stays)
        world.later(25)
        world.calls()
        world.watch(stays)
        assert f"GET /devices/{stays.audian_id}/status" in world.calls()

    def test_more_phones_than_one_call_can_name_take_turns(self, world):
        phones = [world.phone(f"user_with_a_rather_long_name_{number}") for number in range(400)]
        for _ in range(4):
            seen = world.watch(*phones)
            world.later(6)
        assert world.calls() == ["GET /devices"] * 4
        assert {light.state for light in seen.values()} == {"not_connected"}

    def test_a_failure_darkens_the_account_for_half_a_minute(self, world):
        phone, other = world.phone(), world.phone("bob")
        world.watch(phone, other)
        world.calls()
        world.sandbox.faults.add("503", times=1)
        world.later(6)
        for _ in range(29):
            world.watch(phone, other)
            world.later(1)
        assert world.calls() == ["GET /devices"]
        world.later(2)
        assert {light.state for light in world.watch(phone, other).values()} == {"not_connected"}

    @pytest.mark.parametrize("failure", FAILURES)
    def test_whatever_fails_costs_one_call_and_no_error(self, world, failure):
        phone, other = world.phone(), world.phone("bob")
        world.sandbox.faults.add(failure, times=None)
        for _ in range(3):
            assert {light.state for light in world.watch(phone, other).values()} == {"unknown"}
            world.later(6)
        assert world.calls() == ["GET /devices"]

    def test_an_address_that_is_none_costs_no_error(self, make_world):
        world = make_world(account={"api_url": "ftp://audian.example"})
        assert world.watch(world.phone()).state == "unknown"

    def test_nor_does_a_portal_without_credentials(self, make_world):
        world = make_world(account={"static_token": ""})
        assert world.watch(world.phone()).state == "unknown"


@pytest.mark.django_db
class TestLogIn:
    """A light never logs in."""

    @pytest.fixture
    def world(self, make_world):
        world = make_world(account={"static_token": ""})
        world.account.api_key = world.sandbox.api_key
        world.account.save()
        return world

    def test_without_a_token_there_is_no_call_but_the_mirror_is_woken(self, world, django_capture_on_commit_callbacks):
        phone = world.phone()
        with django_capture_on_commit_callbacks() as woken:
            for _ in range(9):
                assert world.watch(phone).state == "unknown"
                world.later(3)
        assert world.calls() == []
        assert len(woken) == 1

    def test_it_sees_again_soon_after_the_mirror_has_logged_in(self, world):
        phone = world.phone()
        world.watch(phone)
        ApiToken.objects.create(account=world.account, token=world.sandbox.static_token)
        world.later(6)
        assert world.watch(phone).state == "not_connected"

    def test_a_token_that_is_refused_costs_one_call(self, world):
        phone = world.phone()
        ApiToken.objects.create(account=world.account, token=world.sandbox.state.issue_token())
        world.sandbox.expire_tokens()
        for _ in range(3):
            assert world.watch(phone).state == "unknown"
        assert world.calls() == [f"GET /devices/{phone.audian_id}/status"]


@pytest.mark.django_db
class TestWriting:
    def test_a_page_marks_its_phone_at_most_every_ten_seconds(self, world):
        phone = world.phone()
        marks = set()
        for _ in range(12):
            world.watch(phone)
            marks.add(Softphone.objects.get().watched_at)
            world.later(2)
        assert len(marks) == 2

    def test_many_phones_are_written_with_few_statements(self, world):
        few, many = [world.phone(f"few{n}") for n in range(2)], [world.phone(f"many{n}") for n in range(150)]

        def statements(phones):
            fresh = list(Softphone.objects.filter(pk__in=[each.pk for each in phones]))
            world.later(30)
            with CaptureQueriesContext(connection) as queries:
                lights.watch(softphones=fresh, now=world.now)
            return len(queries)

        statements(few)
        assert statements(many) <= statements(few) + 1


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    @pytest.mark.parametrize("fault", ["slow", "drip"])
    def test_no_page_waits_longer_than_the_deadline(self, world, settings, fault):
        settings.LIGHT_DEADLINE = 1
        phone = world.phone()
        world.sandbox.faults.add(fault, times=None, seconds=300 if fault == "slow" else 0.4)
        began = time.monotonic()
        assert world.watch(phone).state == "unknown"
        assert time.monotonic() - began < 60, "it waited for the answer"
        assert world.calls()

    def test_while_one_page_asks_the_others_tell_what_was_seen(self, world, settings):
        settings.LIGHT_DEADLINE = 60
        phone = world.phone()
        asking = Held(world)
        light, other = at_once(lambda: world.watch(phone), asking.meanwhile(lambda: world.watch(phone)))
        assert (light.state, other.state) == ("not_connected", "unknown")
        assert asking.was_told, "the second page waited for the first one"

    def test_an_account_in_trouble_does_not_darken_another(self, make_world, settings):
        settings.LIGHT_DEADLINE = 60
        slow, quick = make_world(), make_world(seed=2)
        stuck, fine = slow.phone("stuck"), quick.phone("fine")
        asking = Held(slow, then="503")
        light, other = at_once(lambda: slow.watch(stuck), asking.meanwhile(lambda: quick.watch(fine)))
        assert (light.state, other.state) == ("unknown", "not_connected")
        assert asking.was_told, "the second account waited for the first one"

    def test_a_page_with_phones_in_both_gets_what_there_is_in_one_deadline(self, make_world, settings):
        settings.LIGHT_DEADLINE = 2
        slow, quick = make_world(), make_world(seed=2)
        slow.sandbox.faults.add("slow", times=None, seconds=300)
        stuck, fine = slow.phone("stuck"), quick.phone("fine")
        began = time.monotonic()
        seen = slow.watch(fine, stuck) | slow.watch(fine, stuck)
        assert time.monotonic() - began < 60, "it waited for the answer"
        assert (seen[stuck.pk].state, seen[fine.pk].state) == ("unknown", "not_connected")
        assert len(slow.calls()) == 1

    def test_three_hundred_open_pages_cost_no_more_than_one_list_every_five_seconds(self, world, settings):
        """Twelve threads play 300 pages that ask as fast as they can; the settings' seconds are a tenth of the real ones."""
        settings.LIGHT_LIST_EVERY, settings.LIGHT_ONE_EVERY = 0.5, 0.2
        phones = [world.phone(f"user_{number}") for number in range(300)]
        began = time.monotonic()
        lights.watch(softphones=list(Softphone.objects.all()), now=timezone.now())
        calls = world.sandbox.calls

        def poll(part):
            polls = 0
            while len(calls) < 4 and time.monotonic() - began < 60:
                for phone in part:
                    lights.watch(softphones=[Softphone.objects.get(pk=phone.pk)], now=timezone.now())
                    polls += 1
            return polls

        polls = sum(at_once(*[lambda part=phones[n::12]: poll(part) for n in range(12)]))
        assert polls >= 300
        assert 4 <= len(calls) <= (time.monotonic() - began) / 0.5 + 1
        assert Softphone.objects.filter(registered=False).count() == 300
