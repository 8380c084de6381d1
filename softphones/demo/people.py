"""The demo's people: one for each role, all of them users at the made-up company that the sandbox plays."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.core.management import CommandError, call_command
from django.utils import timezone

from softphones import people
from softphones.demo.place import write_privately
from softphones.models import Account, Membership

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


def make_people(account: Account, passwords: Path) -> None:
    """Make sure that each of them can sign in with the password that `passwords` keeps, and sees their own phone.

    `passwords` (JSON, address -> password) is made on the first start. Raises CommandError if somebody may not come in.
    """
    kept = json.loads(passwords.read_text()) if passwords.exists() else {}
    known = {person.email: kept.get(person.email) or secrets.token_urlsafe(9) for person in PEOPLE}
    if known != kept:
        write_privately(passwords, json.dumps(known))
    for person in PEOPLE:
        _make(person, account, known[person.email])


def _make(person: Person, account: Account, password: str) -> None:
    user = people.arrive(address=person.email, ip=None, now=timezone.now())
    if user is None:
        raise CommandError(f"{person.email} is disabled or gone at the sandbox. Remove the demo's folder to start afresh.")
    if account.memberships.filter(user=user, role=person.role).count() == 0:
        call_command("grant_role", person.email, account=account.slug, role=person.role)
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
