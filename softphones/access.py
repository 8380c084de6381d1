"""Who may do what: one predicate an act. Views fetch and authorise in one call; what may not be seen is a 404."""

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from softphones import second_factor
from softphones.models import Account, Membership, Softphone, User

SEE, REVEAL = "see", "reveal"  # acts on one's own softphone
LIST = "list"  # acts in an account, for staff
HISTORY, MAILS = "history", "mails"

OWN_ACTS = {SEE, REVEAL}
STAFF_ACTS = {
    LIST: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    HISTORY: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    MAILS: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
}


def softphone_for(user: User, pk: int, act: str) -> Softphone:
    """The softphone, if `user` may do `act` on it. Raises Http404 otherwise, the same as for one that does not exist."""
    if act not in OWN_ACTS:
        raise Http404
    return get_object_or_404(Softphone.objects.visible_to(user).select_related("account", "owner"), pk=pk)


class SecondFactorMissing(Exception):
    """The visitor may do this, but has not shown their second factor in this session. A middleware leads them to it."""


def account_for(request: HttpRequest, slug: str, act: str) -> Account:
    """The account, if the visitor has a role in it that allows `act` and has shown their second factor in this session.

    Staff pages get their account here and nowhere else. Raises Http404 without the role, SecondFactorMissing without the
    factor.
    """
    roles = STAFF_ACTS.get(act, set())
    account = get_object_or_404(Account.objects.filter(memberships__user=request.user, memberships__role__in=roles), slug=slug)
    if not second_factor.is_shown(request):
        raise SecondFactorMissing
    return account


def accounts_of(user: User) -> list[Membership]:
    """The memberships of `user`, oldest first, each with its account."""
    return list(user.memberships.select_related("account").order_by("id"))


def staff_accounts(user: User) -> list[Account]:
    """The accounts in which `user` has a role that opens staff pages, oldest membership first."""
    return [each.account for each in accounts_of(user) if each.role in STAFF_ACTS[LIST]]
