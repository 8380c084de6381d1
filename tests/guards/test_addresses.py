"""Every address has one rule that says who may come in, and a look changes nothing."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from softphones import setup_links
from tests.factories import make_user

PUBLIC, SIGNED_IN, OWN_PHONE, STAFF = "public", "signed in", "the phone's own person", "staff"
RULES = {
    "healthz": PUBLIC,
    "readyz": PUBLIC,
    "demo_mail": PUBLIC,  # of the demo alone; else it does not exist
    "account_login": PUBLIC,
    "sign_in_code": PUBLIC,
    "sign_in_password": PUBLIC,
    "account_logout": PUBLIC,
    "setup_link": PUBLIC,
    "zoiper": PUBLIC,
    "softphones": SIGNED_IN,
    "lights": SIGNED_IN,
    "prove": SIGNED_IN,
    "set_password": SIGNED_IN,
    "setup": OWN_PHONE,
    "password_shown": OWN_PHONE,
    "code": OWN_PHONE,
    "app_link": OWN_PHONE,
    "light": OWN_PHONE,
    "staff_softphones": STAFF,
}
# A GET may record what was observed, and nothing else: a light, a softphone that fetched its own document.
OBSERVED = {
    "light": {"softphones_softphone", "softphones_lease", "softphones_bucket", "softphones_apitoken"},
    "lights": {"softphones_softphone", "softphones_lease", "softphones_bucket", "softphones_apitoken"},
}
WRITES = re.compile(r'^\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)


def names() -> list[str]:
    return [pattern.name for pattern, *_rest in walk(get_resolver())]


def walk(resolver):
    for each in resolver.url_patterns:
        if hasattr(each, "url_patterns"):
            yield from walk(each)
        else:
            yield (each,)


def with_rule(*rules):
    return pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule in rules])


@pytest.fixture
def address(alices_phone):
    """The address of this name, as it concerns Alice's phone."""
    given = {
        **{name: [alices_phone.pk] for name, rule in RULES.items() if rule == OWN_PHONE},
        "staff_softphones": ["acme"],
        "setup_link": ["no-such-token"],
    }
    return lambda name: reverse(name, args=given.get(name, []))


def answers(client, address) -> list[tuple]:
    return [(each.status_code, each.get("Location", "")) for each in (client.get(address), client.post(address))]


def without_csrf(response) -> bytes:
    return re.sub(rb"[A-Za-z0-9]{64}", b"", response.content)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_every_address_has_a_rule():
    assert sorted(names()) == sorted(RULES)


@pytest.mark.django_db
@with_rule(PUBLIC)
def test_what_is_public_asks_nobody_to_sign_in(name, address):
    for status, location in answers(Client(), address(name)):
        assert status != 302 or "next=" not in location


@pytest.mark.django_db
@with_rule(SIGNED_IN, OWN_PHONE, STAFF)
def test_without_signing_in_one_is_led_to_the_sign_in(name, address):
    for status, location in answers(Client(), address(name)):
        assert (status, location.partition("?")[0]) == (302, "/sign-in/")


@pytest.mark.django_db
@with_rule(OWN_PHONE)
def test_somebody_elses_phone_is_not_there_for_anybody_else(name, address, account, bob, mallory):
    admin = make_user("adam@acme.example", account=account, role="admin")
    for visitor in (bob, mallory, admin):
        client = signed_in(visitor)
        assert {status for status, _ in answers(client, address(name))} <= {404, 405}
        unknown = client.get(reverse(name, args=[999_999_999]))
        assert without_csrf(unknown) == without_csrf(client.get(address(name)))


@pytest.mark.django_db
@with_rule(STAFF)
def test_staff_pages_are_not_there_without_a_role_in_that_account(name, address, alice, mallory):
    admin_elsewhere = make_user("eve@evil.example", account=mallory.memberships.get().account, role="admin")
    for visitor in (alice, mallory, admin_elsewhere):
        assert {status for status, _ in answers(signed_in(visitor), address(name))} <= {404, 405}


@pytest.mark.django_db
@pytest.mark.parametrize("name", RULES)
def test_a_look_changes_nothing(name, address, alice, account):
    client = signed_in(make_user("adam@acme.example", account=account, role="admin") if RULES[name] == STAFF else alice)
    written = set()

    def watch(execute, sql, params, many, context):
        if found := WRITES.match(sql):
            written.add(found[1])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        for headers in ({}, {"HX-Request": "true"}):
            client.get(address(name), headers=headers)
            client.head(address(name), headers=headers)

    assert written <= OBSERVED.get(name, set())


@pytest.mark.django_db
def test_a_look_at_a_link_that_works_changes_nothing(alice, alices_phone):
    token = setup_links.draw(softphone=alices_phone, user=alice, ip="192.0.2.1", now=timezone.now()).token
    written = []

    def watch(execute, sql, params, many, context):
        written.extend(WRITES.findall(sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        Client().get(f"/s/{token}")
        Client().head(f"/s/{token}")

    assert written == []
