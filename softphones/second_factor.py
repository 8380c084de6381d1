"""The second factor of staff, which is not the mailbox: an authenticator app or a passkey, and recovery codes for a lost one.

allauth keeps and checks them. The portal asks for them at staff pages only (access.account_for), once a session.
"""

import ipaddress
from urllib.parse import urlsplit

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa import app_settings
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal import flows as recovery_flows
from allauth.mfa.totp.internal import flows as app_flows
from allauth.mfa.totp.internal.auth import format_hotp_value, generate_totp_secret, hotp_value
from allauth.mfa.utils import decrypt, encrypt
from allauth.mfa.webauthn.internal import flows as passkey_flows
from django.conf import settings
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest

from softphones.models import User

Type = Authenticator.Type
_SECRET = "second_factor_secret"


class LastFactor(Exception):
    """The only factor is not removed: who is staff would have none."""


def is_shown(request: HttpRequest) -> bool:
    """Whether the visitor has shown, in this session, a factor that they still have."""
    records = get_authentication_records(request, request.user)
    shown = [record["id"] for record in records if record["method"] == "mfa"]
    return bool(shown) and Authenticator.objects.filter(user=request.user, pk__in=shown).exists()


def is_enrolled(user: User) -> bool:
    return Authenticator.objects.filter(user=user).exclude(type=Type.RECOVERY_CODES).exists()


def factors(user: User) -> list[Authenticator]:
    """Apps and passkeys of `user`, oldest first."""
    return list(Authenticator.objects.filter(user=user).exclude(type=Type.RECOVERY_CODES).order_by("pk"))


def recovery_codes_left(user: User) -> int:
    kept = Authenticator.objects.filter(user=user, type=Type.RECOVERY_CODES).first()
    return len(kept.wrap().get_unused_codes()) if kept else 0


def passkeys_work() -> bool:
    """Browsers make passkeys for a host name, never for an IP address, over TLS or on this very machine."""
    public = urlsplit(settings.PUBLIC_URL)
    host = public.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return public.scheme == "https" or host == "localhost" or host.endswith(".localhost")
    return False


def offered_secret(request: HttpRequest) -> str:
    """The secret that an app is to learn; the same until it has, so that a reload does not change the picture."""
    kept = request.session.get(_SECRET)
    if not kept:
        kept = request.session[_SECRET] = encrypt(generate_totp_secret())
    return decrypt(kept)


@transaction.atomic
def enrol_app(request: HttpRequest, form: Form) -> list[str]:
    """The app that knows `form.secret` is the visitor's from now on, in the place of an older one, and counts as shown.

    Returns the recovery codes that were made with it, if there were none yet.
    """
    Authenticator.objects.filter(user=request.user, type=Type.TOTP).delete()
    enrolled, codes = app_flows.activate_totp(request, form)
    request.session.pop(_SECRET, None)
    return _shown(request, enrolled, codes)


@transaction.atomic
def enrol_passkey(request: HttpRequest, *, name: str, credential: dict) -> list[str]:
    """Keep a passkey under this name; it counts as shown. Returns the recovery codes that were made with it, as above."""
    enrolled, codes = passkey_flows.add_authenticator(request, name=name, credential=credential)
    return _shown(request, enrolled, codes)


def new_recovery_codes(request: HttpRequest) -> list[str]:
    """Ten new codes; the older ones no longer work."""
    return _codes(recovery_flows.generate_recovery_codes(request))


@transaction.atomic
def remove(request: HttpRequest, pk: int) -> Authenticator:
    """Remove one app or passkey of the visitor's. Raises LastFactor, and Authenticator.DoesNotExist."""
    User.objects.select_for_update(no_key=True).get(pk=request.user.pk)
    kept = {each.pk: each for each in factors(request.user)}
    if pk not in kept:
        raise Authenticator.DoesNotExist
    if len(kept) == 1:
        raise LastFactor
    kept[pk].delete()
    return kept[pk]


def app_code(secret: str, at: float) -> str:
    """What an app that has learned this secret shows at that moment (seconds since 1970)."""
    return format_hotp_value(hotp_value(secret, int(at // app_settings.TOTP_PERIOD)))


def reset(user: User) -> int:
    """Forget every factor and code of `user`: their next visit to a staff page begins with enrolling. Returns how many."""
    return Authenticator.objects.filter(user=user).delete()[0]


def _shown(request: HttpRequest, enrolled: Authenticator, codes: Authenticator | None) -> list[str]:
    post_authentication(request, enrolled)
    return _codes(codes) if codes else []


def _codes(kept: Authenticator) -> list[str]:
    wrapped = kept.wrap()
    wrapped.mark_as_viewed()
    return wrapped.get_unused_codes()
