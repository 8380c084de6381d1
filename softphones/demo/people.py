"""The demo's people: one for each role, all of them users at the made-up company that the sandbox plays."""

import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.management import CommandError, call_command
from django.utils import timezone

from softphones import people, second_factor
from softphones.configuration import account_from_environment
from softphones.demo.place import CannotStart, Place, write_privately
from softphones.models import Account, Membership, User

Role = Membership.Role


@dataclass(frozen=True)
class Person:
    email: str
    role: Role


PEOPLE = (
    Person("alice@acme.example", Role.USER),
    Person("helen@acme.example", Role.HELPDESK),
    Person("adam@acme.example", Role.ADMIN),
)


def move_in(place: Place) -> None:
    """Mirror the sandbox that the environment names, and make the people. Doing it again changes nothing.

    Raises CommandError if the sandbox can't be looked at whole, or somebody may not come in.
    """
    call_command("sync_softphones")
    account = account_from_environment()
    Account.objects.filter(pk=account.pk, quota=1).update(quota=2)  # so that a second device can be had
    _make_people(account, place)


def _make_people(account: Account, place: Place) -> None:
    """Make sure that each of them can sign in with the password that `place` keeps, and sees their own phone; staff have
    an authenticator app, whose secret it keeps too.

    Both files (JSON, by address) are made on the first start. Raises CommandError if somebody may not come in.
    """
    passwords = _kept(place.passwords, PEOPLE, lambda: secrets.token_urlsafe(9))
    apps = _kept(place.second_factors, [each for each in PEOPLE if each.role != Role.USER], generate_totp_secret)
    for person in PEOPLE:
        user = _make(person, account, passwords[person.email])
        if person.email in apps and not second_factor.is_enrolled(user):
            TOTP.activate(user, apps[person.email])


def code_for(place: Place, whose: str) -> str:
    """A sentence with the code that the authenticator app of `whose` ("helen", or an address) would show now.

    Raises CannotStart for somebody who has none.
    """
    kept = json.loads(place.second_factors.read_text()) if place.second_factors.exists() else {}
    found = [secret for email, secret in kept.items() if whose.casefold() in {email, email.partition("@")[0]}]
    if not found:
        names = " or ".join(email.partition("@")[0] for email in kept)
        known = f"Try {names}." if kept else "Start the demo with: make demo"
        raise CannotStart(f"Nobody called {whose} has an authenticator app here. {known}")
    now = time.time()
    code, left = second_factor.app_code(found[0], now), 30 - int(now) % 30
    return f"{code[:3]} {code[3:]} (new in {left} s). For an app of your own, the key is {found[0]}."


def _kept(path: Path, people: Iterable[Person], fresh: Callable[[], str]) -> dict[str, str]:
    """A secret for each of these people by address, as the file keeps them; missing ones are made."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    known = {person.email: kept.get(person.email) or fresh() for person in people}
    if known != kept:
        write_privately(path, json.dumps(known))
    return known


def _make(person: Person, account: Account, password: str) -> User:
    user = people.arrive(address=person.email, ip=None, now=timezone.now())
    if user is None:
        raise CommandError(f"{person.email} is disabled or gone at the sandbox. Remove the demo's folder to start afresh.")
    if account.memberships.filter(user=user, role=person.role).count() == 0:
        call_command("grant_role", person.email, account=account.slug, role=person.role)
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    return user
