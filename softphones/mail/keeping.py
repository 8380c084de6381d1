"""How long what was mailed is kept. The history says for ever who asked for a mail; it holds no address of its own."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef

from softphones.models import ImportRow, Message

AT_ONCE = 1000


def forget(*, now: datetime) -> int:
    """Drop what was sent, or failed, MAIL_KEPT_DAYS ago or longer. Returns how many mails. A part in each transaction.

    Mails that tell what came of a row of bulk work stay as long as that does.
    """
    in_report = ImportRow.objects.filter(message=OuterRef("pk"))
    old = Message.objects.filter(created_at__lt=now - timedelta(days=settings.MAIL_KEPT_DAYS))
    ended = old.exclude(state=Message.State.QUEUED).filter(~Exists(in_report)).order_by("pk")
    dropped = 0
    while part := list(ended.values_list("pk", flat=True)[:AT_ONCE]):
        _count, rows = Message.objects.filter(pk__in=part).exclude(state=Message.State.QUEUED).delete()
        dropped += rows.get(Message._meta.label, 0)
    return dropped
