"""The demo's mailbox: a page with the mails that were kept in VAR_DIR instead of being sent."""

from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

NEWEST = 20
_SEPARATOR = b"-" * 79  # what Django's file backend writes below each mail


@dataclass(frozen=True)
class Mail:
    to: str
    subject: str
    text: str
    sent_at: datetime | None


@require_safe
@never_cache
@login_not_required
def mail(request: HttpRequest) -> HttpResponse:
    """The newest mails to anybody. Only in the demo: 404 elsewhere."""
    if not settings.DEMO:
        raise Http404
    return render(request, "demo/mail.html", {"mails": newest_mails(Path(settings.EMAIL_FILE_PATH))})


def newest_mails(folder: Path) -> list[Mail]:
    """The mails that Django's file backend wrote into `folder`, newest first."""
    files = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True)[:NEWEST]
    mails = []
    for path in files:
        kept = path.read_bytes().split(_SEPARATOR + b"\n")
        mails += [_mail(raw) for raw in reversed(kept) if raw.strip()]
    return mails[:NEWEST]


def _mail(raw: bytes) -> Mail:
    message = message_from_bytes(raw.lstrip(), policy=policy.default)
    body = message.get_body(("plain", "html"))
    sent = message["Date"]
    return Mail(
        to=str(message["To"]),
        subject=str(message["Subject"]),
        text=body.get_content() if body else "",
        sent_at=parsedate_to_datetime(str(sent)) if sent else None,
    )
