"""Helpdesk tries again what somebody else asked for, and that failed."""

import pytest
from django.utils import timezone

from softphones import changes, self_service
from softphones.models import AuditEvent, Change, Message
from tests.helpdesk.conftest import PASSWORD
from tests.pages.conftest import words


@pytest.fixture
def own_failed_reset(settings, account, alice, alices_phone, sandbox, audian_is_told):
    """Alice replaced her phone by herself, and Audian would not."""
    settings.CHANGE_ATTEMPTS = 1
    account.self_service = True
    account.save()
    sandbox.faults.add("500", match="POST /devices")
    change = self_service.replace(softphone=alices_phone, user=alice, key="0", ip=None, now=timezone.now())
    audian_is_told()
    assert Change.objects.get().state == "failed"
    sandbox.faults.clear()
    return change


def test_the_person_is_mailed_and_the_history_names_who_pressed_last(
    helpdesk, alice, alices_phone, own_failed_reset, audian_is_told, password_at_audian
):
    helpdesk.post(f"/acme/changes/{own_failed_reset.pk}/again/")
    audian_is_told()
    assert password_at_audian(alices_phone) != PASSWORD
    told = Message.objects.get()
    assert (told.kind, told.to, told.asked_by) == ("new_password", "alice@acme.example", helpdesk.user)
    resets = AuditEvent.objects.filter(act="password:reset").order_by("pk").values_list("outcome", "actor")
    assert list(resets) == [("asked", alice.pk), ("failed", alice.pk), ("done", helpdesk.user.pk)]
    assert "Tried again by Helen Desk" in words(helpdesk.get(f"/acme/changes/{own_failed_reset.pk}/"))


def test_a_person_who_tries_their_own_again_is_not_mailed(
    signed_in, alice, alices_phone, own_failed_reset, audian_is_told, password_at_audian
):
    signed_in(alice).post(f"/changes/{own_failed_reset.pk}/again/")
    audian_is_told()
    assert password_at_audian(alices_phone) != PASSWORD
    assert not Message.objects.exists()


def test_the_overview_promises_helpdesk_no_button_that_only_admins_have(
    helpdesk, admin, alices_phone, sandbox, audian_is_told, settings
):
    settings.CHANGE_ATTEMPTS = 1
    sandbox.faults.add("500", match="POST /devices")
    asked = {"softphone": alices_phone, "values": {"name": "New"}, "seen": {}, "by": admin.user}
    change = changes.update(**asked, now=timezone.now())
    audian_is_told()
    assert helpdesk.post(f"/acme/changes/{change.pk}/again/").status_code == 404
    promised = "1 change failed Each says why. What you can’t try again yourself, an administrator may."
    assert promised in words(helpdesk.get("/acme/"))
    assert "1 change failed Each says why, and what you can do." in words(admin.get("/acme/"))
