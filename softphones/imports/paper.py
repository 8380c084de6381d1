"""What is printed for those whose softphone an import made: whom it concerns, and with which address they sign in."""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import QuerySet

from softphones import mail
from softphones.imports.statuses import still_there
from softphones.models import Import, Owner, Softphone
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
    phones = still_there(batch)
    people = Owner.objects.filter(account=batch.account_id, pk__in=phones.filter(owner__isnull=False).values("owner"))
    marks = {"after": after, "before": before}
    page = page_by_name(people, **marks, size=IN_ONE_PRINT)
    pages, left_out = _told_apart(page.rows, phones)
    of_nobody = phones.filter(owner=None).count()
    return Handouts(pages, left_out, people.count(), of_nobody, next=page.next, previous=page.previous)


def _told_apart(people: list[Owner], phones: QuerySet[Softphone]) -> tuple[list[Handout], list[tuple[Owner, str]]]:
    """The pages of those who can set up at least one of these softphones, and why the others can't."""
    found = phones.filter(owner__in=people).select_related("account", "owner__account", "owner__user").defer("password")
    theirs = defaultdict(list)
    for phone in found.order_by("name", "id"):
        theirs[phone.owner_id].append(phone)
    emails = mail.addresses_of([phone for each in theirs.values() for phone in each])
    pages, left_out = [], []
    for person in (each for each in people if each.pk in theirs):  # the others' went a moment ago
        works = [phone for phone in theirs[person.pk] if isinstance(emails[phone.pk], str)]
        if works:
            pages.append(Handout(person, works, emails[works[0].pk]))
        else:
            left_out.append((person, str(emails[theirs[person.pk][0].pk])))
    return pages, left_out
