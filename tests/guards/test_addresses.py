"""Every address has one rule that says who may come in, and a look changes nothing."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from softphones import setup_links
from softphones.configuration import RESERVED_SLUGS
from softphones.models import Change, Import, Message, SyncRun
from tests.factories import make_user
from tests.staffing import signed_in_as_staff, staff_browser

PUBLIC, SIGNED_IN, OWN_PHONE, OWN_CHANGE = "public", "signed in", "the phone's own person", "who asked for the change"
STAFF, ADMIN = "staff, with a second factor", "admins, with a second factor"
RULES = {
    "healthz": PUBLIC,
    "readyz": PUBLIC,
    "metrics": PUBLIC,  # with the operator's token; else it does not exist
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
    "get_softphone": SIGNED_IN,
    "rename": OWN_PHONE,
    "replace": OWN_PHONE,
    "change": OWN_CHANGE,
    "change_again": OWN_CHANGE,
    "second_factor": SIGNED_IN,
    "second_factor_ask": SIGNED_IN,
    "second_factor_app": SIGNED_IN,
    "second_factor_passkey": SIGNED_IN,
    "second_factor_codes": SIGNED_IN,
    "second_factor_remove": SIGNED_IN,
    "staff_home": STAFF,
    "staff_softphones": STAFF,
    "staff_change": STAFF,
    "staff_change_again": STAFF,
    "people": STAFF,
    "person": STAFF,
    "leavers": STAFF,
    "close_phones": STAFF,
    "desk_phone": STAFF,
    "phone_state": STAFF,
    "send_link": STAFF,
    "reset_password": STAFF,
    "switch_off": STAFF,
    "switch_on": STAFF,
    "revoke_links": STAFF,
    "history": STAFF,
    "history_export": STAFF,
    "mails": STAFF,
    "mail_again": STAFF,
    "runs": STAFF,
    "run": STAFF,
    "charges": STAFF,
    "run_start": ADMIN,
    "run_release": ADMIN,
    "charges_accept": ADMIN,
    "charges_decline": ADMIN,
    "confirm_person": ADMIN,
    "unlink_person": ADMIN,
    "members": ADMIN,
    "member_role": ADMIN,
    "member_remove": ADMIN,
    "owners": ADMIN,
    "softphone_create": ADMIN,
    "softphone_edit": ADMIN,
    "softphone_delete": ADMIN,
    "imports": ADMIN,
    "import_template": ADMIN,
    "import": ADMIN,
    "import_start": ADMIN,
    "import_pause": ADMIN,
    "import_resume": ADMIN,
    "import_cancel": ADMIN,
    "import_undo": ADMIN,
    "import_mails": ADMIN,
    "import_csv": ADMIN,
    "import_handouts": ADMIN,
    "from_people": ADMIN,
    "bulk": ADMIN,
}
# A GET may record what was observed, and nothing else: a light, a softphone that fetched its own document.
LIGHT = {f"softphones_{table}" for table in ("softphone", "lease", "bucket", "apitoken", "callcount")}
OBSERVED = {
    "light": LIGHT,
    "lights": LIGHT,
    "phone_state": LIGHT,
    "softphone_delete": LIGHT,
    **dict.fromkeys(("reset_password", "switch_off", "close_phones", "replace"), LIGHT),
    "setup": {"softphones_message"},  # the mail that led here was opened
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
def address(alices_phone, alice):
    """The address of this name, as it concerns Alice and her phone."""
    now, owner = timezone.now(), alices_phone.owner
    account = owner.account
    asked = {"account": account, "softphone": alices_phone, "state": Change.State.HELD, "asked_by": alice}
    change = Change.objects.create(kind=Change.Kind.UPDATE, quote={}, **asked)
    about = {"account": account, "softphone": alices_phone, "owner": owner, "to": owner.email, "next_attempt_at": now}
    message = Message.objects.create(kind=Message.Kind.SETUP_LINK, state=Message.State.FAILED, **about)
    run = SyncRun.objects.create(account=account, state=SyncRun.State.HELD, started_at=now)
    batch = Import.objects.create(account=account, name="phones.csv", created_at=now)
    objects = {
        tuple(each for each in RULES if each.startswith("import_") or each == "import"): batch.pk,
        ("person", "confirm_person", "unlink_person"): owner.pk,
        ("change", "change_again", "staff_change", "staff_change_again", "charges_accept", "charges_decline"): change.pk,
        ("mail_again",): message.pk,
        ("member_role", "member_remove"): alice.memberships.get(account=account).pk,
        ("run", "run_release"): run.pk,
        ("close_phones",): owner.audian_id,
        ("setup_link",): "no-such-token",
    }
    known = {name: value for names, value in objects.items() for name in names}

    def of(name: str) -> str:
        given = {"slug": "acme", "pk": known.get(name, alices_phone.pk), "audian_id": known.get(name), "token": known.get(name)}
        return reverse(name, kwargs={each: given[each] for each in parameters(name)})

    return of


def parameters(name: str) -> list[str]:
    """What an address of this name takes."""
    return next(re.findall(r"<\w+:(\w+)>", str(each.pattern)) for each, *_rest in walk(get_resolver()) if each.name == name)


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
