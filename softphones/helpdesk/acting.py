"""What helpdesk does to a phone. Each act is done once however often its button is pressed, and audited also when refused."""

from contextlib import suppress
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.db import transaction
from django.dispatch import receiver
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from softphones import audit, changes, mail, setup_links
from softphones.models import Change, Message, Owner, Softphone, User
from softphones.people import holds

Kind, State = Change.Kind, Change.State

HOUR = timedelta(hours=1)
_RESET = "reset"  # how the keys of helpdesk's resets begin
_READY = {Kind.CREATE: Message.Kind.SOFTPHONE_READY, Kind.RESET_PASSWORD: Message.Kind.NEW_PASSWORD}


class Refused(Exception):
    """Not now; `str()` is a sentence that says why."""


def send_link(*, softphone: Softphone, by: User, ip: str | None, now: datetime) -> tuple[Message, bool]:
    """Mail the phone's person the address of its set-up page; nothing about the phone changes. Returns the mail, and
    whether it is a new one: within SEND_LINK_AGAIN_AFTER seconds it is the one that was asked for before.

    Raises mail.NoAddress, a sentence.
    """
    since = now - timedelta(seconds=settings.SEND_LINK_AGAIN_AFTER)
    with transaction.atomic():
        phones = Softphone.objects.select_related("account", "owner__user")
        locked = phones.select_for_update(of=("self",), no_key=True).get(pk=softphone.pk)
        recent = Message.objects.filter(softphone=locked, kind=Message.Kind.SETUP_LINK, created_at__gt=since)
        before = recent.exclude(state=Message.State.FAILED).order_by("-pk").first()
        if before and before.to == mail.address_of(locked.owner, softphone=locked):
            return before, False
        asked = {"kind": Message.Kind.SETUP_LINK, "account": locked.account, "softphone": locked}
        return mail.ask(**asked, asked_by=by, ip=ip, now=now), True


def reset(*, softphone: Softphone, by: User, reason: str, key: str, ip: str | None, now: datetime) -> Change:
    """Ask for a new password, which is mailed about to the phone's person once Audian has it. Ends all set-up links.

    The same `key` gives back the same change. Raises Refused within RESET_AGAIN_AFTER seconds of another reset of this
    phone, or when `by` pressed for HELPDESK_RESETS new passwords within the hour; changes.NotPossible.
    """
    key = _key_of(_RESET, softphone, key or get_random_string(20))
    try:
        with transaction.atomic():
            _one_at_a_time(by)
            phones = Softphone.objects.select_related("account")
            locked = phones.select_for_update(of=("self",), no_key=True).get(pk=softphone.pk)
            if before := changes.asked(account=locked.account, by=by, key=key):
                return before
            _refuse_one_reset_more(locked, by, now)
            return changes.reset_password(softphone=locked, by=by, reason=reason, key=key, ip=ip, now=now)
    except Refused:
        audit.record(act="password:reset", actor=by, softphone=softphone, ip=ip, reason=reason, outcome="refused", now=now)
        raise


def try_again(*, change: Change, by: User, mine_anyway: bool = False, ip: str | None, now: datetime) -> Change:
    """Send a failed change once more. One that draws another password is a reset like any other: `reset` says how often.

    Raises Refused, changes.NotPossible.
    """
    again = {"change": change, "by": by, "mine_anyway": mine_anyway, "ip": ip, "now": now}
    try:
        with transaction.atomic():
            _one_at_a_time(by)
            locked = Softphone.objects.select_for_update(no_key=True).get(pk=change.softphone_id)
            change.refresh_from_db(fields=["state"])
            if change.state == State.FAILED and changes.draws_password(change):
                _refuse_one_reset_more(locked, by, now)
            return changes.try_again(**again)
    except Refused:
        audit.record(act="password:reset", actor=by, softphone=change.softphone, ip=ip, outcome="refused", now=now)
        raise


def switch(*, softphone: Softphone, on: bool, by: User, reason: str, key: str, ip: str | None, now: datetime) -> Change:
    """Ask Audian to switch the phone on or off; off ends all set-up links. Raises changes.NotPossible."""
    asked = {"by": by, "reason": reason, "key": _key_of("on" if on else "off", softphone, key), "ip": ip, "now": now}
    return changes.update(softphone=softphone, values={"enabled": on}, seen={}, **asked)


def revoke_links(*, softphone: Softphone, by: User, ip: str | None, now: datetime) -> int:
    """End all set-up links of the phone, also pages that are open. Returns how many there were."""
    with transaction.atomic():
        ended = setup_links.revoke(softphone=softphone, now=now)
        audit.record(act="link:revoked", actor=by, softphone=softphone, ip=ip, data={"count": ended}, now=now)
    return ended


