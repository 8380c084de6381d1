"""Who is mailed once Audian has a phone that somebody asked for."""

import pytest
from django.utils import timezone

from softphones import changes
from softphones.models import Change, Message


@pytest.fixture
def make(account, alices_phone, audian_is_told):
    """Ask for a phone of Alice's, and let Audian make it. Returns the mails that were asked for by then."""

    def make(by, **more):
        asked = {"name": "Alice's mobile", "owner": alices_phone.owner, "by": by, "now": timezone.now()}
        changes.create(account=account, **asked | more)
        assert not Message.objects.exists()
        audian_is_told()
        assert Change.objects.get().state == Change.State.DONE
        return list(Message.objects.values_list("kind", "to"))

    return make


def test_its_person_when_an_admin_made_it(make, admin):
    assert make(admin.user) == [("softphone_ready", "alice@acme.example")]


def test_nobody_when_they_made_it_themselves(make, alice):
    assert make(alice) == []


def test_nobody_while_it_belongs_to_nobody(make, admin):
    assert make(admin.user, owner=None) == []


def test_nobody_when_it_is_one_of_many(make, admin):
    assert make(admin.user, urgent=False) == []


def test_nobody_when_it_is_switched_off(make, admin):
    assert make(admin.user, enabled=False) == []
