"""What the mirror and the outbox hold that the rows of a file may collide with: read once, in a few queries."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from itertools import islice

from django.db.models import Count, Q

from softphones.models import Account, Change, Import, Owner, Softphone, SyncRun, User
from softphones.models.imports import batch_of

Kind, State = Change.Kind, Change.State
IN_ONE_QUERY = 2000


@dataclass(frozen=True, slots=True)
class Phone:
    """A softphone that is there, or that the outbox will make. `is_failed`: making it failed, so that it is not there."""

    pk: int
    name: str
    username: str  # without case
    owner: int | None
    owner_audian_id: str
    is_failed: bool
    is_ending: bool
    extension: str = ""
    caller_id_name: str = ""
    enabled: bool = True

    def belongs_to(self, owner: Owner | None) -> bool:
        if owner is None:
            return self.owner is None and not self.owner_audian_id
        return self.owner == owner.pk or self.owner_audian_id == owner.audian_id


@dataclass(slots=True)
class Known:
    """`owners`: those that the file could mean. Names and usernames are compared without case."""

    owners_by_email: dict[str, list[Owner]] = field(default_factory=lambda: defaultdict(list))
    owners_by_id: dict[str, Owner] = field(default_factory=dict)
    sharing: Counter = field(default_factory=Counter)  # address -> how many owners have it
    by_username: dict[str, list[Phone]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[str, list[Phone]] = field(default_factory=lambda: defaultdict(list))
    owned: set[int] = field(default_factory=set)  # owners with a softphone
    numbers: dict[str, str] = field(default_factory=dict)  # extension -> the name of a softphone that has it
    oneself: set[int] = field(default_factory=set)  # owners who are the asker
    is_mirrored: bool = True


def look(account: Account, by: User | None, *, emails: Iterable[str], owner_ids: Iterable[str]) -> Known:
    """What there is in this account, as far as rows with these addresses (folded) and owner ids need it."""
    known = Known()
    known.is_mirrored = SyncRun.objects.filter(account=account, state__in=(SyncRun.State.COMPLETE, SyncRun.State.HELD)).exists()
    _read_owners(known, account, _sought(emails), _sought(owner_ids))
    if by is not None:
        _find_oneself(known, by)
    _read_phones(known, account)
    return known


def people(account: Account, texts: Set[str]) -> Set[str]:
    """Which of these addresses and ids are somebody's, folded; and of the addresses also those where others have theirs."""
    texts = {*texts, *map(str.casefold, texts)}
    known, present = set(), Owner.objects.filter(account=account, gone_at=None)
    for chunk in _chunks(_sought(texts)):
        known |= set(present.filter(email_folded__in=chunk).values_list("email_folded", flat=True))
        known |= {found.casefold() for found in present.filter(audian_id__in=chunk).values_list("audian_id", flat=True)}
    unknown = {text for text in texts - known if "@" in text}
    if unknown:
        addresses = present.exclude(email_folded="").values_list("email_folded", flat=True)
        domains = {_domain(address) for address in [*addresses.iterator(5000), *account.mail_domains]}
        known |= {text for text in unknown if _domain(text) in domains}
    return known


def _domain(address: str) -> str:
    return address.casefold().rpartition("@")[2]


def _read_owners(known: Known, account: Account, emails: set[str], ids: set[str]) -> None:
    present = Owner.objects.filter(account=account, gone_at=None).order_by("pk")
    for chunk in _chunks(emails):
        for owner in present.filter(email_folded__in=chunk):
            known.owners_by_id[owner.audian_id] = owner
    for chunk in _chunks(ids - set(known.owners_by_id)):
        for owner in present.filter(audian_id__in=chunk):
            known.owners_by_id[owner.audian_id] = owner
    for owner in known.owners_by_id.values():
        if owner.email_folded:
            known.owners_by_email[owner.email_folded].append(owner)
    for chunk in _chunks(set(known.owners_by_email)):
        counted = present.order_by().filter(email_folded__in=chunk).values_list("email_folded").annotate(Count("pk"))
        known.sharing.update(dict(counted))


def _find_oneself(known: Known, by: User) -> None:
    proven = set(by.emailaddress_set.filter(verified=True).values_list("email", flat=True))
    for owner in known.owners_by_id.values():
        if owner.user_id == by.pk or (owner.email_folded and owner.email_folded in proven):
            known.oneself.add(owner.pk)


def _read_phones(known: Known, account: Account) -> None:
    unmade = Q(softphone__audian_id=None, kind=Kind.CREATE)
    failed = set(
        Change.objects.filter(unmade, account=account, state=State.FAILED, softphone__gone_at=None).values_list(
            "softphone", flat=True
        )
    )
    ending = set(
        Change.objects.filter(account=account, kind=Kind.DELETE, state__in=Change.UNFINISHED).values_list(
            "softphone", flat=True
        )
    )
    present = Softphone.objects.present().filter(account=account)
    # What is being cancelled will not be made, though it may take a worker a while to end each.
    cancelling = Import.objects.filter(account=account, state=Import.State.CANCELLING).values_list("pk", flat=True)
    unsent = Change.objects.filter(unmade, account=account, batch__in=[batch_of(pk) for pk in cancelling], tried_at=None)
    present = present.exclude(pk__in=unsent.filter(state__in=(State.QUEUED, State.HELD)).values("softphone"))
    columns = ("pk", "name", "username_folded", "owner_id", "owner_audian_id", "caller_id_number", "caller_id_name", "enabled")
    for pk, name, username, owner, owner_audian_id, number, caller, enabled in present.values_list(*columns).iterator(5000):
        phone = Phone(pk, name, username, owner, owner_audian_id, pk in failed, pk in ending, number, caller, enabled)
        known.by_name[name.casefold()].append(phone)
        if username:
            known.by_username[username].append(phone)
        if phone.is_failed or phone.is_ending:
            continue
        if owner:
            known.owned.add(owner)
        if number:
            known.numbers.setdefault(number, name)


def _sought(values: Iterable[str]) -> set[str]:
    """Those that somebody could have; a database refuses to look for a NUL."""
    return {value for value in values if value and "\0" not in value}


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    left = iter(sorted(values))
    while chunk := list(islice(left, IN_ONE_QUERY)):
        yield chunk