def confirm_person(*, owner: Owner, new_passwords: bool, by: User, ip: str | None, now: datetime) -> User | None:
    """Let whoever has the owner's address be this owner (holds.confirm); `new_passwords` unless they are the same as before.

    Returns who is linked now. Raises holds.NotYours, holds.NotPossible.
    """
    with transaction.atomic():
        user = holds.confirm(owner=owner, by=by, ip=ip, now=now)
        for phone in Softphone.objects.present().filter(owner=owner) if new_passwords else []:
            with suppress(changes.NotPossible), transaction.atomic():
                changes.reset_password(softphone=phone, by=by, ip=ip, now=now)
    return user


@receiver(changes.finished)
def tell_of_what_is_ready(*, change: Change, **kwargs) -> None:
    """Once Audian has the phone or the password that somebody else asked for, its person is mailed where to find it.

    Not of phones that were made in bulk: who makes hundreds decides when their people are told.
    """
    softphone = change.softphone
    owner = softphone.owner
    theirs = owner is None or change.pressed_by in (None, owner.user)
    in_bulk = change.kind == Kind.CREATE and not change.urgent
    if change.kind not in _READY or change.state != State.DONE or theirs or in_bulk:
        return
    asked = {"kind": _READY[change.kind], "account": softphone.account, "softphone": softphone}
    try:
        mail.ask(**asked, asked_by=change.pressed_by, in_bulk=not change.urgent, now=change.finished_at)
    except mail.NoAddress:
        return  # the page said so before


def _key_of(act: str, softphone: Softphone, key: str) -> str:
    """A form's key, such that it never means another act or another phone."""
    return f"{act}:{softphone.pk}:{key}" if key else ""


def _refuse_one_reset_more(softphone: Softphone, by: User, now: datetime) -> None:
    """Raises Refused soon after another one, and for whoever has reset as many as they may."""
    if last := _last_reset(softphone, now - timedelta(seconds=settings.RESET_AGAIN_AFTER)):
        who, at = last
        seconds = max(1, round(settings.RESET_AGAIN_AFTER - (now - at).total_seconds()))
        if who == by:
            text = _("You reset this password a moment ago. Another reset would undo it; that is possible in %(seconds)d s.")
        else:
            text = _("%(who)s has just reset this password. Another reset would undo that; it is possible in %(seconds)d s.")
        raise Refused(text % {"who": who or _("Somebody"), "seconds": seconds})
    presses = _presses_of(by, now - HOUR)
    if len(presses) >= settings.HELPDESK_RESETS:
        next_at = presses[-settings.HELPDESK_RESETS] + HOUR
        minutes = max(1, ceil((next_at - now).total_seconds() / 60))
        text = ngettext(
            "You have reset %(count)d passwords within an hour. That is the most: ask a colleague or wait %(minutes)d minute.",
            "You have reset %(count)d passwords within an hour. That is the most: ask a colleague or wait %(minutes)d minutes.",
            minutes,
        )
        raise Refused(text % {"count": len(presses), "minutes": minutes})


def _one_at_a_time(by: User) -> None:
    """So that no two presses of one person pass one count. Before the phone, since self-service locks in this order too."""
    User.objects.select_for_update(no_key=True).get(pk=by.pk)


def _presses_of(by: User, since: datetime) -> list[datetime]:
    """When this person pressed for new passwords at the desk since then, oldest first; also for what came to nothing."""
    resets = Change.objects.filter(asked_by=by, kind=Kind.RESET_PASSWORD, key__startswith=changes.key_of(by, f"{_RESET}:"))
    presses = resets.filter(created_at__gt=since).values_list("created_at", flat=True)
    again = changes.resets_again(since=since).filter(actor=by).values_list("at", flat=True)
    return sorted([*presses, *again])


def _last_reset(softphone: Softphone, since: datetime) -> tuple[User | None, datetime] | None:
    """Who pressed for a new password last since then, and when; not where that came to nothing."""
    resets = Change.objects.filter(softphone=softphone).exclude(state__in=(State.FAILED, State.REPLACED))
    asked = resets.filter(kind=Kind.RESET_PASSWORD, created_at__gt=since).select_related("asked_by").defer("password")
    presses = [(each.asked_by, each.created_at) for each in asked]
    again = changes.resets_again(since=since).filter(softphone=softphone).select_related("actor")
    presses += [(each.actor, each.at) for each in again if resets.filter(pk=each.data["change"]).exists()]
    return max(presses, key=lambda press: press[1], default=None)
