"""The people of a mirrored company who visit the portal, signed in: `python -m benchmarks.company`. Prints one JSON object.

Beside their sessions it makes what a portal in use has and a first look at Audian leaves out: lights, changes, history.
"""

import json
import time
from datetime import timedelta

import django

PEOPLE, STAFF = 40, 8
CHANGES, FAILED, WAITING = 20_000, 40, 20
RUNS = 1_000


def main() -> dict:
    """The account's `slug`, the mark of a page in the `middle` of its list, and cookies of `people` (each with the key of
    their softphone) and of `staff`."""
    from django.db import connection
    from django.utils import timezone

    from softphones import paging
    from softphones.configuration import account_from_environment
    from softphones.models import Softphone

    account, now = account_from_environment(), timezone.now()
    _look_at_phones(account, now)
    _change_phones(account, now)
    _look_at_audian(account, now)
    behind = Softphone.objects.present().filter(account=account, name__gte="M")
    visitors = {
        "slug": account.slug,
        "middle": paging.page_by_name(behind).next,
        "people": [_person(phone) for phone in _phones_of_people(account)],
        "staff": [staff(account, number) for number in range(STAFF)],
    }
    with connection.cursor() as cursor:
        # As the database does by itself within minutes.
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    return visitors


def _look_at_phones(account, now) -> None:
    """Half of them were looked at within the last day; a third of these was connected."""
    from django.db.models import F

    from softphones.models import Softphone

    phones = Softphone.objects.filter(account=account).alias(half=F("id") % 2, sixth=F("id") % 6)
    phones.filter(half=0).update(registered=False, seen_at=now - timedelta(hours=1) - F("id") * timedelta(milliseconds=800))
    connected = {"registered_since": now - timedelta(days=2), "registered_address": "198.51.100.7:5061"}
    phones.filter(sixth=0).update(registered=True, registered_agent="Linphone/5.2", **connected)


def _change_phones(account, now) -> None:
    """Changes that arrived, some that failed, some that wait, and the history of all."""
    from softphones import audit
    from softphones.models import Change, Softphone

    phones = list(Softphone.objects.filter(account=account).select_related("account", "owner").order_by("audian_id")[:CHANGES])
    states = [Change.State.FAILED] * FAILED + [Change.State.QUEUED] * WAITING
    states += [Change.State.DONE] * (len(phones) - len(states))
    made = {"account": account, "kind": Change.Kind.UPDATE, "created_at": now, "finished_at": now}
    Change.objects.bulk_create(
        [
            Change(softphone=phone, state=state, values={"name": phone.name}, **made)
            for phone, state in zip(phones, states, strict=False)
        ],
        batch_size=2000,
    )
    audit.record_many(softphones=[(phone, {}) for phone in phones], act="softphone:changed", now=now)


def _look_at_audian(account, now) -> None:
    """As many runs as the portal keeps, one every five minutes."""
    from softphones.models import SyncRun

    runs = []
    for number in range(1, RUNS):
        at = now - number * timedelta(minutes=5)
        state = SyncRun.State.FAILED if number % 100 == 0 else SyncRun.State.COMPLETE
        runs.append(SyncRun(account=account, state=state, started_at=at, finished_at=at, unchanged=100_000))
    SyncRun.objects.bulk_create(runs, batch_size=2000)


def _phones_of_people(account):
    """Phones that can be set up, each the only one of its person."""
    from django.db.models import Count

    from softphones.models import Softphone

    ready = Softphone.objects.present().filter(account=account, enabled=True, owner__enabled=True, password__isnull=False)
    alone = ready.alias(phones=Count("owner__softphones")).filter(phones=1)
    return alone.exclude(owner__email="").select_related("account", "owner").order_by("-id")[:PEOPLE]


def _person(phone) -> dict:
    from django.utils import timezone

    from softphones.models import Membership

    user = _user(phone.owner.email_folded, phone.account, Membership.Role.USER)
    phone.owner.user, phone.owner.linked_at = user, timezone.now()
    phone.owner.save(update_fields=["user", "linked_at"])
    return {"phone": phone.pk, "cookie": _cookie(user, {})}


def staff(account, number: int = 0) -> dict:
    """An admin who has shown a second factor: the `cookie` of their session."""
    from allauth.mfa.models import Authenticator

    from softphones.models import Membership

    user = _user(f"staff{number}@acme.example", account, Membership.Role.ADMIN)
    factor = Authenticator.objects.create(user=user, type="totp", data={"secret": ""})
    shown = {"method": "mfa", "at": time.time(), "id": factor.pk, "type": "totp"}
    signs = {"account_authentication_methods": [shown], "account_authentication_methods_user": str(user.pk)}
    return {"cookie": _cookie(user, signs)}


def _user(email: str, account, role: str):
    from allauth.account.models import EmailAddress

    from softphones.models import Membership, User

    user = User.objects.create_user(email=email)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    Membership.objects.create(user=user, account=account, role=role)
    return user


def _cookie(user, signs: dict) -> str:
    """The session of somebody who has signed in, and proven it, just now."""
    from django.test import Client

    browser = Client()
    browser.force_login(user)
    session = browser.session
    session.update({"proven_at": time.time()} | signs)
    session.save()
    return session.session_key


if __name__ == "__main__":
    django.setup()
    print(json.dumps(main()))
