"""What a phone did last, in one sentence, and what is likely behind it: from facts alone, without a query or a call.

The rules, first match first, are those of `explain`. Where we don't know, the sentence says so: absent is unknown, never
offline (audian-api.md section 6).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from django.utils.functional import Promise
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

Person = Literal["there", "off", "gone", "dangling", "nobody"]
# What was asked of Audian; of what concerns a connection, the gravest. An update that switches it on stands for itself.
Wish = Literal["", "create", "update", "switch_on", "reset_password", "delete"]

# A connection that ended within so long of a new password ended because of it: apps renew theirs within an hour.
RENEWED_WITHIN = timedelta(hours=1)
# Looks closer together than this name one moment.
A_MOMENT = timedelta(minutes=2)

_LEFT = {
    "off": gettext_lazy("Its person is switched off at Audian, and the phone still works: close their phones."),
    "gone": gettext_lazy("Its person is gone from Audian, and the phone still works: close their phones."),
    "dangling": gettext_lazy("Audian has nobody to whom it belongs, and it still works: close it."),
}
_WAITS_FOR = {
    "held": gettext_lazy("It waits for an administrator, who has to accept or decline what Audian charges."),
    "stuck": gettext_lazy("Nothing can be changed at Audian right now; it goes on by itself as soon as that is over."),
    "paused": gettext_lazy("It is part of bulk work that was paused."),
}
_MAIL_ASKS = (
    gettext_lazy("Did the mail arrive? It may lie among the junk."),
    gettext_lazy("Do they have the app on the device in front of them?"),
)
_CLOSED_ASKS = (
    gettext_lazy("Is the app open, and what does it say?"),
    gettext_lazy("Does a website open on that device, and does it help to change between Wi-Fi and mobile data?"),
    gettext_lazy("Does it connect again after the app was closed and opened?"),
)
_NETWORK_ASKS = (
    gettext_lazy("Which step did they reach, and what does the app say?"),
    gettext_lazy("Does it connect over mobile data? Then the Wi-Fi or the VPN blocks it."),
    gettext_lazy("Does the username in the app look like the one above?"),
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that is, or was: since when (None: not known), from which address (ip:port) and with which app."""

    since: datetime | None = None
    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one phone.

    `state` is that of its light, `now` the connection if there is one, `seen_at` the last look. `lost` is the connection
    that ended last, seen until `lost_after` and no more at `lost_at`. `password_set_at`: when Audian confirmed the last
    new one that we asked for. `opened_at`: when its person last opened the set-up page's code, link or password.
    `mailed_at`: when a set-up mail was last handed to the mail server.

    `made`: Audian has it, or is being asked to make it. `waiting` is under way, and `stands` says what it waits for, if not
    for its turn: a decision about charges, the end of the account's trouble, or of a pause. `failed`: the last change, if
    it did not come about.
    """

    made: bool = True
    enabled: bool = True
    person: Person = "there"
    has_username: bool = True
    doubled: bool = False
    state: Literal["connected", "not_connected", "unknown"] = "unknown"
    now: Connection = field(default_factory=Connection)
    seen_at: datetime | None = None
    lost: Connection | None = None
    lost_at: datetime | None = None
    lost_after: datetime | None = None
    waiting: Wish = ""
    stands: Literal["", "held", "stuck", "paused"] = ""
    password_known: bool = True
    password_set_at: datetime | None = None
    opened_at: datetime | None = None
    mailed_at: datetime | None = None
    failed: Wish = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`did`: what the phone did last. `cause`: what is likely behind it, '' if all is well. `ask`: what to ask its person."""

    tone: Literal["ok", "wait", "bad", "off"]
    did: SafeString
    cause: SafeString | str = ""
    ask: tuple[str | Promise, ...] = ()


def explain(facts: Facts, when: Callable[[datetime], str]) -> Explanation:
    """The first of these that is so: what keeps any app from connecting; what is on its way; what the light says.

    `when` writes a moment, as text or as HTML; all else is escaped.
    """
    return _can_not_connect(facts, when) or _on_its_way(facts, when) or _BY_STATE[facts.state](facts, when)


