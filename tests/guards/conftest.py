"""The addresses as they concern Alice and her phone."""

import pytest
from django.urls import reverse
from django.utils import timezone

from softphones.models import Change, Import, Message, SyncRun
from tests.guards.rules import RULES, parameters
from tests.pages.conftest import signed_in  # noqa: F401


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
        ("person", "close_person", "confirm_person", "unlink_person"): owner.pk,
        ("change", "change_again", "staff_change", "staff_change_again", "charges_accept", "charges_decline"): change.pk,
        ("mail_again",): message.pk,
        ("member_role", "member_remove"): alice.memberships.get(account=account).pk,
        ("run", "run_release"): run.pk,
        ("setup_link",): "no-such-token",
    }
    known = {name: value for names, value in objects.items() for name in names}

    def of(name: str) -> str:
        given = {"slug": "acme", "pk": known.get(name, alices_phone.pk), "token": known.get(name)}
        return reverse(name, kwargs={each: given[each] for each in parameters(name)})

    return of
