"""What a mail says: subject, plain text and HTML, with the account's name and helpdesk, and nothing that tracks or loads."""

from datetime import datetime
from email.utils import make_msgid
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.dateformat import format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from softphones.models import Message

_METHODS = {"totp": gettext_lazy("an authenticator app"), "webauthn": gettext_lazy("a passkey")}


def write(message: Message, to: str, context: dict) -> EmailMultiAlternatives:
    """The mail, made of `templates/mail/<name>_subject.txt`, `.txt` and `.html`; both codes share one name."""
    account = message.account
    context |= {
        "account": account,
        "portal": account.company_name if account and account.company_name else _("Softphone Portal"),
        "public_url": settings.PUBLIC_URL,
    }
    name = "mail/code" if message.kind in Message.CODES else f"mail/{message.kind}"
    subject = " ".join(render_to_string(f"{name}_subject.txt", context).split())
    headers = {
        "Message-ID": make_msgid(domain=urlsplit(settings.PUBLIC_URL).hostname),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    mail = EmailMultiAlternatives(subject, render_to_string(f"{name}.txt", context), to=[to], headers=headers)
    mail.attach_alternative(render_to_string(f"{name}.html", context), "text/html")
    return mail


def code_context(message: Message, now: datetime) -> dict:
    long_code = message.code.long_code
    return {
        "code": message.code.code,
        "long_code": "-".join(long_code[at : at + 4] for at in range(0, len(long_code), 4)),
        "minutes": max(1, round((message.code.expires_at - now).total_seconds() / 60)),
        "proof": message.kind == Message.Kind.PROOF_CODE,
    }


def notice_context(message: Message, to: str) -> dict:
    """What all mails but codes may say. `url` is a page that asks for sign-in: a token would be anybody's who reads it."""
    softphone, person, about = message.softphone, message.owner or message.user, message.about
    page = reverse("setup", args=[softphone.pk]) if softphone else reverse("softphones")
    return {
        "to": to,
        "name": person.name if person else "",
        "softphone": softphone,
        "url": f"{settings.PUBLIC_URL}{page}",
        "about": about and (about.name or about.email),
        "method": _METHODS.get(message.detail, message.detail),
        "asked_at": format(message.created_at.astimezone(message.account.zone), "j F Y, H:i T"),
        "history_url": f"{settings.PUBLIC_URL}{reverse('history', args=[message.account.slug])}",
    }
