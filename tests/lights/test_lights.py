"""What a page says of a phone: connected, not, or unknown; and whether it was this set-up that worked."""

from datetime import timedelta

import pytest

from softphones import lights
from softphones.models import Softphone

pytestmark = pytest.mark.django_db


class TestComingAndGoing:
    def test_a_phone_nobody_has_looked_at_is_unknown(self, world):
        assert lights.last_seen(world.phone()) == lights.Light("unknown")

    def test_a_phone_connects_while_the_page_is_open(self, either):
        phone, opened = either.phone(), either.now
        assert either.watch(phone, opened_at=opened).state == "not_connected"
        either.later(3)
        either.register(phone)
        light = either.watch(phone, opened_at=opened)
        assert (light.state, light.fresh) == ("connected", True)
        assert opened <= light.since <= either.now
        either.later(3)
        assert either.watch(phone, opened_at=opened).fresh

    def test_a_phone_goes(self, either):
        phone = either.phone()
        either.register(phone)
        assert either.watch(phone).state == "connected"
        either.later(3)
        assert either.watch(phone).state == "connected"
        either.later(3)
        either.unregister(phone)
        light = either.watch(phone)
        assert (light.state, light.since, light.address, light.agent) == ("not_connected", None, "", "")

    def test_what_was_seen_can_be_shown_without_a_call(self, world):
        phone = world.phone()
        world.register(phone)
        world.watch(phone)
        world.calls()
        light = lights.last_seen(Softphone.objects.get())
        assert (light.state, light.seen_at) == ("connected", world.now)
        assert world.calls() == []

    def test_what_was_known_of_a_connection_is_not_claimed_of_one_found_long_after(self, world):
        phone = world.phone()
        world.register(phone, ago=7200, user_agent="Zoiper v5")
        for _ in range(2):
            light = world.watch(phone)
            world.later(3)
        assert light.agent == "Zoiper v5"
        world.later(3600)
        light = world.watch(phone)
        assert (light.state, light.since, light.address, light.agent) == ("connected", None, "", "")


class TestGreen:
    """Green means that this set-up worked: never a connection that was there before."""

    def test_not_for_a_connection_that_was_there_before(self, either):
        phone = either.phone()
        either.register(phone, ago=7200)
        for _ in range(4):
            light = either.watch(phone, opened_at=either.now)
            assert (light.state, light.fresh) == ("connected", False)
            either.later(3)

    def test_not_for_one_that_began_since_somebody_last_looked(self, either):
        phone = either.phone()
        either.watch(phone)
        either.later(7200)
        either.register(phone, ago=3600)
        either.later(1)
        opened = either.now
        for _ in range(4):
            assert not either.watch(phone, opened_at=opened).fresh
            either.later(3)

    def test_not_for_another_one_than_was_seen_long_ago(self, either):
        phone = either.phone()
        either.register(phone, ago=7200, port=1111)
        for _ in range(2):
            either.watch(phone)
            either.later(3)
        either.later(7200)
        either.unregister(phone)
        either.register(phone, ago=3600, port=2222)
        opened = either.now
        for _ in range(4):
            light = either.watch(phone, opened_at=opened)
            assert (light.state, light.fresh) == ("connected", False)
            either.later(3)
        assert light.address == "203.0.113.50:2222"

    def test_not_for_a_renewal(self, either):
        phone = either.phone()
        either.register(phone, ago=299, expires=300)
        opened = either.now
        for _ in range(4):
            assert not either.watch(phone, opened_at=opened).fresh
            either.later(3)

    def test_not_where_the_page_could_not_see_the_beginning(self, either):
        phone, opened = either.phone(), either.now
        either.sandbox.faults.add("503", times=1)
        either.watch(phone, opened_at=opened)
        either.register(phone)
        either.later(31)
        light = either.watch(phone, opened_at=opened)
        assert (light.state, light.fresh) == ("connected", False)

    def test_but_for_a_second_app_beside_the_first(self, world):
        phone = world.phone()
        world.register(phone, ago=7200, user_agent="Zoiper v5", port=1111)
        opened = world.now
        for _ in range(3):
            light = world.watch(phone, opened_at=opened)
            world.later(3)
        assert (light.agent, light.address, light.fresh) == ("Zoiper v5", "203.0.113.50:1111", False)
        assert light.since == opened.replace(microsecond=0) - timedelta(seconds=7200)
        world.register(phone, user_agent="Linphone/6", port=2222)
        light = world.watch(phone, opened_at=opened)
        assert (light.agent, light.address, light.fresh) == ("Linphone/6", "203.0.113.50:2222", True)

    def test_and_no_longer_when_the_second_one_leaves_and_the_first_stays(self, world):
        phone = world.phone()
        world.register(phone, ago=7200, port=1111)
        opened = world.now
        for _ in range(2):
            world.watch(phone, opened_at=opened)
            world.later(3)
        world.register(phone, port=2222)
        assert world.watch(phone, opened_at=opened).fresh
        world.unregister(phone)
        world.register(phone, ago=7200, port=1111)
        world.later(3)
        light = world.watch(phone, opened_at=opened)
        assert (light.address, light.fresh) == ("203.0.113.50:1111", False)

    def test_another_address_is_another_connection_at_the_vendors_server_too(self, make_world):
        world = make_world(dialect="page")
        phone = world.phone()
        world.register(phone, ago=7200, port=1111)
        opened = world.now
        assert not world.watch(phone, opened_at=opened).fresh
        world.later(3)
        world.unregister(phone)
        world.register(phone, port=2222)
        assert world.watch(phone, opened_at=opened).fresh


