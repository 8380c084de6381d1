"""Never doubled, never lost: whatever dies, freezes, is cut off or edited, each wish ends exactly once."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.changes.world import World

PHONES = st.integers(0, 2)
STEPS = st.sampled_from(["claimed", "calling", "answered", "recording", "recorded"])
FROZEN = st.sampled_from(["claimed", "calling", "answered"])
CUTS = ["cut_before", "cut_after", "truncated_body"]
FAULTS = st.sampled_from([*CUTS, *CUTS, "500", "503", "html_502", "html_200", "409", "empty_listing"])
EDITS = st.sampled_from(["name", "password", "extra", "remove", "take_username"])
SAYS = st.sampled_from(["GET", "PUT", "POST", "DELETE", ""])
ACTS = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(["", "", "frontdesk"])),
    st.tuples(st.sampled_from(["rename", "rename", "switch", "number", "reset", "delete"]), PHONES),
    st.tuples(st.just("fault"), FAULTS, SAYS, st.booleans()),
    st.tuples(st.just("edit"), EDITS, st.sampled_from(["now", "GET", "PUT", "POST"])),
    st.tuples(st.just("crash"), STEPS, st.integers(0, 3)),
    st.tuples(st.just("freeze"), FROZEN, st.integers(0, 3)),
    st.tuples(st.sampled_from(["drain", "mirror"])),
)


@pytest.fixture
def worlds(account, sandbox, admin):
    """Makes one world after the other at the same Audian."""
    current = []
    sandbox.on_request(lambda method, path: current[-1].noticed(method, path) if current else None)

    def make() -> World:
        current.clear()
        world = World(account, sandbox, admin)
        current.append(world)
        return world

    return make


@pytest.fixture
def quick(settings):
    settings.CREATE_AGAIN_AFTER = 0.03
    settings.CHANGE_RETRY = settings.PAUSE_FIRST = 0.002
    settings.RETRY_MOST = 0.01
    settings.DRAIN_LINGER = 0.1
    settings.DRAIN_WIDTH = settings.DRAIN_BULK_WIDTH = 2


@settings(
    max_examples=500,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schedule=st.lists(ACTS, min_size=4, max_size=14))
def test_each_wish_ends_exactly_once(quick, worlds, schedule):
    world = worlds()
    world.play(schedule)
    world.check()
