"""Celery entry points. A message carries ids, or nothing; what is to be done stands in rows.

Unknown arguments are ignored, so that a worker of the next version can read messages of this one and the other way round.
"""

import logging

from celery import shared_task
from celery.signals import after_task_publish, beat_embedded_init, beat_init, worker_init, worker_ready
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone

from softphones import changes, imports, leases, limits, mail, mirror, people, vitals
from softphones.configuration import at_start
from softphones.models import Account
from softphones.wake import wake

logger = logging.getLogger(__name__)

HOUR = 60 * 60  # seconds
MAILS_FORGOTTEN = "mails forgotten"  # a lease that lapses when it is time again


@shared_task
def mirror_accounts(**kwargs) -> None:
    """Every 5 minutes: look at every account, each in a task of its own."""
    for account_id in Account.objects.order_by("pk").values_list("pk", flat=True):
        wake(mirror_account, account_id=account_id)


@shared_task
def mirror_account(*, account_id: int, **kwargs) -> None:
    """Look at one account, unless somebody is doing it already; what was held and then released goes."""
    account = Account.objects.filter(pk=account_id).first()
    if account:
        mirror.run(account, timezone.now(), accept_removals=mirror.released(account))


@shared_task
def read_softphones(*, account_id: int, softphone_ids: list[int], **kwargs) -> None:
    """Look at these softphones by themselves: nobody knows which password they have."""
    account = Account.objects.filter(pk=account_id).first()
    if account:
        mirror.read(account, softphone_ids)


@shared_task
def push_changes(*, account_id: int, **kwargs) -> None:
    """Send what waits in one account for a while, unless somebody is doing it already; then let others have their turn."""
    account = Account.objects.filter(pk=account_id).first()
    if account and changes.drain(account=account).more:
        wake(push_changes, account_id=account_id)
    if account and imports.waits_for_room(account):
        wake(go_on_with_imports, account_id=account_id)


@shared_task
def go_on_with_imports(*, account_id: int, **kwargs) -> None:
    """Write what a press left for later of an account's bulk work, for a while; then let others have their turn."""
    account = Account.objects.filter(pk=account_id).first()
    if account and imports.go_on_for(account=account, now=timezone.now(), seconds=settings.DRAIN_SECONDS):
        wake(go_on_with_imports, account_id=account_id)


@shared_task
def send_messages(**kwargs) -> None:
    """Send the mails that are due, and those that are soon."""
    mail.send_for(settings.MESSAGE_STAY)


@shared_task
def sweep(**kwargs) -> None:
    """Every 30 seconds: whatever is due and whose wake-up was lost. One step that fails leaves the others alone."""
    for step in (_send, _settle, _push_due, _mirror_overdue, _forget):
        try:
            step()
        except Exception:
            logger.exception("The sweep could not finish one of its steps.")
    vitals.note_sweep()


def _send() -> None:
    mail.send_due(timezone.now())


def _settle() -> None:
    imports.settle(now=timezone.now())
    for account_id in set(imports.unwritten().values_list("account", flat=True)):
        wake(go_on_with_imports, account_id=account_id)


def _push_due() -> None:
    for account_id in changes.waiting():
        wake(push_changes, account_id=account_id)


def _mirror_overdue() -> None:
    for account_id in mirror.overdue(timezone.now()):
        wake(mirror_account, account_id=account_id)


def _forget() -> None:
    now = timezone.now()
    people.forget_lapsed(now=now)
    limits.forget(now=now)
    imports.forget_unstarted(now=now)
    imports.forget_ended(now=now)
    if leases.take(MAILS_FORGOTTEN, HOUR):
        mail.forget(now=now)


@worker_init.connect
def read_environment(**kwargs) -> None:
    """A worker starts with the account that the environment names."""
    at_start()


@worker_ready.connect
def sweep_at_once(**kwargs) -> None:
    """A worker that took the place of a killed one goes on now, and with what that one held once its leases lapsed."""
    for seconds in (0, settings.LEASE_SECONDS + 1):
        sweep.apply_async(countdown=seconds, retry=False)


@beat_init.connect
@beat_embedded_init.connect
def tell_that_beat_sends(**kwargs) -> None:
    """Workers that sweep by themselves hide a beat that is gone, so it gives a sign of life of its own."""
    after_task_publish.connect(_note_beat)


def _note_beat(**kwargs) -> None:
    try:
        vitals.note_beat()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("Beat could not leave word that it is running (%s).", type(error).__name__)
    finally:
        connections.close_all()