class TestUnknown:
    """Absent and empty are unknown, never offline."""

    def test_empty_lists_prove_nothing(self, world):
        phone = world.phone()
        world.register(phone)
        world.sandbox.faults.add("empty_listing", times=None)
        world.sandbox.faults.add("registrations_empty", times=None)
        assert world.watch(phone).state == "unknown"

    def test_they_do_not_undo_what_was_seen(self, world):
        phone = world.phone()
        world.register(phone)
        seen = world.watch(phone)
        world.sandbox.faults.add("empty_listing", times=None)
        world.sandbox.faults.add("registrations_empty", times=None)
        world.later(30)
        assert world.watch(phone) == seen

    def test_after_a_minute_nobody_knows_any_more_but_what_was_seen_is_kept(self, world):
        phone = world.phone()
        world.register(phone)
        seen_at = world.now
        world.watch(phone)
        world.sandbox.faults.add("503", times=None)
        world.later(59)
        assert world.watch(phone).state == "connected"
        world.later(2)
        light = world.watch(phone)
        assert (light.state, light.seen_at) == ("unknown", seen_at)
        assert lights.last_seen(Softphone.objects.get()).state == "connected"

    def test_a_server_without_with_status_tells_who_is_there(self, world):
        """Kazoo 4.3: the list says nothing about registrations."""
        here, away = world.phone("here"), world.phone("away")
        world.register(here, user_agent="Linphone/6")
        world.sandbox.faults.add("empty_listing", times=None)
        seen = world.watch(here, away)
        assert (seen[here.pk].state, seen[here.pk].agent) == ("connected", "Linphone/6")
        assert seen[away.pk].state == "unknown"

    def test_kazoo_is_not_believed_about_a_phone_in_a_realm_of_its_own(self, world):
        phone = world.phone(realm="other.sip.example")
        assert world.watch(phone).state == "unknown"
        world.register(phone)
        world.later(5)
        assert world.watch(phone).state == "connected"

    @pytest.mark.parametrize(
        "fields", [{"enabled": False}, {"audian_id": None}, {"sip_username": ""}, {"gone_at": "2026-01-01T00:00Z"}]
    )
    def test_a_phone_that_cannot_connect_costs_no_call(self, world, fields):
        phone = world.phone()
        Softphone.objects.update(**fields)
        assert world.watch(phone).state == "unknown"
        assert world.calls() == []

    def test_no_phones_no_lights(self, world):
        assert lights.watch(softphones=[], now=world.now) == {}