def app_name(agent: str) -> str:
    """An app as people call it, from what it calls itself ("Zoiper v2.10.20.1", "LinphoneiOS/5.2.4 (iPhone) …")."""
    name = agent.partition("(")[0].replace("/", " ").strip()
    return " ".join(name.split()[:3])[:40]


def host(address: str) -> str:
    """The IP address without its port and brackets."""
    bare, _colon, port = address.rpartition(":")
    return bare.strip("[]") if bare and port.isdigit() else address


def _can_not_connect(facts: Facts, when) -> Explanation | None:
    if facts.waiting == "delete":
        did = _("It is to be deleted at Audian.") if facts.stands else _("It is being deleted at Audian.")
        return Explanation("off", _said(did), _waits_for(facts))
    if facts.waiting == "create":
        if facts.stands:
            return Explanation("wait", _said(_("It is not made at Audian yet, so no app can connect.")), _waits_for(facts))
        return Explanation("wait", _said(_("It is being made at Audian, so no app can connect yet.")))
    if not facts.made:
        cause = _("An administrator can try again.")
        return Explanation("bad", _said(_("It was not made at Audian, so no app can connect with it.")), _said(cause))
    if not facts.has_username:
        cause = _("An administrator has to finish it at Audian.")
        return Explanation("bad", _said(_("It has no SIP username at Audian, so no app can connect with it.")), _said(cause))
    return None if facts.enabled else _switched_off(facts, when)


def _switched_off(facts: Facts, when) -> Explanation:
    if facts.waiting == "switch_on":
        off = _said(_("It is still switched off, so it can’t connect yet."))
        return Explanation("wait", off, _waits_for(facts) or _said(_("It is being switched on at Audian.")))
    if facts.failed == "switch_on":
        off = _said(_("It is switched off, so it can’t connect."))
        return Explanation("bad", off, _said(_("Switching it on did not come about.")))
    off = _said(_("It is switched off, so it can’t connect until somebody switches it on."))
    did = _last(facts, when)
    return Explanation("off", did, off) if did else Explanation("off", off)


def _on_its_way(facts: Facts, when) -> Explanation | None:
    if facts.waiting != "reset_password":
        return None
    if facts.stands:
        did = _last(facts, when) or _not_since(facts, when)
        cause = _("A new password was asked for, and Audian does not have it yet; meanwhile nobody is shown the old one.")
        return Explanation("wait", did, _said("{} {}", cause, _waits_for(facts)))
    did = _last(facts, when) or _said(_("A new password was asked for."))
    cause = _("A new password is on its way to Audian. The old one is not shown any more; the app needs the new one.")
    return Explanation("wait", did, _said(cause))


def _waits_for(facts: Facts) -> SafeString | str:
    return _said(_WAITS_FOR[facts.stands]) if facts.stands else ""


def _connected(facts: Facts, when) -> Explanation:
    did = _is_connected(facts.now, when)
    if facts.person in ("off", "gone", "dangling"):
        return Explanation("bad", did, _said(_LEFT[facts.person]))
    if facts.doubled:
        cause = _(
            "Another softphone has the same SIP username: calls may ring on the wrong one. An administrator has to part them."
        )
        return Explanation("bad", did, _said(cause))
    if facts.password_set_at and facts.now.since and facts.now.since < facts.password_set_at:
        cause = _("This connection is older than the new password ({set}); it ends when the app renews it.")
        return Explanation("wait", did, _said(cause, set=when(facts.password_set_at)))
    asks = (
        _("Can they hear themselves at the echo test, or a colleague in a call? If not: is the microphone allowed?"),
        _("Do incoming calls ring only while the app is in front? Then its notifications are off."),
    )
    return Explanation("ok", did, ask=asks)


