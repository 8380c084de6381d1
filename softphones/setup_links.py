"""One-time links: a token that shows one phone's credentials once, to one browser or to one softphone app.

A token is 256 random bits. It stands only in its own address; the database has its SHA-256, the session the row's id.

A link is worth no more than the access of whoever drew it: it is dead as soon as they are no longer the phone's person,
the phone is disabled, gone or without a known password, or its owner is disabled or gone. Used, expired, revoked and
unknown tokens take the same path and get the same answer.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.urls import reverse

from softphones import audit
from softphones.models import SetupLink, Softphone, User
from softphones.sip_settings import new_passwords

SESSION_KEY = "setup_links"  # ids of the links that this browser opened
KEPT_AT_MOST = 20
# A softphone that lost the answer asks again at once; nobody else has a reason to (design: "answered again at most twice").
REPEATS = 2
REPEAT_AFTER, REPEAT_UNTIL = timedelta(seconds=1), timedelta(seconds=10)
# Two presses of one button, where no script holds the second one back.
PRESSED_AGAIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A new link, and its token: the only time it is known in clear."""

    token: str = field(repr=False)
    link: SetupLink


def draw(*, softphone: Softphone, user: User, ip: str | None, now: datetime) -> Drawn:
    """A new link for this phone, for SETUP_LINK_SECONDS. The caller has checked access and fresh proof."""
    expires_at = now + timedelta(seconds=settings.SETUP_LINK_SECONDS)
    return _make(softphone=softphone, user=user, expires_at=expires_at, ip=ip, now=now)


def draw_child(*, token: str, session: SessionBase, ip: str | None, agent: str, now: datetime) -> Drawn | None:
    """A new link for an app on the device whose browser opened this one; None if this browser does not keep it.

    Only an app can use it, and it lives no longer than the browser keeps the page.
    """
    link = kept_by(token=token, session=session, now=now)
    if link is None:
        return None
    expires_at = min(now + timedelta(seconds=settings.SETUP_LINK_SECONDS), kept_until(link))
    return _make(softphone=link.softphone, user=link.made_by, parent=link, expires_at=expires_at, ip=ip, agent=agent, now=now)


def url(token: str) -> str:
    """The link's address, for a code or a tap. Always under PUBLIC_URL, without a trailing slash: Linphone follows no
    redirect."""
    return settings.PUBLIC_URL + reverse("setup_link", args=[token])


def look(*, token: str, now: datetime) -> Literal["works", "dead"]:
    """Whether a browser could open the link now. Writes nothing."""
    return "works" if _unopened(token, now, by_app=False) else "dead"


def open_in_browser(
    *, token: str, session: SessionBase, browser: str, ip: str | None, agent: str, now: datetime
) -> SetupLink | None:
    """Use the link up for this browser, whose session keeps it for SETUP_SESSION_SECONDS.

    `browser` is a secret that this browser had before it pressed, "" if it had none. Exactly one of many simultaneous
    calls gets the link; the others None, except another press in the browser that won.
    """
    link = _unopened(token, now, by_app=False)
    if link and _claim(link, session=session, browser=browser, ip=ip, agent=agent, now=now):
        return link
    return kept_by(token=token, session=_as_stored(session), now=now) or _pressed_again(token, session, browser, now)


def _pressed_again(token: str, session: SessionBase, browser: str, now: datetime) -> SetupLink | None:
    """The link, for the second of two presses: sent before the first one's answer named the session that keeps it."""
    if not browser:
        return None
    opened = _usable(token).filter(opened_by_app=False, opened_browser=_hash(browser), opened_at__gt=now - PRESSED_AGAIN)
    link = _with_password(opened)
    if link:
        _keep(session, link)
    return link


def kept_by(*, token: str, session: SessionBase, now: datetime) -> SetupLink | None:
    """The link, if this browser opened it and still keeps it. Writes nothing."""
    kept = session.get(SESSION_KEY, [])
    since = now - timedelta(seconds=settings.SETUP_SESSION_SECONDS)
    link = _with_password(_usable(token).filter(opened_at__gt=since, opened_by_app=False))
    return link if link and link.pk in kept else None


def kept_until(link: SetupLink) -> datetime:
    """When the page of an opened link ends."""
    return link.opened_at + timedelta(seconds=settings.SETUP_SESSION_SECONDS)


def fetch_by_app(*, token: str, ip: str | None, agent: str, now: datetime) -> SetupLink | None:
    """Use the link up for a softphone that fetches its own document.

    Exactly one of many simultaneous calls gets it. The same address and agent get it again, at most twice, from 1 to 10
    seconds after the first: an answer lost on a mobile network is asked for again.
    """
    link = _unopened(token, now, by_app=True)
    if link:
        return link if _claim(link, session=None, browser="", ip=ip, agent=agent, now=now) else None
    return _repeat(token, ip=ip, agent=agent, now=now)


