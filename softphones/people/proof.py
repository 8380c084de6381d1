"""How long ago the person at this browser proved who they are."""

from datetime import datetime

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

_KEY = "proven_at"


def mark_proof(request: HttpRequest, *, now: datetime) -> None:
    """The person has just proven who they are, by code or password."""
    request.session[_KEY] = now.timestamp()


def proof_is_fresh(request: HttpRequest) -> bool:
    """Whether that was within PROOF_SECONDS: what showing a password asks for."""
    age = timezone.now().timestamp() - request.session.get(_KEY, 0)
    return request.user.is_authenticated and 0 <= age < settings.PROOF_SECONDS
