"""The first account comes from the environment, and the environment wins for the account it names."""

import logging
import sys

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, connections
from django.utils.text import slugify

from softphones.models import Account, ApiToken

logger = logging.getLogger(__name__)

_CONNECTION = {"api_url", "api_key", "static_token"}
LOST_KEY = "FIELD_ENCRYPTION_KEYS lacks the key with which the stored secrets were encrypted."


def account_from_environment() -> Account | None:
    """Make or update the account that AUDIAN_ACCOUNT_ID names. Returns None when the environment names none.

    Called after migrations, by commands and when a web or worker process starts. What is not set leaves the row alone.
    """
    if not settings.AUDIAN_ACCOUNT_ID:
        return None
    given = {
        "api_url": settings.AUDIAN_API_URL,
        "api_key": settings.AUDIAN_API_KEY,
        "static_token": settings.AUDIAN_AUTH_TOKEN,
        "sip_server": settings.SIP_SERVER,
        "sip_realm": settings.SIP_REALM,
        "sip_udp_port": settings.SIP_UDP_PORT,
        "sip_tls_port": settings.SIP_TLS_PORT,
        "company_name": settings.COMPANY_NAME,
        "helpdesk_email": settings.HELPDESK_EMAIL,
        "helpdesk_phone": settings.HELPDESK_PHONE,
        "zoiper_provider_id": settings.ZOIPER_PROVIDER_ID,
        "self_service": settings.SELF_SERVICE,
        "quota": settings.SELF_SERVICE_QUOTA,
        "mail_domains": settings.MAIL_DOMAINS,
        "removal_guard_percent": settings.REMOVAL_GUARD_PERCENT,
        "removal_guard_count": settings.REMOVAL_GUARD_COUNT,
        "transport": settings.SIP_TRANSPORT,
        "srtp": settings.SIP_SRTP,
        "stun_server": settings.STUN_SERVER,
    }
    values = {name: value for name, value in given.items() if value not in (None, "", [])}
    account = Account.objects.filter(audian_id=settings.AUDIAN_ACCOUNT_ID).first()
    if account is None:
        slug = _free_slug(settings.COMPANY_NAME)
        # Another process may start at the same moment.
        account, _made = Account.objects.get_or_create(audian_id=settings.AUDIAN_ACCOUNT_ID, defaults={"slug": slug} | values)
    changed = [name for name, value in values.items() if getattr(account, name) != value]
    for name in changed:
        setattr(account, name, values[name])
    if changed:
        account.save(update_fields=changed)
    if _CONNECTION.intersection(changed):
        # What the former server gave for the former key says nothing of the new ones, and is not theirs to see.
        ApiToken.objects.filter(account=account).delete()
    return account


RESERVED_SLUGS = {
    "s",
    "zoiper",
    "softphones",
    "changes",
    "sign-in",
    "sign-out",
    "confirm",
    "lights",
    "account",
    "accounts",
    "healthz",
    "readyz",
    "metrics",
    "static",
    "mail",
    "help",
}


def _free_slug(name: str) -> str:
    base = slugify(name)[:40] or "main"
    candidates = (base if number == 1 else f"{base}-{number}" for number in range(1, 10_000))
    return next(slug for slug in candidates if slug not in RESERVED_SLUGS and not Account.objects.filter(slug=slug).exists())


def before_migrate(*, using: str, **kwargs) -> None:
    """A migration waits for the tables for as long as others use them, such as a backup."""
    _set_lock_timeout(using, "0")


def after_migrate(*, using: str, **kwargs) -> None:
    """The tables are there: now the account. Raises CommandError where no key opens what it holds."""
    _set_lock_timeout(using, "DEFAULT")
    try:
        account_from_environment()
    except InvalidToken as error:
        raise CommandError(LOST_KEY) from error


def _set_lock_timeout(using: str, limit: str) -> None:
    if connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {limit}")


def at_start() -> None:
    """As a web or worker process starts. A database that is away, or not migrated yet, keeps none from starting."""
    try:
        account_from_environment()
    except DatabaseError:
        logger.warning("The database can't be used yet, so the account that the environment names stays as it is.")
    except InvalidToken:
        sys.exit(f"The portal can't start:\n- {LOST_KEY}")
    finally:
        connections.close_all()  # processes that are forked from this one must not share a connection
