"""Every address has one rule that says who may come in, and a look changes nothing."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from softphones import setup_links
from softphones.configuration import RESERVED_SLUGS
from tests.factories import make_user
from tests.guards.rules import ADMIN, OWN_CHANGE, OWN_PHONE, PUBLIC, RULES, SIGNED_IN, STAFF, names, parameters, walk, with_rule
from tests.staffing import signed_in_as_staff, staff_browser

# A GET may record what was observed, and nothing else: a light, a softphone that fetched its own document.
LIGHT = {f"softphones_{table}" for table in ("softphone", "lease", "bucket", "apitoken", "callcount")}
OBSERVED = {
    "light": LIGHT,
    "lights": LIGHT,
    "phone_state": LIGHT,
    "softphone_delete": LIGHT,
    **dict.fromkeys(("reset_password", "switch_off", "close_person", "replace"), LIGHT),
    "setup": {"softphones_message"},  # the mail that led here was opened
}
WRITES = re.compile(r'^\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)


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


def test_no_account_takes_the_place_of_an_address():
    first = {str(each.pattern).partition("/")[0] for each, *_rest in walk(get_resolver())}
    assert {word for word in first if word and "<" not in word} <= RESERVED_SLUGS


@pytest.mark.django_db
@with_rule(PUBLIC)
def test_what_is_public_asks_nobody_to_sign_in(name, address):
    for status, location in answers(Client(), address(name)):
        assert status != 302 or "next=" not in location


@pytest.mark.django_db
@with_rule(SIGNED_IN, OWN_PHONE, OWN_CHANGE, STAFF, ADMIN)
def test_without_signing_in_one_is_led_to_the_sign_in(name, address):
    for status, location in answers(Client(), address(name)):
        assert (status, location.partition("?")[0]) == (302, "/sign-in/")


@pytest.mark.django_db
@with_rule(OWN_PHONE, OWN_CHANGE)
def test_somebody_elses_phone_is_not_there_for_anybody_else(name, address, account, bob, mallory):
    admin = make_user("adam@acme.example", account=account, role="admin")
    path = address(name)
    for visitor in (bob, mallory, admin):
        client = signed_in(visitor)
        assert {status for status, _ in answers(client, path)} <= {404, 405}
        unknown = client.get(reverse(name, args=[999_999_999]))
        assert without_csrf(unknown) == without_csrf(client.get(path))


@pytest.mark.django_db
@with_rule(STAFF, ADMIN)
def test_staff_pages_are_not_there_without_a_role_in_that_account(name, address, alice, mallory):
    admin_elsewhere = make_user("eve@evil.example", account=mallory.memberships.get().account, role="admin")
    path = address(name)
    for browser in (signed_in(alice), signed_in(mallory), signed_in_as_staff(admin_elsewhere)):
        assert {status for status, _ in answers(browser, path)} <= {404, 405}


@pytest.mark.django_db
@pytest.mark.parametrize("name", [name for name in names() if RULES[name] in (STAFF, ADMIN) and len(parameters(name)) > 1])
def test_what_belongs_to_another_account_is_not_there_under_ones_own(name, address, mallory):
    account = mallory.memberships.get().account
    admin = signed_in_as_staff(make_user("eve@evil.example", account=account, role="admin"))
    path = address(name).replace("/acme/", "/evil/")
    found = {status for status, _ in answers(admin, path)}
    assert 404 in found
    assert found <= {404, 405}


@pytest.mark.django_db
@with_rule(STAFF)
def test_helpdesk_never_sees_a_whole_address(name, address, account):
    browser, path = staff_browser(account, "helpdesk"), address(name)
    for headers in ({}, {"HX-Request": "true"}):
        answer = browser.get(path, headers=headers)
        assert "alice@acme.example" not in answer.text + str(answer.headers)


@pytest.mark.django_db
@with_rule(ADMIN)
def test_what_admins_do_is_not_there_for_helpdesk(name, address, account):
    assert {status for status, _ in answers(staff_browser(account, "helpdesk"), address(name))} <= {404, 405}


@pytest.mark.django_db
@with_rule(STAFF, ADMIN)
def test_without_a_second_factor_staff_are_led_to_it(name, address, account):
    browser = signed_in(make_user("adam@acme.example", account=account, role="admin"))
    for status, location in answers(browser, address(name)):
        assert status in {404, 405} or location.startswith("/account/second-factor/")


@pytest.mark.django_db
@pytest.mark.parametrize("name", RULES)
def test_a_look_changes_nothing(name, address, alice, account):
    path = address(name)
    client = staff_browser(account, "admin") if RULES[name] in {STAFF, ADMIN} else signed_in(alice)
    written = set()

    def watch(execute, sql, params, many, context):
        if found := WRITES.match(sql):
            written.add(found[1])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        for headers in ({}, {"HX-Request": "true"}):
            client.get(path, headers=headers)
            client.head(path, headers=headers)

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
