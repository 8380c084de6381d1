"""How long it takes: from the pace, what goes before, what the account's bucket holds, and how it went lately."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones import changes, clock, imports, pacing
from softphones.models import Change, Import, Pause, Softphone
from tests.imports.conftest import again

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def documented_pace(settings):
    settings.API_BUCKET_SIZE, settings.API_TOKENS_PER_SECOND = 95, 9.5


def file(count: int, name: str = "Phone") -> str:
    return "name\n" + "".join(f"{name} {number}\n" for number in range(count))


def seconds(batch) -> int:
    return imports.summary(again(batch), now=timezone.now()).seconds


def test_what_goes_before_takes_its_time_and_what_is_paused_does_not(check, start, admin):
    batch = check(file(10, "Mine"))
    alone = seconds(batch)
    other = start(check(file(200, "Other")))
    assert seconds(batch) > alone + 10
    imports.pause(batch=other, by=admin, now=timezone.now())
    assert seconds(batch) == alone


def test_what_was_asked_for_later_does_not_go_before(check, start):
    batch = start(check(file(10, "Mine")))
    left = imports.progress(batch=batch, now=timezone.now()).seconds_left
    start(check(file(200, "Other")))
    assert imports.progress(batch=batch, now=timezone.now()).seconds_left == left


def test_an_empty_bucket_has_to_fill_first(check, account, settings):
    settings.API_TOKENS_PER_SECOND = 0.1
    batch = check(file(60))
    before = seconds(batch)
    bucket = pacing.of_account(account.pk)
    while pacing.reserve(bucket, cost=10, urgency=pacing.Urgency.BULK) == 0.0:
        pass
    assert seconds(batch) > before + 100


def test_the_rate_does_not_count_the_time_when_nothing_went(check, start):
    batch, now = start(check(file(100))), timezone.now()
    Import.objects.update(started_at=now - timedelta(minutes=5))
    wishes = list(Change.objects.order_by("pk").values_list("pk", flat=True))
    for place, pk in enumerate(wishes[:40]):
        ago = 28 if place < 10 else 3 * (40 - place) / 30
        Change.objects.filter(pk=pk).update(state="done", finished_at=now - timedelta(seconds=ago))
    assert imports.progress(batch=batch, now=now).per_second == pytest.approx(10)
    stalled = imports.progress(batch=batch, now=now + timedelta(seconds=15))
    assert (stalled.per_second, stalled.seconds_left < 10) == (0, True)


def test_an_account_in_trouble_is_said_to_wait(check, start, account):
    now = clock.now()
    changes.create(account=account, name="Waits", by=None, now=now)
    batch = check(file(3))
    assert imports.summary(batch, now=now).waits_because == ""
    Pause.objects.create(account=account, since=now, until=now + timedelta(minutes=1), reason="Audian is not there.")
    assert imports.summary(batch, now=now).waits_because == "Audian is not there."


def test_why_nothing_can_be_started_is_told_truly(check, account, admin, plant):
    plant("Lobby", "lobby")
    broken = "name,enabled\nA,perhaps\n"
    assert why_not(check(broken)) == "Every row has an error."
    assert why_not(check(broken + "Lobby,yes\n")) == "Every row has an error or is there already."
    nobody = imports.act_on(
        account=account, softphones=Softphone.objects.all(), kind=Import.Kind.SEND_LINKS, by=admin, now=timezone.now()
    )
    assert why_not(nobody) == "None of them is possible. The rows say why."


def why_not(batch) -> str:
    return imports.summary(batch, now=timezone.now()).why_not
