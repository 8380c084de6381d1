"""Ending what somebody is signed in with."""

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from softphones.models import User


def end_sessions(user: User) -> int:
    """Sign this user out everywhere, in the caller's transaction. Returns how many sessions that were.

    Reads every session there is, since their content is closed to queries: for rare acts only.
    """
    alive = Session.objects.filter(expire_date__gt=timezone.now()).order_by("pk")
    theirs = [each.pk for each in alive.iterator() if each.get_decoded().get(SESSION_KEY) == str(user.pk)]
    ended, _rows = Session.objects.filter(pk__in=theirs).delete()
    return ended
