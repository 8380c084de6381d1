"""EMAIL_PER_MINUTE: how many mails that are not codes go out in any minute, counted in their rows for all processes."""

from datetime import datetime, timedelta

from django.conf import settings

from softphones.models import Bucket, Message

MINUTE = timedelta(minutes=1)
_BULK_SHARE = 0.8  # the rest is kept for mails that somebody waits for
_LOCK = "mail"


def has_room(rank: int, now: datetime) -> bool:
    """Whether one more mail of this rank may go out now. Until the end of the caller's transaction nobody else may ask."""
    if rank == 0:
        return True
    Bucket.objects.bulk_create([Bucket(name=_LOCK, tokens=0, at=0)], ignore_conflicts=True)
    Bucket.objects.select_for_update(no_key=True).get(name=_LOCK)
    return _handed(now).count() < per_minute(rank)


def frees_at(rank: int, now: datetime) -> datetime:
    """When there is room for a mail of this rank; `now` if there is room already."""
    handed = list(_handed(now).order_by("handed_at").values_list("handed_at", flat=True)) if rank else []
    over = len(handed) - per_minute(rank)
    return handed[over] + MINUTE if over >= 0 and handed else now


def _handed(now: datetime):
    return Message.objects.filter(rank__gt=0, handed_at__gt=now - MINUTE)


def per_minute(rank: int) -> int:
    """How many mails of this rank go out in a minute, if no others do."""
    share = _BULK_SHARE if rank >= Message.BULK_RANK else 1
    return max(1, int(settings.EMAIL_PER_MINUTE * share))
