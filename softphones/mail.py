"""Mails. A Message row is one mail to send; a worker is woken to send it, and the sweep repeats what did not work.

A row holds no text: what a mail says is made when it is sent. Codes go out at once; EMAIL_PER_MINUTE is for other kinds.
"""

import smtplib
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import make_msgid
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from softphones import limits, people
from softphones.models import Account, Message, SignInCode

_BATCH = 500
_RETRY_AT_MOST = 300
_RECENT = timedelta(minutes=5)
_ABOUT_ONE_MAIL = (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused, ValueError)


@dataclass(frozen=True)
class Sent:
    """How many mails a run sent, gave up, and put off."""

    sent: int = 0
    failed: int = 0
    put_off: int = 0


def send_due(now: datetime) -> Sent:
    """Send the mails that are due. Each is sent by one worker only; one that dies at it leaves it to the next in a minute.

    After an error a mail is tried again 5 s later, growing to 5 minutes, MESSAGE_ATTEMPTS times; a refused address fails
    at once. Where the mail server can't be reached, the others wait too. No transaction is open while the server is spoken to.
    """
    counts = {Message.State.SENT: 0, Message.State.FAILED: 0, Message.State.QUEUED: 0}
    due = Message.objects.filter(state=Message.State.QUEUED, next_attempt_at__lte=now).order_by("next_attempt_at", "id")
    connection = None
    for message in due.select_related("code", "account", "user")[:_BATCH]:
        if not _claim(message, now):
            continue
        mail = _written(message, now)
        if mail is None:
            counts[message.state] += message.state == Message.State.FAILED
            continue
        connection = connection or get_connection()
        reached = _hand_over(connection, mail, message, now)
        counts[message.state] += 1
        if not reached:
            break
    if connection:
        _close(connection)
    return Sent(*counts.values())


def _claim(message: Message, now: datetime) -> bool:
    """Make the message ours. Its code counts from here on, since a mail may arrive although the server never said so."""
    claimed = Message.objects.filter(
        pk=message.pk, state=Message.State.QUEUED, attempts=message.attempts, next_attempt_at__lte=now
    ).update(attempts=F("attempts") + 1, next_attempt_at=now + timedelta(seconds=settings.MESSAGE_CLAIM))
    message.attempts += 1
    return bool(claimed)


def _written(message: Message, now: datetime) -> EmailMultiAlternatives | None:
    """The mail to send; None if there is none any more: the code has lapsed, or nobody with that address may sign in."""
    code = message.code
    if code is None or code.used_at or code.expires_at <= now:
        _fail(message, _("The code lapsed before the mail could be sent."))
        return None
    entrance = people.way_in(message.to)
    meant = entrance and (message.user is None or message.user == entrance.user)
    if not meant or not _account_may(entrance.account, code, now):
        message.delete()
        return None
    Message.objects.filter(pk=message.pk).update(account=entrance.account, user=entrance.user)
    SignInCode.objects.filter(pk=code.pk, mailed_at=None).update(mailed_at=now)
    return _code_mail(message, entrance.account, now)


def _account_may(account: Account | None, code: SignInCode, now: datetime) -> bool:
    """An account's mails are limited only where the address got a code a moment ago, which still works."""
    if account is None or limits.take("mail_account", account.pk, now=now):
        return True
    recent = SignInCode.objects.filter(purpose=code.purpose, address=code.address, used_at=None, mailed_at__gt=now - _RECENT)
    return not recent.exists()


def _code_mail(message: Message, account: Account | None, now: datetime) -> EmailMultiAlternatives:
    context = {
        "code": message.code.code,
        "long_code": "-".join(message.code.long_code[at : at + 4] for at in range(0, len(message.code.long_code), 4)),
        "minutes": max(1, round((message.code.expires_at - now).total_seconds() / 60)),
        "proof": message.kind == Message.Kind.PROOF_CODE,
        "account": account,
        "portal": account.company_name if account and account.company_name else _("Softphone Portal"),
        "public_url": settings.PUBLIC_URL,
    }
    subject = " ".join(render_to_string("mail/code_subject.txt", context).split())
    headers = {
        "Message-ID": make_msgid(domain=urlsplit(settings.PUBLIC_URL).hostname),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    mail = EmailMultiAlternatives(subject, render_to_string("mail/code.txt", context), to=[message.to], headers=headers)
    mail.attach_alternative(render_to_string("mail/code.html", context), "text/html")
    return mail


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
