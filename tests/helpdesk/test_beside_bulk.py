"""What people and helpdesk do to a phone while paused bulk work is about it too: that is done, and stays done."""

import pytest
from django.utils import timezone

from softphones import imports
from softphones.models import Change, Import, Owner, SyncRun
from tests.helpdesk.conftest import PASSWORD
from tests.pages.conftest import soup, words


@pytest.fixture(params=[Import.Kind.RESET, Import.Kind.DISABLE])
def paused(request, account, admin, alices_phone) -> Import:
    """Bulk work on the phone, which an admin paused before anything of it was sent."""
    SyncRun.objects.create(account=account, state="complete", started_at=timezone.now(), finished_at=timezone.now())
    asked = {"account": account, "softphones": [alices_phone], "kind": request.param, "by": admin.user}
    batch = imports.act_on(**asked, now=timezone.now())
    imports.start(batch=batch, by=admin.user, now=timezone.now())
    imports.settle(now=timezone.now())
    admin.post(f"/acme/imports/{batch.pk}/pause/")
    batch.refresh_from_db()
    assert batch.state == Import.State.PAUSED
    return batch


@pytest.fixture
def cancel(account, admin, audian_is_told):
    def cancel(batch):
        admin.post(f"/acme/imports/{batch.pk}/cancel/", {"typed": "1"})
        imports.catch_up(account=account, now=timezone.now())
        audian_is_told()

    return cancel


@pytest.fixture
def resume(admin, audian_is_told):
    def resume(batch):
        admin.post(f"/acme/imports/{batch.pk}/resume/")
        audian_is_told()

    return resume


@pytest.fixture
def replace(alice, alices_phone, signed_in):
    return lambda: signed_in(alice).post(f"/softphones/{alices_phone.pk}/replace/", {"key": "0"})


@pytest.fixture
def reset(helpdesk, alices_phone, settings):
    settings.RESET_AGAIN_AFTER = 0
    return lambda: helpdesk.post(f"/acme/softphones/{alices_phone.pk}/reset/", {"key": "a"})


@pytest.fixture
def close(helpdesk, alices_owner):
    def close():
        Owner.objects.filter(pk=alices_owner.pk).update(enabled=False)
        address = soup(helpdesk.get("/acme/leavers/")).select_one(".leaver a.button")["href"]
        helpdesk.post(address, {"key": "a"})

    return close


@pytest.mark.parametrize("act", ["replace", "reset"])
@pytest.mark.parametrize("then", ["cancel", "resume"])
def test_a_lost_phone_is_cut_off_at_once_and_once(request, paused, act, then, alices_phone, password_at_audian, audian_is_told):
    request.getfixturevalue(act)()
    audian_is_told()
    cut_off = password_at_audian(alices_phone)
    assert cut_off != PASSWORD
    request.getfixturevalue(then)(paused)
    assert password_at_audian(alices_phone) == cut_off
    alices_phone.refresh_from_db()
    assert alices_phone.password == cut_off


@pytest.mark.parametrize("then", ["cancel", "resume"])
def test_a_leavers_phone_is_closed_at_once(
    request, paused, then, close, alices_phone, sandbox, password_at_audian, audian_is_told
):
    close()
    audian_is_told()
    cut_off = password_at_audian(alices_phone)
    assert cut_off != PASSWORD
    request.getfixturevalue(then)(paused)
    assert sandbox.device(alices_phone.audian_id)["enabled"] is False
    assert password_at_audian(alices_phone) == cut_off


def test_a_reset_that_was_cancelled_keeps_nobody_from_the_next(paused, cancel, helpdesk, alices_phone, audian_is_told):
    cancel(paused)
    page = helpdesk.post(f"/acme/softphones/{alices_phone.pk}/reset/", {"key": "a"}, follow=True)
    assert "has just reset" not in words(page)
    audian_is_told()
    assert Change.objects.order_by("pk").last().state == Change.State.DONE
