"""Who may do what: one predicate an act. Views fetch and authorise in one call; what may not be seen is a 404."""

from django.http import Http404
from django.shortcuts import get_object_or_404

from softphones.models import Account, Membership, Softphone, User

SEE, REVEAL = "see", "reveal"  # acts on one's own softphone
LIST = "list"  # acts in an account, for staff

OWN_ACTS = {SEE, REVEAL}
STAFF_ACTS = {LIST: {Membership.Role.HELPDESK, Membership.Role.ADMIN}}


def softphone_for(user: User, pk: int, act: str) -> Softphone:
    """The softphone, if `user` may do `act` on it. Raises Http404 otherwise, the same as for one that does not exist."""
    if act not in OWN_ACTS:
        raise Http404
    return get_object_or_404(Softphone.objects.visible_to(user).select_related("account", "owner"), pk=pk)


def account_for(user: User, slug: str, act: str) -> Account:
    """The account, if `user` has a role in it that allows `act`. Raises Http404 otherwise."""
    return get_object_or_404(
        Account.objects.filter(memberships__user=user, memberships__role__in=STAFF_ACTS.get(act, set())), slug=slug
    )


def accounts_of(user: User) -> list[Membership]:
    """The memberships of `user`, oldest first, each with its account."""
    return list(user.memberships.select_related("account").order_by("id"))
