"""Codes by mail. Asking looks the same for every address: who gets a mail is decided by the worker that sends it (mail.py).

Each code has two forms. Six digits, for the browser that asked, with CODE_TRIES tries. Sixteen digits in the same mail,
beyond guessing, for any browser that asked: with them a person gets in even while somebody else uses up the mails to
their address and the tries of the short code.
"""

import re
import secrets
from datetime import datetime, timedelta
from enum import Enum

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import F
from django.utils.crypto import constant_time_compare

from softphones import limits
from softphones.models import Message, SignInCode, User
from softphones.wake import wake

SHORT, LONG = 6, 16
_CLOCKS_DIFFER = timedelta(minutes=1)  # a worker whose clock is behind ours sends the mail at once all the same
_LENDERS = 20  # how many of the newest mails to an address count

_KINDS = {
    SignInCode.Purpose.SIGN_IN: Message.Kind.SIGN_IN_CODE,
    SignInCode.Purpose.PROOF: Message.Kind.PROOF_CODE,
}


class Verdict(Enum):
    RIGHT = "right"
    WRONG = "wrong"
    LAPSED = "lapsed"  # or used, or tried too often: a new one is needed


def digits(typed: str) -> str:
    """What was typed without the spaces and dashes of its groups."""
    return re.sub(r"[\s\-\u2010-\u2015]", "", typed)


@transaction.atomic
def ask(
    *,
    purpose: str,
    address: str,
    browser: str,
    known_as: str,
    ip: str | None,
    now: datetime,
    user: User | None = None,
) -> None:
    """Put a code into the mail for this browser, as far as the limits allow. The same work is done for every address.

    Asked again within ten minutes, the same code is mailed again, so that it does not matter which mail arrives first.
    """
    code = _of_browser(purpose, address, browser, now).filter(
        made_at__gt=now - timedelta(seconds=settings.CODE_SECONDS * 2 / 3), tries__lt=settings.CODE_TRIES
    )
    code = code.first() or SignInCode.objects.create(
        purpose=purpose,
        address=address,
        browser=browser,
        code=_random(SHORT),
        long_code=_random(LONG),
        made_at=now,
        expires_at=now + timedelta(seconds=settings.CODE_SECONDS),
    )
    if not _may_mail(address, known_as, ip, now):
        return
    due = now - _CLOCKS_DIFFER
    Message.objects.create(kind=_KINDS[purpose], user=user, to=address, code=code, next_attempt_at=due)
    wake("send_messages")


@transaction.atomic
def enter(*, purpose: str, typed: str, address: str, browser: str, known_as: str, now: datetime) -> Verdict:
    """Try a code. Counts one try of this browser's own; a code opens once, and only one that was mailed opens at all."""
    own = _of_browser(purpose, address, browser, now).first()
    counted = SignInCode.objects.filter(pk=own and own.pk, tries__lt=settings.CODE_TRIES).update(tries=F("tries") + 1)
    if not counted:
        return Verdict.LAPSED
    typed = digits(typed)
    match = _long_match(own, typed, now) if len(typed) == LONG else _short_match(own, typed, known_as, now)
    if match is None:
        return Verdict.WRONG
    used = {"used_at": now, "code": "", "long_code": ""}
    if not SignInCode.objects.filter(pk=match.pk, used_at=None).update(**used):
        return Verdict.LAPSED
    SignInCode.objects.filter(pk=own.pk).update(**used)
    return Verdict.RIGHT


def forget_lapsed(*, now: datetime) -> None:
    """Delete the codes that no longer open anything, and the sessions that have ended (each who asks for a code has one)."""
    SignInCode.objects.filter(expires_at__lte=now).delete()
    Session.objects.filter(expire_date__lte=now).delete()


def _of_browser(purpose, address, browser, now):
    return _valid(purpose, address, now).filter(browser=browser)


def _valid(purpose, address, now):
    codes = SignInCode.objects.filter(purpose=purpose, address=address, used_at=None, expires_at__gt=now)
    return codes.order_by("-made_at", "-id")


def _mailed(own: SignInCode, now: datetime):
    return _valid(own.purpose, own.address, now).filter(mailed_at__isnull=False).order_by("-mailed_at", "-id")[:_LENDERS]


def _long_match(own, typed, now):
    return next((code for code in _mailed(own, now) if constant_time_compare(code.long_code, typed)), None)


def _short_match(own, typed, known_as, now):
    """The browser's own code; where no mail went out for it, the one mailed last, for a few tries by all its borrowers.

    The same work whether there is a code or not, so that the time of the answer names no address.
    """
    newest, nobody = next(iter(_mailed(own, now)), None), f"nobody, for {own.pk}"
    lender = own if own.mailed_at else newest
    borrows = lender is not None and lender.pk != own.pk
    lent = limits.take("tries_borrowed", lender.pk if borrows else nobody, now=now)
    opens = lender is not None and (lent or not borrows)
    tries = ("tries_known", own.address, known_as) if known_as else ("tries_address", own.address)
    # What opens nothing uses up nobody's tries.
    within = limits.take(*(tries if opens else ("tries_address", nobody)), now=now)
    return lender if opens and within and constant_time_compare(lender.code, typed) else None


def _may_mail(address, known_as, ip, now) -> bool:
    if known_as:
        return limits.take("mail_known", address, known_as, now=now)
    here = limits.take("mail_here", address, limits.network(ip), now=now)
    return here and limits.take("mail_address", address, now=now)


def _random(length: int) -> str:
    return f"{secrets.randbelow(10**length):0{length}d}"