def revoke(*, softphone: Softphone, now: datetime) -> int:
    """End all links of this phone, also those that a browser keeps, in the caller's transaction. Returns their number."""
    return SetupLink.objects.filter(softphone=softphone, revoked_at=None).update(revoked_at=now)


def _make(
    *,
    softphone: Softphone,
    user: User,
    expires_at: datetime,
    ip: str | None,
    now: datetime,
    parent: SetupLink | None = None,
    agent: str = "",
) -> Drawn:
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        link = SetupLink.objects.create(
            token_hash=_hash(token), softphone=softphone, parent=parent, made_by=user, made_at=now, expires_at=expires_at
        )
        data = {"link": link.pk} | ({"parent": parent.pk, "agent": agent} if parent else {})
        # Whoever holds an opened page need not be signed in.
        actor = None if parent else user
        audit.record(act="link:made", actor=actor, softphone=softphone, ip=ip, data=data, now=now)
    return Drawn(token, link)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _usable(token: str) -> QuerySet[SetupLink]:
    """The link of this token, if it is not revoked and its phone may still be shown to whoever drew it."""
    links = SetupLink.objects.select_related("softphone__account", "softphone__owner", "made_by")
    return links.exclude(Exists(new_passwords().filter(softphone=OuterRef("softphone")))).filter(
        token_hash=_hash(token),
        revoked_at=None,
        made_by__is_active=True,
        softphone__gone_at=None,
        softphone__enabled=True,
        softphone__sip_username__gt="",
        softphone__owner__user=F("made_by"),
        softphone__owner__enabled=True,
        softphone__owner__gone_at=None,
        softphone__account__memberships__user=F("made_by"),
    )


def _unopened(token: str, now: datetime, *, by_app: bool) -> SetupLink | None:
    links = _usable(token).filter(opened_at=None, expires_at__gt=now)
    return _with_password(links if by_app else links.filter(parent=None))


def _with_password(links: QuerySet[SetupLink]) -> SetupLink | None:
    link = links.first()
    return link if link and link.softphone.password else None


def _claim(link: SetupLink, *, session: SessionBase | None, browser: str, ip: str | None, agent: str, now: datetime) -> bool:
    """Whether we are the one that opens it. `session` is None for an app.

    One statement on one table decides: a condition in a sub-select would not be looked at again by a PostgreSQL that had
    to wait for the row.
    """
    by_app = session is None
    free = SetupLink.objects.filter(pk=link.pk, opened_at=None, revoked_at=None, expires_at__gt=now)
    opened = {"opened_at": now, "opened_from": ip, "opened_agent": _agent(agent), "opened_by_app": by_app}
    opened["opened_browser"] = _hash(browser) if browser else ""
    with transaction.atomic():
        if not free.update(**opened):
            return False
        act = "link:fetched" if by_app else "link:opened"
        audit.record(act=act, softphone=link.softphone, ip=ip, data={"link": link.pk, "agent": agent}, now=now)
        if session is not None:
            _keep(session, link)
    return True


def _repeat(token: str, *, ip: str | None, agent: str, now: datetime) -> SetupLink | None:
    link = _with_password(_usable(token).filter(opened_by_app=True, opened_from=ip, opened_agent=_agent(agent)))
    if link is None or ip is None:
        return None
    again = SetupLink.objects.filter(
        pk=link.pk,
        revoked_at=None,
        opened_at__range=(now - REPEAT_UNTIL, now - REPEAT_AFTER),
        repeats__lt=REPEATS,
    )
    with transaction.atomic():
        if not again.update(repeats=F("repeats") + 1):
            return None
        data = {"link": link.pk, "agent": agent}
        audit.record(act="link:fetched", softphone=link.softphone, ip=ip, data=data, now=now)
    return link


def _agent(agent: str) -> str:
    return agent.replace("\0", "")[:256]


def _keep(session: SessionBase, link: SetupLink) -> None:
    """Let this browser keep the link, stored before anybody else learns that it is taken.

    A session that nobody has signed in to gets a new name, so that one planted in this browser beforehand shows nothing.
    """
    session[SESSION_KEY] = [*session.get(SESSION_KEY, []), link.pk][-KEPT_AT_MOST:]
    if session.session_key and "_auth_user_id" not in session:
        session.cycle_key()
    session.save()


def _as_stored(session: SessionBase) -> SessionBase:
    """The session as it is now: another press of the same button may have changed it since this request began."""
    return type(session)(session.session_key)
