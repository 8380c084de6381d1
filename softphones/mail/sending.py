"""Sending what is due. Each mail is claimed (commit), given to the mail server, and recorded (commit)."""

import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F, Min
from django.utils import timezone
from django.utils.translation import gettext as _

from softphones import leases, limits, people
from softphones.mail import pace
from softphones.mail.addresses import NoAddress
from softphones.mail.asking import recipient
from softphones.mail.writing import code_context, notice_context, write
from softphones.models import Account, Message, SignInCode

State = Message.State

_BATCH = 500
_RETRY_AT_MOST = 300
_RECENT = timedelta(minutes=5)
_STAYS = "sending mails"
_ABOUT_ONE_MAIL = (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused, ValueError)


@dataclass(frozen=True)
class Sent:
    """How many mails a run sent, gave up, and put off."""

    sent: int = 0
    failed: int = 0
    put_off: int = 0


def send_for(seconds: float) -> None:
    """Send what is due, and stay as long as something falls due within `seconds` from now: a retry, or the next minute's.

    One worker stays at a time; another sends what is due now and goes. What is due later is for the sweep.
    """
    until = time.monotonic() + seconds
    send_due(timezone.now())
    stays = leases.take(_STAYS, seconds)
    while stays and (due := _next_due(timezone.now())):
        pause = (due - timezone.now()).total_seconds()
        if time.monotonic() + pause > until:
            break
        time.sleep(max(pause, 0.05))
        send_due(timezone.now())
    if stays:
        stays.release()


def send_due(now: datetime) -> Sent:
    """Send the mails that are due. Each is sent by one worker only; one that dies at it leaves it to the next in a minute.

    Codes go first and at once, the others by rank, as far as EMAIL_PER_MINUTE allows. After an error a mail is tried again
    5 s later, growing to 5 minutes, MESSAGE_ATTEMPTS times; a refused address fails at once. Where the mail server can't
    be reached, the others wait too. No transaction is open while the server is spoken to.
    """
    counts = {State.SENT: 0, State.FAILED: 0, State.QUEUED: 0}
    connection = None
    for message in _claimed(now):
        mail = _written(message, now)
        if mail is None:
            counts[message.state] += message.state == State.FAILED
            continue
        connection = connection or get_connection()
        reached = _hand_over(connection, mail, message, now)
        counts[message.state] += 1
        if not reached:
            break
    if connection:
        _close(connection)
    return Sent(*counts.values())


def _claimed(now: datetime) -> Iterator[Message]:
    """Due mails one after another, each ours from the moment it is handed out; those that the pace holds back come last."""
    due = Message.objects.filter(state=State.QUEUED, next_attempt_at__lte=now).order_by("rank", "next_attempt_at", "id")
    for message in due.select_related("code", "account", "user", "owner__user", "softphone__owner__user", "about")[:_BATCH]:
        with transaction.atomic():
            room = pace.has_room(message.rank, now)
            mine = room and _claim(message, now)
        if not room:
            return
        if mine:
            yield message


def _next_due(now: datetime) -> datetime | None:
    """When the next mail is due, as far as its rank has room by then."""
    queued = Message.objects.filter(state=State.QUEUED).values_list("rank").annotate(due=Min("next_attempt_at"))
    return min((max(due, pace.frees_at(rank, now)) for rank, due in queued.order_by()), default=None)


def _claim(message: Message, now: datetime) -> bool:
    """Make the message ours. Its code counts from here on, since a mail may arrive although the server never said so."""
    claimed = Message.objects.filter(
        pk=message.pk, state=State.QUEUED, attempts=message.attempts, next_attempt_at__lte=now
    ).update(attempts=F("attempts") + 1, handed_at=now, next_attempt_at=now + timedelta(seconds=settings.MESSAGE_CLAIM))
    message.attempts += 1
    return bool(claimed)


def _written(message: Message, now: datetime) -> EmailMultiAlternatives | None:
    """The mail to send; None if there is none any more."""
    if message.kind in Message.CODES:
        return _code_mail(message, now)
    try:
        to = recipient(message)
    except NoAddress as why:
        _fail(message, str(why))
        return None
    if to != message.to:
        message.to = to
        message.save(update_fields=["to"])
    return write(message, to, notice_context(message, to))


def _code_mail(message: Message, now: datetime) -> EmailMultiAlternatives | None:
    """None if the code has lapsed, or nobody with that address may sign in."""
    code = message.code
    if code is None or code.used_at or code.expires_at <= now:
        _fail(message, _("The code lapsed before the mail could be sent."))
        return None
    entrance = people.way_in(message.to)
    meant = entrance and (message.user is None or message.user == entrance.user)
    if not meant or not _account_may(entrance.account, code, now):
        message.delete()
        return None
    message.account, message.user = entrance.account, entrance.user
    message.save(update_fields=["account", "user"])
    SignInCode.objects.filter(pk=code.pk, mailed_at=None).update(mailed_at=now)
    return write(message, message.to, code_context(message, now))


def _account_may(account: Account | None, code: SignInCode, now: datetime) -> bool:
    """An account's mails are limited only where the address got a code a moment ago, which still works."""
    if account is None or limits.take("mail_account", account.pk, now=now):
        return True
    recent = SignInCode.objects.filter(purpose=code.purpose, address=code.address, used_at=None, mailed_at__gt=now - _RECENT)
    return not recent.exists()


def _hand_over(connection: BaseEmailBackend, mail: EmailMultiAlternatives, message: Message, now: datetime) -> bool:
    """Give the mail to the server and record how that went. False if the server can't be reached or won't talk to us."""
    try:
        connection.open()
        connection.send_messages([mail])
    except (OSError, ValueError) as error:  # all of smtplib's are OSErrors; ValueError is a header that can't be written
        _close(connection)
        if _refuses_address(error):
            _fail(message, _("The mail server refused the address. Check that it is right."))
        else:
            number = getattr(error, "smtp_code", "")
            what = f"{type(error).__name__} {number}".strip()
            _retry(message, _("The mail server did not take the mail (%(what)s).") % {"what": what}, now)
        return isinstance(error, _ABOUT_ONE_MAIL)
    message.state, message.error, message.sent_at = Message.State.SENT, "", now
    message.save(update_fields=["state", "error", "sent_at"])
    return True


def _refuses_address(error: Exception) -> bool:
    refused = error.recipients.values() if isinstance(error, smtplib.SMTPRecipientsRefused) else []
    return bool(refused) and all(500 <= code < 600 for code, _text in refused)


def _retry(message: Message, sentence: str, now: datetime) -> None:
    if message.attempts >= settings.MESSAGE_ATTEMPTS:
        _fail(message, sentence)
        return
    pause = min(settings.MESSAGE_RETRY * 2 ** (message.attempts - 1), _RETRY_AT_MOST)
    message.error, message.next_attempt_at = sentence, now + timedelta(seconds=pause)
    message.save(update_fields=["error", "next_attempt_at"])


def _fail(message: Message, sentence: str) -> None:
    message.state, message.error = Message.State.FAILED, sentence
    message.save(update_fields=["state", "error"])


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except (OSError, smtplib.SMTPException):
        return  # it is gone already
