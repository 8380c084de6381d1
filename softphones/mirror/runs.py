"""One run: look at Audian, write what differs, and leave a row that says how it went."""

import logging
import time
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from softphones import connection, leases, people, table_statistics
from softphones.audian.client import AudianClient
from softphones.audian.errors import AudianError, RowError
from softphones.mirror.devices import Softphones, mark_doubled
from softphones.mirror.owners import Owners
from softphones.mirror.removals import Removals, sentence_of
from softphones.mirror.work import Work
from softphones.models import Account, Owner, SearchWord, Softphone, SyncRun, User
from softphones.pacing import Urgency

logger = logging.getLogger(__name__)

RUNS_KEPT = 1000
MANY = 1000  # after so many new softphones the database looks at its tables anew
LONGEST_REALM = 253
LONGEST_NAME = 200


def run(account: Account, now: datetime, *, accept_removals: int | None = None, wait: float = 0) -> SyncRun | None:
    """Mirror the account. Returns the finished run, or None if another one was still at work after `wait` seconds.

    `accept_removals` is the id of a held run of this account: what it listed may go, and nothing else. Not in a
    transaction. Whatever Audian answers ends in the run's state and message; only faults of the portal are raised.
    """
    lease = _lease(account, wait)
    if lease is None:
        return None
    try:
        return _run(account, now, lease, accept_removals)
    finally:
        lease.release()


def _lease(account: Account, wait: float) -> leases.Held | None:
    until = time.monotonic() + wait
    while (lease := leases.take(_lease_name(account.pk))) is None and time.monotonic() < until:
        time.sleep(0.2)
    return lease


def _run(account: Account, now: datetime, lease: leases.Held, accept_removals: int | None) -> SyncRun:
    runs = SyncRun.objects.filter(account=account)
    interrupted = _("The run was interrupted. The next one does its work.")
    runs.filter(state=SyncRun.State.RUNNING).update(state=SyncRun.State.FAILED, finished_at=now, message=interrupted)
    released = runs.filter(pk=accept_removals, state=SyncRun.State.HELD).first() if accept_removals else None
    work = Work(account=account, run=SyncRun.objects.create(account=account, started_at=now), lease=lease)
    try:
        _look(work, released)
    except AudianError as error:
        logger.warning("Mirror of %s failed: %s %s", account.slug, type(error).__name__, error)
        work.end(SyncRun.State.FAILED, _sentence(error))
    except leases.LeaseLost:
        # The run that took over has ended our row already.
        work.run.refresh_from_db()
    except BaseException:
        work.end(SyncRun.State.FAILED, _("The run stopped because of a fault in the portal. Its log says more."))
        raise
    finally:
        _forget_old(runs)
    if work.run.created >= MANY:
        table_statistics.refresh(Owner, Softphone, SearchWord)
    logger.info("Mirror of %s: %s after %d calls.", account.slug, work.run.state, work.run.calls)
    return work.run


def _look(work: Work, released: SyncRun | None) -> None:
    with connection.connect(work.account, urgency=Urgency.BULK, alive=work.alive) as work.client:
        _read_and_compare(work, work.client, released)


def _read_and_compare(work: Work, client: AudianClient, released: SyncRun | None) -> None:
    _read_account(work.account, client)
    missing_owners = _read_owners(work, client, released)
    softphones = Softphones(work, client)
    softphones.read_listing()
    softphones.read_details()
    missing_softphones = Removals(softphones, released.removals if released else ())
    missing_softphones.carry_out()
    with work.lease.writing():
        mark_doubled(work.account)
    if missing_owners.held or missing_softphones.held:
        work.end(
            SyncRun.State.HELD,
            sentence_of(missing_softphones, missing_owners),
            removals=missing_softphones.others if missing_softphones.held else [],
            removed_owners=missing_owners.others if missing_owners.held else [],
        )
    else:
        work.end(SyncRun.State.COMPLETE)


def _read_owners(work: Work, client: AudianClient, released: SyncRun | None) -> Removals:
    """People first: phones refer to them, and whoever left shall not wait for a list of phones that may fail."""
    owners = Owners(work, client)
    try:
        owners.read_listing()
        owners.read_details()
        missing = Removals(owners, released.removed_owners if released else ())
        missing.carry_out()
        return missing
    finally:
        # Also after half a listing: what it said of people already counts.
        people.check_links(work.account, timezone.now())


def _read_account(account: Account, client: AudianClient) -> None:
    """The realm its phones register with, and its name where nobody gave it another."""
    document = client.account()
    found = {}
    if document.realm and len(document.realm) <= LONGEST_REALM:
        found["api_realm"] = document.realm
    if document.name and not account.company_name:
        found["company_name"] = document.name[:LONGEST_NAME]
    changed = [name for name, value in found.items() if getattr(account, name) != value]
    for name in changed:
        setattr(account, name, found[name])
    if changed:
        account.save(update_fields=changed)


def _sentence(error: AudianError) -> str:
    """An error that speaks of one softphone means something else when it answers a whole list."""
    if not isinstance(error, RowError):
        return str(error)
    return _("Audian could not answer the portal's question (HTTP %(status)s). The portal tries again.") % {
        "status": error.status or "-"
    }


def _forget_old(runs) -> None:
    oldest_kept = runs.order_by("-pk").values_list("pk", flat=True)[RUNS_KEPT - 1 : RUNS_KEPT].first()
    if oldest_kept:
        runs.filter(pk__lt=oldest_kept).delete()


def held(account: Account) -> SyncRun | None:
    """The run whose removals wait for somebody to let them go. A later good run clears it."""
    ended = SyncRun.objects.filter(account=account, state__in=(SyncRun.State.HELD, SyncRun.State.COMPLETE))
    newest = ended.order_by("-started_at", "-pk").first()
    return newest if newest and newest.state == SyncRun.State.HELD else None


def release(*, run: SyncRun, by: User, now: datetime) -> bool:
    """Let what this held run lists go, and nothing else. The next run carries it out. False if it is not the one that waits."""
    waits = held(run.account)
    if waits is None or waits.pk != run.pk:
        return False
    return bool(SyncRun.objects.filter(pk=run.pk, released_at=None).update(released_by=by, released_at=now))


def released(account: Account) -> int | None:
    """The id of a held run that somebody let go and that no run has carried out yet; None if there is none."""
    runs = SyncRun.objects.filter(account=account)
    newest = runs.filter(released_at__isnull=False).order_by("-released_at", "-pk").first()
    ended = runs.filter(state__in=(SyncRun.State.HELD, SyncRun.State.COMPLETE))
    if newest is None or ended.filter(started_at__gte=newest.released_at).exists():
        return None
    return newest.pk


def overdue(now: datetime) -> list[int]:
    """The accounts whose last run began too long ago, or was cut off, by their primary keys.

    Only once in MIRROR_STALE_AFTER for the latter: what cuts a run off may be the run itself.
    """
    recent = SyncRun.objects.filter(started_at__gt=now - timedelta(seconds=settings.MIRROR_STALE_AFTER))
    waiting = set(Account.objects.exclude(runs__in=recent).values_list("pk", flat=True))
    unended = Account.objects.filter(runs__in=recent.filter(state=SyncRun.State.RUNNING))
    unended = unended.exclude(runs__in=recent.filter(state=SyncRun.State.FAILED)).values_list("pk", flat=True)
    return sorted(waiting | {pk for pk in unended if not leases.is_held(_lease_name(pk))})


def _lease_name(account_id: int) -> str:
    return f"mirror:{account_id}"
