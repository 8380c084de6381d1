"""Single softphones, looked at by themselves where nobody should have to wait for the next run."""

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from softphones.audian.errors import AudianError, RowError
from softphones.connection import connect
from softphones.mirror.answers import absorb
from softphones.models import Account, Change, Softphone
from softphones.pacing import Urgency


def read(account: Account, softphones: Collection[int]) -> None:
    """Ask Audian how these softphones are, by their primary keys, and write that down. Not in a transaction.

    One that is about to change, or was written meanwhile, is left alone. What can't be read now is left to the next run.
    """
    present = Softphone.objects.present().filter(account=account, audian_id__isnull=False, pk__in=softphones)
    try:
        with connect(account, urgency=Urgency.PERSON) as client:
            for softphone in present.order_by("pk"):
                _read(account, softphone, client)
    except AudianError:
        return


def _read(account: Account, softphone: Softphone, client) -> None:
    began = timezone.now()
    try:
        document = client.device(softphone.audian_id)
    except RowError:
        return
    with transaction.atomic():
        locked = Softphone.objects.select_for_update(no_key=True).get(pk=softphone.pk)
        changing = Change.objects.filter(softphone=locked, state__in=Change.UNFINISHED).exists()
        written = locked.written_at is not None and locked.written_at >= began
        if not changing and not written and locked.gone_at is None:
            absorb(account, document, timezone.now())
