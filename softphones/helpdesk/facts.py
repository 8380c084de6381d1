"""What a person's page tells of one phone: its light, what it did last and why, what is being changed, what came of a reset."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import Max
from django.utils.translation import gettext as _

from softphones import changes
from softphones.lights import Light
from softphones.models import AuditEvent, Change, Message, SetupLink, Softphone
from softphones.troubleshooting import Connection, Explanation, Facts, Person, Wish, app_name, explain

Kind, State = Change.Kind, Change.State

UnderWay = tuple[Change, changes.Progress]
_GRAVEST_FIRST: tuple[Wish, ...] = ("delete", "create", "switch_on", "reset_password", "update")

# A page goes on showing what came of a reset for so long.
FOLLOWED_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way from a reset to a phone that connects again."""

    name: str
    state: Literal["done", "now", "later", "failed"]
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """All that the page tells of a phone as of now. `made`: Audian has it, or is being asked to make it. `failed` is its
    last change, if that failed. `way` is empty unless its password was reset lately."""

    light: Light
    made: bool
    explanation: Explanation
    failed: Change | None
    progress: tuple[UnderWay, ...]
    way: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """What a new password or switching off ends: `app`, and `since` when it is connected, where Audian tells.

    Of what is unknown: whether an app `was` connected (None: nobody knows), and when that was (`seen_at`). `off`: it is
    switched off, so no app can be.
    """

    state: Literal["connected", "not_connected", "unknown", "off"]
    app: str = ""
    since: datetime | None = None
    was: bool | None = None
    seen_at: datetime | None = None


def desk_of(softphone: Softphone, light: Light, now: datetime, when) -> Desk:
    """`when` writes a moment, as explain() takes it."""
    unfinished = Change.objects.filter(account=softphone.account_id, softphone=softphone, state__in=Change.UNFINISHED)
    progress = tuple((change, changes.progress(change=change, now=now)) for change in unfinished.order_by("pk"))
    failed = _failed(softphone)
    facts = facts_of(softphone, light, progress, failed)
    return Desk(
        light=light,
        made=facts.made,
        explanation=explain(facts, when),
        failed=failed,
        progress=progress,
        way=_way(softphone, facts, light, now),
    )


def cut_of(softphone: Softphone, light: Light) -> Cut:
    """What is connected by this light, and would be ended."""
    if not softphone.enabled:
        return Cut("off")
    if not (softphone.audian_id and softphone.sip_username):
        return Cut("not_connected")  # no app could, yet
    if light.state == "connected":
        return Cut("connected", app_name(light.agent), light.since)
    if light.state == "not_connected":
        return Cut("not_connected")
    return Cut("unknown", was=softphone.registered, seen_at=softphone.seen_at)


def facts_of(softphone: Softphone, light: Light, progress: Iterable[UnderWay], failed: Change | None) -> Facts:
    waiting, stands = _waiting(softphone, progress)
    lost = Connection(softphone.lost_since, softphone.lost_address, softphone.lost_agent) if softphone.lost_at else None
    return Facts(
        made=_is_made(softphone),
        enabled=softphone.enabled,
        person=_person(softphone),
        has_username=bool(softphone.sip_username),
        doubled=softphone.fault == Softphone.Fault.DOUBLED_USERNAME,
        state=light.state,
        now=Connection(light.since, light.address, light.agent),
        seen_at=light.seen_at,
        lost=lost,
        lost_at=softphone.lost_at,
        lost_after=softphone.lost_after,
        waiting=waiting,
        stands=stands,
        password_known=softphone.password is not None,
        password_set_at=changes.password_set_at(softphone),
        opened_at=_opened_at(softphone),
        mailed_at=_mailed_at(softphone),
        failed=_wish(failed, softphone) if failed else "",
    )


def _is_made(softphone: Softphone) -> bool:
    """Whether Audian has it, or is being asked to make it."""
    return bool(softphone.audian_id) or softphone.changes.filter(kind=Kind.CREATE).exclude(state=State.FAILED).exists()


def _person(softphone: Softphone) -> Person:
    owner = softphone.owner
    if owner is None:
        return "dangling" if softphone.owner_audian_id else "nobody"
    return "gone" if owner.gone_at else "there" if owner.enabled else "off"


def _waiting(softphone: Softphone, progress: Iterable[UnderWay]) -> tuple[Wish, str]:
    """What is under way that keeps the phone from connecting, the gravest, and what that waits for (see Facts)."""
    found = {_wish(change, softphone): _stands(one) for change, one in progress if one.state not in ("done", "failed")}
    return next(((wish, found[wish]) for wish in _GRAVEST_FIRST if wish in found), ("", ""))


def _wish(change: Change, softphone: Softphone) -> Wish:
    if change.kind == Kind.UPDATE and "owner_id" in change.values:
        return "reset_password"  # which a new owner means
    if change.kind == Kind.UPDATE and change.values.get("enabled") and not softphone.enabled:
        return "switch_on"
    return Kind(change.kind).value


def _stands(progress: changes.Progress) -> str:
    if progress.state == "paused":
        return "stuck" if progress.paused_because else "paused"
    return "held" if progress.state == "held" else ""


def _opened_at(softphone: Softphone) -> datetime | None:
    opened = SetupLink.objects.filter(softphone=softphone).aggregate(at=Max("opened_at"))["at"]
    shown = AuditEvent.objects.filter(softphone=softphone, act="password:shown").aggregate(at=Max("at"))["at"]
    return max(filter(None, (opened, shown)), default=None)


def _mailed_at(softphone: Softphone) -> datetime | None:
    kinds = (Message.Kind.SETUP_LINK, Message.Kind.NEW_PASSWORD, Message.Kind.SOFTPHONE_READY)
    return Message.objects.filter(softphone=softphone, kind__in=kinds).aggregate(at=Max("sent_at"))["at"]


def _failed(softphone: Softphone) -> Change | None:
    """The last change, if it failed and nothing newer is under way."""
    if changes.pending(softphone):
        return None
    ended = Change.objects.filter(softphone=softphone, state__in=(State.DONE, State.FAILED), folded_into=None)
    last = ended.order_by("-finished_at", "-pk").first()
    return last if last and last.state == State.FAILED else None


def _way(softphone: Softphone, facts: Facts, light: Light, now: datetime) -> tuple[Step, ...]:
    resets = Change.objects.filter(softphone=softphone, kind=Kind.RESET_PASSWORD, created_at__gt=now - FOLLOWED_FOR)
    reset = resets.exclude(state=State.REPLACED).order_by("-pk").first()
    if reset is None or not softphone.enabled:
        return ()
    if reset.state != State.DONE:
        first = "failed" if reset.state == State.FAILED else "now"
        return (Step(_("Changed at Audian"), first), *(Step(name, "later") for name in _later_steps()))
    since = reset.finished_at
    again = light.state == "connected" and bool(light.since) and light.since >= since
    opened = facts.opened_at if facts.opened_at and facts.opened_at >= since else None
    lost = softphone.lost_at if softphone.lost_at and softphone.lost_at >= since else None
    gone = again or lost or light.state == "not_connected"
    reached = [True, bool(gone), bool(opened or again), again]
    times = [since, lost, opened, light.since if again else None]
    names = [_("Changed at Audian"), *_later_steps()]
    first_open = reached.index(False) if False in reached else len(reached)
    return tuple(
        Step(name, "done" if done else "now" if place == first_open else "later", at)
        for place, (name, done, at) in enumerate(zip(names, reached, times, strict=True))
    )


def _later_steps() -> list[str]:
    return [_("Old connection gone"), _("Set-up opened"), _("Connected again")]
