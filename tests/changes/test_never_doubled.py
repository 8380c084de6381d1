"""Never doubled, never lost: whatever dies, freezes, is cut off or edited, each wish ends exactly once."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.changes.world import World

PHONES = st.sampled_from([0, 0, 0, 1, 2])
CUTS = ["cut_before", "cut_after", "truncated_body"]
FAULTS = st.sampled_from([*CUTS, *CUTS, "500", "503", "html_502", "html_200", "409", "empty_listing"])
EDITS = st.sampled_from(["name", "password", "extra", "remove", "take_username"])
WISHES = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(["", "", "frontdesk"])),
    st.tuples(st.sampled_from(["rename", "rename", "switch", "number", "label", "reset", "reset", "delete"]), PHONES),
    st.tuples(st.just("give"), PHONES, st.sampled_from([0, 1, None])),
    st.tuples(st.just("bulk"), st.sampled_from(["switch", "number", "label", "reset"]), PHONES),
)
TROUBLES = st.one_of(
    st.tuples(st.just("fault"), FAULTS, st.sampled_from(["GET", "PUT", "POST", "DELETE", ""]), st.booleans()),
    st.tuples(st.just("edit"), EDITS, st.sampled_from(["now", "GET", "PUT", "POST"])),
    st.tuples(st.just("mirror")),
    st.tuples(st.sampled_from(["pause", "pause", "resume", "cancel"])),
)
STEPS = ["claimed", "calling", "answered", "recording", "recorded"]
DRAINS = st.one_of(
    st.tuples(st.just("crash"), st.sampled_from(STEPS), st.sampled_from([0, 0, 1, 2])),
    st.tuples(st.just("freeze"), st.sampled_from(["claimed", "calling", "answered"]), st.sampled_from([0, 0, 1, 2])),
    st.tuples(st.just("drain")),
)
ROUNDS = st.tuples(st.lists(WISHES, min_size=1, max_size=3), st.lists(TROUBLES, max_size=2), DRAINS)


# The protocol is the same on both; on PostgreSQL fewer keep a run of all tests short.
SCHEDULES = 500 if connection.vendor == "sqlite" else 150


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
    max_examples=SCHEDULES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rounds=st.lists(ROUNDS, min_size=1, max_size=3))
def test_each_wish_ends_exactly_once(quick, worlds, rounds):
    world = worlds()
    world.play([act for wishes, troubles, drain in rounds for act in (*wishes, *troubles, drain)])
    world.check()
