"""Staff in tests: people with a role, whose browser has shown a second factor in its session, and whose worker is at work."""

import time

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.utils import timezone

from softphones import second_factor
from softphones.models import Account, User
from tests.factories import make_user, worker_sweeps


def staff_browser(account: Account, role: str = "admin", email: str = "", **fields) -> Client:
    """A browser in which somebody with this role has just signed in and shown their second factor; `.user` is who."""
    user = make_user(email or f"{role}@acme.example", account=account, role=role, **fields)
    return signed_in_as_staff(user)


def signed_in_as_staff(user: User) -> Client:
    worker_sweeps()
    client = Client()
    client.force_login(user)
    factor, _new = Authenticator.objects.get_or_create(user=user, type="totp", defaults={"data": {"secret": ""}})
    session = client.session
    session["proven_at"] = timezone.now().timestamp()
    session["account_authentication_methods"] = [{"method": "mfa", "at": time.time(), "id": factor.pk, "type": "totp"}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    client.user = user
    return client


def enrolled_app(user: User) -> str:
    """Give `user` an authenticator app; returns its secret."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def app_code(secret: str, *, steps: int = 0) -> str:
    """What the app shows now, or so many steps of 30 s later."""
    return second_factor.app_code(secret, time.time() + 30 * steps)
