"""The people for whom an import from people is meant: those whom Audian knows, switched on, without a softphone."""

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When

from softphones import search
from softphones.models import Account, Change, Owner, Softphone, User

Kind, State = Change.Kind, Change.State


def people_without(*, account: Account, by: User, text: str = "") -> QuerySet[Owner]:
    """The people of the account without a softphone, in no order; with `text` those with a word for each of its words.

    Who has one is told as the check tells it: one that could not be made, or is just being deleted, does not count. Each
    person says `.is_oneself`: nobody gives a phone to themselves.
    """
    owned = Softphone.objects.present().filter(owner=OuterRef("pk")).exclude(pk__in=_that_do_not_count(account))
    people = Owner.objects.filter(~Exists(owned), account=account, enabled=True, gone_at=None)
    people = people.annotate(is_oneself=Case(When(_is(by), then=Value(True)), default=Value(False)))
    return search.people_with_words(account, people, text) if text else people


def _that_do_not_count(account: Account) -> list[int]:
    # Their keys, and not a subquery: a database would look into it once for each person.
    wishes = Change.objects.filter(account=account)
    never_made = wishes.filter(kind=Kind.CREATE, state=State.FAILED, softphone__audian_id=None)
    ending = wishes.filter(kind=Kind.DELETE, state__in=Change.UNFINISHED)
    return [*never_made.values_list("softphone", flat=True), *ending.values_list("softphone", flat=True)]


def _is(user: User) -> Q:
    proven = list(user.emailaddress_set.filter(verified=True).values_list("email", flat=True))
    return Q(user=user) | Q(email_folded__in=proven)
