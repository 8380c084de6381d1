"""What is printed for those whose softphone an import made: whom it concerns, and with which address they sign in."""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import QuerySet

from softphones import mail
from softphones.imports.statuses import with_status
from softphones.models import Change, Import, Owner, Softphone
from softphones.paging import page_by_name

IN_ONE_PRINT = 100


@dataclass(frozen=True, slots=True)
class Handout:
    """A page for one person: the softphones that were made for them, and the address that a sign-in code reaches."""

    person: Owner
    softphones: list[Softphone]
    email: str


@dataclass(frozen=True, slots=True)
class Handouts:
    """A print: `pages` by name. `left_out`: who of this print gets none, each with a sentence that says why. `people` and
    `of_nobody` count in the whole import: people with a softphone of it, and softphones without a person."""

    pages: list[Handout]
    left_out: list[tuple[Owner, str]]
    people: int
    of_nobody: int
    next: str
    previous: str


def handouts(*, batch: Import, after: str = "", before: str = "") -> Handouts:
    """One print of the hand-outs of this import: for the people of what it has made so far, IN_ONE_PRINT people at most.

    Who could not sign in gets none. No password is read.
    """
    phones = _made(batch)
    people = Owner.objects.filter(account=batch.account_id, pk__in=phones.filter(owner__isnull=False).values("owner"))
    marks = {"after": after, "before": before}
    page = page_by_name(people.select_related("account", "user"), **marks, size=IN_ONE_PRINT)
    theirs = defaultdict(list)
    for phone in phones.filter(owner__in=page.rows).select_related("account").defer("password").order_by("name", "id"):
        theirs[phone.owner_id].append(phone)
    pages, left_out = [], []
    for person in page.rows:
        try:
            pages.append(_handout(person, theirs[person.pk]))
        except mail.NoAddress as reason:
            left_out.append((person, str(reason)))
    of_nobody = phones.filter(owner=None).count()
    return Handouts(pages, left_out, people.count(), of_nobody, next=page.next, previous=page.previous)


def _made(batch: Import) -> QuerySet[Softphone]:
    """What this import has made and still is there."""
    rows = with_status(batch).filter(status="made", change__kind=Change.Kind.CREATE)
    return Softphone.objects.present().filter(account=batch.account_id, pk__in=rows.values("softphone"))


def _handout(person: Owner, phones: list[Softphone]) -> Handout:
    """Raises NoAddress if this person can set up none of these softphones."""
    works, refusals = [], []
    for phone in phones:
        phone.owner = person
        try:
            email = mail.address_of(person, softphone=phone)
            works.append(phone)
        except mail.NoAddress as reason:
            refusals.append(reason)
    if not works:
        raise refusals[0]
    return Handout(person, works, email)
