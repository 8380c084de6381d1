"""The demo's people: one for each role, all of them users at the made-up company that the sandbox plays."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from allauth.account.models import EmailAddress
from django.utils import timezone

from softphones.demo.place import write_privately
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


def make_people(account: Account, passwords: Path) -> None:
    """Make sure that each of them can sign in with the password that `passwords` keeps, and sees their own phone.

    `passwords` (JSON, address -> password) is made on the first start.
    """
    kept = json.loads(passwords.read_text()) if passwords.exists() else {}
    known = {person.email: kept.get(person.email) or secrets.token_urlsafe(9) for person in PEOPLE}
    if known != kept:
        write_privately(passwords, json.dumps(known))
    for person in PEOPLE:
        _make(person, account, known[person.email])


def _make(person: Person, account: Account, password: str) -> None:
    owner = account.owners.filter(email_folded=person.email).first()
    user, _ = User.objects.get_or_create(email=person.email, defaults={"name": owner.name if owner else ""})
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    EmailAddress.objects.update_or_create(user=user, email=person.email, defaults={"verified": True, "primary": True})
    Membership.objects.update_or_create(user=user, account=account, defaults={"role": person.role})
    if owner and owner.user is None:
        owner.user, owner.linked_at = user, timezone.now()
        owner.save(update_fields=["user", "linked_at"])
