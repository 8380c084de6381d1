"""What one run carries along: its row, its lease, its client, its numbers, and what it has to say at the end."""

import time
from collections import defaultdict
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from softphones.connection import Client
from softphones.leases import Held
from softphones.models import Account, SyncRun

SHOWN = 3  # examples in a note
SAVED_EVERY = 2  # seconds


class Work:
    """One run at work. `begun` is when it began, as the caller's clock says."""

    def __init__(self, *, account: Account, run: SyncRun, lease: Held) -> None:
        self.account, self.run, self.lease = account, run, lease
        self.begun: datetime = run.started_at
        self.client: Client | None = None
        self._notes: dict[str, list[str]] = defaultdict(list)
        self._counts: dict[str, int] = defaultdict(int)
        self._renewed = self._saved = time.monotonic()

    def alive(self) -> None:
        """Keep the lease, and now and then let people see how far the run is. Raises LeaseLost."""
        now = time.monotonic()
        if now - self._renewed > settings.LEASE_SECONDS / 3:
            self.lease.renew()
            self._renewed = now
        if now - self._saved > SAVED_EVERY:
            self.save()
            self._saved = now

    def note(self, sentence: str, example: str = "") -> None:
        """Have the run's message say `sentence`, with how often and a few examples."""
        self._counts[sentence] += 1
        if example and len(self._notes[sentence]) < SHOWN:
            self._notes[sentence].append(example)

    def save(self, **more) -> None:
        """Write the numbers, unless the row was ended by somebody else."""
        if self.client:
            self.run.calls = self.client.calls
        numbers = {name: getattr(self.run, name) for name in ("calls", "pages", "created", "updated", "unchanged", "gone")}
        SyncRun.objects.filter(pk=self.run.pk, state=SyncRun.State.RUNNING).update(**numbers, **more)

    def end(self, state: SyncRun.State, *sentences: str, **more) -> None:
        """End the run: the sentences first, then what was noted on the way."""
        parts = [sentence for sentence in sentences if sentence]
        for sentence, count in self._counts.items():
            examples = ", ".join(self._notes[sentence])
            if count > len(self._notes[sentence]) > 0:
                examples = _("%(examples)s and %(count)d more") % {
                    "examples": examples,
                    "count": count - len(self._notes[sentence]),
                }
            parts.append(f"{sentence} ({examples})." if examples else f"{sentence}.")
        given = {"state": state, "finished_at": timezone.now(), "message": " ".join(parts)} | more
        self.save(**given)
        self.run.refresh_from_db()