def _not_connected(facts: Facts, when) -> Explanation:
    did = _last(facts, when) or _not_since(facts, when)
    if facts.failed:
        return Explanation("bad", did, _said(_("The last change did not come about.")))
    if _password_is_why(facts):
        cause = _("The password was changed {set}. Most likely the app still has the old one: send the set-up link.")
        ask = (_("Have they opened the set-up page since, and put in the new password?"), *_MAIL_ASKS)
        return Explanation("wait", did, _said(cause, set=when(facts.password_set_at)), ask)
    if facts.opened_at and (facts.lost_at is None or facts.opened_at > facts.lost_at):
        cause = _(
            "Its set-up was opened {opened}, but nothing connected since. Most likely the set-up was not finished, or the "
            "network blocks it."
        )
        return Explanation("wait", did, _said(cause, opened=when(facts.opened_at)), _NETWORK_ASKS)
    if facts.lost_at:
        cause = _("The password was not changed. Most likely the app was closed, or the device lost its network.")
        return Explanation("wait", did, _said(cause), _CLOSED_ASKS)
    if facts.mailed_at:
        cause = _("The set-up link was mailed {mailed} and not opened. Most likely it was not seen yet.")
        return Explanation("wait", did, _said(cause, mailed=when(facts.mailed_at)), _MAIL_ASKS)
    return Explanation("wait", did, _said(_("Most likely it was not set up yet: send the set-up link.")), _MAIL_ASKS)


def _unknown(facts: Facts, when) -> Explanation:
    if facts.seen_at is None:
        did = _said(_("We have not seen yet whether it is connected."))
    elif facts.now.since or facts.now.address:
        did = _said(_("It was connected when we last looked, {seen}."), seen=when(facts.seen_at))
    else:
        did = _last(facts, when) or _said(_("It was not connected when we last looked, {seen}."), seen=when(facts.seen_at))
    if facts.failed:
        return Explanation("bad", did, _said(_("The last change did not come about.")))
    return Explanation("off", did, _said(_("Audian does not tell us right now. We keep looking.")))


def _password_is_why(facts: Facts) -> bool:
    """A new password came after the last set-up, and nothing connected with it; or it came just before the connection ended."""
    if facts.password_set_at is None or (facts.opened_at and facts.opened_at > facts.password_set_at):
        return False
    return facts.lost_at is None or facts.lost_at - RENEWED_WITHIN < facts.password_set_at or not facts.password_known


def _last(facts: Facts, when) -> SafeString | None:
    """What it did last: the connection that is, else the one that ended."""
    if facts.state == "connected":
        return _is_connected(facts.now, when)
    if facts.lost is None or facts.lost_at is None:
        return None
    lost, ended = facts.lost, facts.lost_at
    if facts.lost_after and facts.lost_at - facts.lost_after > A_MOMENT:
        stopped = _said(_("then stopped between {after} and {at}"), after=when(facts.lost_after), at=when(ended))
    else:
        stopped = _said(_("then stopped {at}"), at=when(ended))
    place = _place(lost)
    if lost.since and lost.since < ended:
        how_long = timesince(lost.since, ended, depth=2)
        return _said(_("Connected for {how_long}{place}, {stopped}."), how_long=how_long, place=place, stopped=stopped)
    return _said(_("Was connected{place}, {stopped}."), place=place, stopped=stopped)


def _is_connected(connection: Connection, when) -> SafeString:
    place = _place(connection)
    if connection.since:
        return _said(_("Connected since {since}{place}."), since=when(connection.since), place=place)
    if place:
        return _said(_("Connected{place}."), place=place)
    return _said(_("It is connected; Audian has not told yet since when and with which app."))


def _not_since(facts: Facts, when) -> SafeString:
    if facts.opened_at or facts.mailed_at or facts.password_set_at:
        return _said(_("It has not connected since we began to look."))
    return _said(_("It is not connected, and we have never seen it connected."))


def _place(connection: Connection) -> SafeString:
    address, app = host(connection.address), app_name(connection.agent)
    if address and app:
        return _said(_(" from {address} ({app})"), address=address, app=app)
    if address:
        return _said(_(" from {address}"), address=address)
    return _said(_(" with {app}"), app=app) if app else _said("")


def _said(text: str | Promise, *sentences, **parts) -> SafeString:
    return format_html(text, *sentences, **parts) if sentences or parts else escape(text)


_BY_STATE = {"connected": _connected, "not_connected": _not_connected, "unknown": _unknown}
