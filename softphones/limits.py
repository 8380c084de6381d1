"""How often something may happen: token buckets in the database, shared by all processes.

`SIGN_IN_LIMITS` names them. Nobody can lock out somebody else with one: what strangers share (everything about one
address, and the wrong passwords of one network) slows only browsers that never proved the address, sends those to the mailed
code at worst, and a mailed code signs in also when no further mail is sent: each bucket refills within a few minutes, so an
empty one means that a mail went out less than a code's lifetime ago.
"""

import ipaddress
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Value
from django.db.models.functions import Greatest, Least
from django.utils.crypto import salted_hmac

from softphones.models import Bucket

_PREFIX = "limit:"
_FULL_AGAIN = timedelta(days=2)  # longer than any bucket takes to refill


def take(limit: str, *whom: object, now: datetime) -> bool:
    """Whether `whom` may once more. Takes one token in one UPDATE, so that of many at once no more pass than there are."""
    size, seconds = settings.SIGN_IN_LIMITS[limit]
    name, at = _name(limit, whom), now.timestamp()
    Bucket.objects.bulk_create([Bucket(name=name, tokens=size, at=at)], ignore_conflicts=True)
    refilled = F("tokens") + Greatest(Value(at) - F("at"), Value(0.0)) / Value(float(seconds))
    level = Least(refilled, Value(float(size)))
    bucket = Bucket.objects.annotate(level=level).filter(name=name, level__gte=1)
    return bool(bucket.update(tokens=level - Value(1.0), at=Greatest(F("at"), Value(at))))


def give_back(limit: str, *whom: object) -> None:
    """Undo a `take` for something that need not count after all, such as a password that was right."""
    size, _ = settings.SIGN_IN_LIMITS[limit]
    Bucket.objects.filter(name=_name(limit, whom)).update(tokens=Least(F("tokens") + Value(1.0), Value(float(size))))


def network(ip: str | None) -> str:
    """What counts as one place: an IPv4 address, or the /64 that one household or office has in IPv6."""
    if not ip:
        return ""
    address = ipaddress.ip_address(ip)
    return ip if address.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def forget(*, now: datetime) -> None:
    """Drop buckets that have long been full again."""
    Bucket.objects.filter(name__startswith=_PREFIX, at__lt=(now - _FULL_AGAIN).timestamp()).delete()


def _name(limit: str, whom: tuple) -> str:
    digest = salted_hmac("softphones.limits", "\n".join(map(str, whom)), algorithm="sha256").hexdigest()
    return f"{_PREFIX}{limit}:{digest}"
