"""The record of who did or saw what, on whose softphone, from where, why. Rows are only ever added."""

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from softphones import search
from softphones.acts import ACTS
from softphones.models import Account, AuditEvent, Owner, Softphone, User

#: What `data` may say. A name that is not here is refused, so that no secret gets in under a new one.
DATA_KEYS = frozenset(
    {
        "agent",
        "app",
        "by_app",
        "change",
        "count",
        "fields",
        "import",
        "kind",
        "link",
        "membership",
        "message",
        "owner",
        "parent",
        "purpose",
        "role",
        "run",
        "user",
    }
)


def record(
    *,
    act: str,
    actor: User | None = None,
    softphone: Softphone | None = None,
    person: User | Owner | None = None,
    account: Account | None = None,
    ip: str | None = None,
    reason: str = "",
    outcome: str = "done",
    data: Mapping[str, str | int | bool | None] | None = None,
    now: datetime | None = None,
) -> AuditEvent:
    """Write down one act (`object:verb`, such as `password:shown`), in the caller's transaction.

    The account is the softphone's where none is given, and so is the `person`: whom it is about. The labels keep what they
    were called at the time. Raises ValueError for an act that acts.py has no sentence for, for a key of `data` outside
    `DATA_KEYS`, and for a value that is not text, a number or a flag.
    """
    said = {"actor": actor, "softphone": softphone, "person": person, "account": account, "ip": ip, "reason": reason}
    event = _event(act=act, outcome=outcome, data=data, now=now, **said)
    event.save()
    return event


def record_many(*, softphones: Iterable[tuple[Softphone, Mapping[str, str | int | bool | None]]], **kwargs) -> None:
    """Write down one act on each of these softphones, with the data that belongs to it. `kwargs` are those of `record`."""
    AuditEvent.objects.bulk_create([_event(softphone=softphone, data=data, **kwargs) for softphone, data in softphones])


def _event(
    *,
    act: str,
    actor: User | None = None,
    softphone: Softphone | None = None,
    person: User | Owner | None = None,
    account: Account | None = None,
    ip: str | None = None,
    reason: str = "",
    outcome: str = "done",
    data: Mapping[str, str | int | bool | None] | None = None,
    now: datetime | None = None,
) -> AuditEvent:
    if act not in ACTS:
        raise ValueError(f"Nobody could read {act!r} in the history: give it a sentence in softphones/acts.py.")
    if softphone is not None:
        account, person = account or softphone.account, person or softphone.owner
    actor_label, target_label, person_label = _label(actor), _label(softphone), _label(person)
    return AuditEvent(
        at=now or timezone.now(),
        account=account,
        actor=actor,
        actor_label=actor_label,
        actor_words=words(actor_label),
        act=act,
        softphone=softphone,
        target_label=target_label,
        owner=person if isinstance(person, Owner) else None,
        person_label=person_label,
        whose_words=words(target_label, person_label),
        ip=ip,
        reason=_text(reason, 300),
        outcome=outcome,
        data=_allowed(data or {}),
    )


def record_for_each_account(*, act: str, actor: User, **kwargs) -> list[AuditEvent]:
    """Write down what a person did as such, like signing in: once in each account that they are in, so that its staff see it.

    `kwargs` are those of `record`. Somebody without a membership is recorded without an account.
    """
    accounts = list(Account.objects.filter(memberships__user=actor).order_by("id")) or [None]
    return [record(act=act, actor=actor, account=account, **kwargs) for account in accounts]


def words(*labels: str) -> str:
    """The words of labels, each behind a space, as `actor_words` and `whose_words` hold them."""
    return "".join(f" {word}" for word in dict.fromkeys(search.split(" ".join(labels))))


def client_ip(request: HttpRequest) -> str | None:
    """Where the request came from; None if that is not an IP address (a Unix socket).

    X-Forwarded-For is believed only as far as TRUSTED_PROXIES proxies of ours wrote it, from the right: each appends the
    address it was called from, and what stands left of that is the visitor's own claim.
    """
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    hops = min(settings.TRUSTED_PROXIES, len(forwarded))
    return (hops and _address(forwarded[-hops])) or _address(request.META.get("REMOTE_ADDR", ""))


def _address(text: str) -> str | None:
    """The IP address in `text`, which may carry a port, brackets or a zone; an IPv4 address inside IPv6 as IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _label(subject: User | Owner | Softphone | None) -> str:
    if isinstance(subject, User) or (isinstance(subject, Owner) and subject.email):
        return _text(f"{subject.name} <{subject.email}>" if subject.name else subject.email, 300)
    return _text(str(subject), 300) if subject else ""


def _allowed(data: Mapping[str, str | int | bool | None]) -> dict[str, str | int | bool | None]:
    for key, value in data.items():
        if key not in DATA_KEYS:
            raise ValueError(f"The audit does not take {key!r}. Allowed: {', '.join(sorted(DATA_KEYS))}")
        if not isinstance(value, str | int | bool | None):
            raise ValueError(f"The audit takes text, numbers and flags; {key!r} is {type(value).__name__}")
    return {key: _text(value, 256) if isinstance(value, str) else value for key, value in data.items()}


def _text(value: str, length: int) -> str:
    """The text as every database takes it: PostgreSQL refuses NUL, and a JSON column lone surrogates."""
    return str(value).replace("\0", "").encode("utf-8", "replace").decode()[:length]
