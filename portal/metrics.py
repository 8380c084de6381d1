"""What Prometheus reads at /metrics: everything stands in the database, so any web process can tell it, for all of them.

Exists only where METRICS_TOKEN is set, and only for who sends it: the numbers tell how many phones a company has.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from math import inf

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError
from django.db.models import Count, Min, OuterRef, Q, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from softphones import vitals
from softphones.lights import UNKNOWN_AFTER
from softphones.models import Account, CallCount, Change, Message, Pause, Softphone, SyncRun

PREFIX = "softphone_portal"
DAY = timedelta(days=1)
# There before the first one happened: an alert on something that is absent never fires.
_ALWAYS = (("read", "200"), ("log_in", "201"), ("read", "429"), ("write", "429"), ("log_in", "429"))
_ENDED = (SyncRun.State.COMPLETE, SyncRun.State.HELD, SyncRun.State.FAILED)


@require_safe
@never_cache
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """All of it, in the format that the reader prefers. 503 without the database."""
    if not settings.METRICS_TOKEN:
        raise Http404
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(given.strip(), settings.METRICS_TOKEN):
        return HttpResponse(
            "Send METRICS_TOKEN as a bearer token.\n", "text/plain", 401, headers={"WWW-Authenticate": "Bearer"}
        )
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    try:
        return HttpResponse(encode(Portal()), content_type=content_type)
    except (DatabaseError, InterfaceError):
        return HttpResponse("The database can't be used.\n", "text/plain", 503)


class Portal(Collector):
    """The whole portal as of now. Reading it takes the same few queries whatever there is. Labels name accounts by slug."""

    def __init__(self) -> None:
        self._now = timezone.now()
        self._accounts = dict(Account.objects.order_by("pk").values_list("pk", "slug"))

    def collect(self) -> Iterator[Metric]:
        yield from self._outbox()
        yield from self._calls()
        yield from self._mirror()
        yield from self._lights()
        yield from self._mails()
        swept, sent = (inf if age is None else age for age in (vitals.sweep_age(), vitals.beat_age()))
        yield _gauge("sweep_age_seconds", "Since a worker last finished a sweep; +Inf: never.", swept)
        yield _gauge("beat_age_seconds", "Since beat last sent a wake-up call; +Inf: never.", sent)

    def _outbox(self) -> Iterator[Metric]:
        unfinished = Change.objects.filter(state__in=Change.UNFINISHED).values_list("account", "state")
        counts = {(pk, state): number for pk, state, number in unfinished.annotate(Count("pk"))}
        states = [(pk, str(state)) for pk in self._accounts for state in Change.UNFINISHED]
        depth = {(self._accounts[pk], state): counts.get((pk, state), 0) for pk, state in states}
        yield _gauge(
            "outbox_changes", "Changes that Audian was not told yet. held: a person has to decide.", depth, "account", "state"
        )
        waiting = Change.objects.filter(state__in=(Change.State.QUEUED, Change.State.SENDING))
        oldest = dict(waiting.values_list("account").annotate(Min("created_at")))
        told = "How long the oldest change has waited, those that are held left out; 0: none waits."
        yield self._age("outbox_oldest_age_seconds", told, oldest)
        told = "For how long trouble of the whole account has kept everything from being sent; 0: it does not."
        yield self._age("account_paused_seconds", told, dict(Pause.objects.values_list("account", "since")))

    def _calls(self) -> Iterator[Metric]:
        names = ("account", "kind", "result")
        found = {(pk, kind, result): (0, 0.0) for pk in self._accounts for kind, result in _ALWAYS}
        for row in CallCount.objects.filter(account__in=self._accounts).order_by(*names):
            found[row.account_id, row.kind, row.result] = (row.number, row.seconds)
        calls = CounterMetricFamily(f"{PREFIX}_api_calls", "Calls of Audian's API, by what came of them.", labels=names)
        seconds = CounterMetricFamily(f"{PREFIX}_api_call_seconds", "How long they took together.", labels=names)
        for (pk, *what), (number, took) in found.items():
            calls.add_metric([self._accounts[pk], *what], number)
            seconds.add_metric([self._accounts[pk], *what], took)
        yield from (calls, seconds)

    def _mirror(self) -> Iterator[Metric]:
        newest = SyncRun.objects.filter(account=OuterRef("pk"), state__in=_ENDED).order_by("-started_at", "-pk")
        complete = newest.filter(state=SyncRun.State.COMPLETE)
        rows = Account.objects.annotate(
            ended_as=Subquery(newest.values("state")[:1]),
            began=Subquery(complete.values("started_at")[:1]),
            ended=Subquery(complete.values("finished_at")[:1]),
        ).values_list("slug", "ended_as", "began", "ended")
        rows = list(rows.order_by("pk"))
        ages = {slug: (self._now - ended).total_seconds() if ended else inf for slug, _state, _began, ended in rows}
        yield _gauge("mirror_age_seconds", "Since Audian was last looked at completely; +Inf: never.", ages, "account")
        lasted = {slug: (ended - began).total_seconds() for slug, _state, began, ended in rows if ended}
        yield _gauge("mirror_duration_seconds", "How long that look took.", lasted, "account")
        states = {(slug, str(state)): state == last for slug, last, *_rest in rows for state in _ENDED}
        yield _gauge("mirror_last_run", "1 for the way in which the last look ended.", states, "account", "state")

    def _lights(self) -> Iterator[Metric]:
        lately = Q(seen_at__gte=self._now - UNKNOWN_AFTER)
        connected = Count("pk", filter=lately & Q(registered=True))
        not_connected = Count("pk", filter=lately & Q(registered=False))
        there = Softphone.objects.present().values_list("account")
        by_account = {pk: numbers for pk, *numbers in there.annotate(all=Count("pk"), on=connected, off=not_connected)}
        lights = {}
        for pk, slug in self._accounts.items():
            every, on, off = by_account.get(pk, (0, 0, 0))
            lights |= {(slug, "connected"): on, (slug, "not_connected"): off, (slug, "unknown"): every - on - off}
        told = "Softphones by whether they are connected. Only those that a page watches are looked at; unknown is not offline."
        yield _gauge("lights", told, lights, "account", "state")

    def _mails(self) -> Iterator[Metric]:
        queued = Message.objects.filter(state=Message.State.QUEUED).aggregate(number=Count("pk"), oldest=Min("created_at"))
        yield _gauge("mails_queued", "Mails that wait to be sent.", queued["number"])
        age = (self._now - queued["oldest"]).total_seconds() if queued["oldest"] else 0
        yield _gauge("mails_oldest_age_seconds", "How long the oldest of them has waited; 0: none waits.", age)
        failed = Message.objects.filter(state=Message.State.FAILED, created_at__gt=self._now - DAY)
        yield _gauge("mails_failed", "Mails of the last 24 hours that were given up.", failed.count())

    def _age(self, name: str, told: str, since: Mapping[int, datetime]) -> Metric:
        """Seconds by account; 0 for those that `since` does not name."""
        ages = {slug: (self._now - since.get(pk, self._now)).total_seconds() for pk, slug in self._accounts.items()}
        return _gauge(name, told, ages, "account")


def _gauge(name: str, told: str, values: float | Mapping, *labels: str) -> Metric:
    """One number, or one for each label; where there are several labels, the keys are tuples."""
    if not labels:
        return GaugeMetricFamily(f"{PREFIX}_{name}", told, values)
    family = GaugeMetricFamily(f"{PREFIX}_{name}", told, labels=labels)
    for names, value in values.items():
        family.add_metric([names] if len(labels) == 1 else names, value)
    return family
