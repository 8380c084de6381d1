"""What every page's frame needs."""

from softphones.access import LIST, STAFF_ACTS, accounts_of
from softphones.models import Account


def portal(request):
    """`account` (whose name and helpdesk the page shows), `memberships`, and `staff_accounts` for the navigation.

    Before sign-in the account is known only where there is just one.
    """
    user = getattr(request, "user", None)
    if user and user.is_authenticated:
        memberships = accounts_of(user)
        staff = [each.account for each in memberships if each.role in STAFF_ACTS[LIST]]
        account = memberships[0].account if memberships else None
    else:
        memberships, staff, account = [], [], _only_account()
    return {"memberships": memberships, "staff_accounts": staff, "account": account}


def _only_account():
    accounts = Account.objects.order_by("id")[:2]
    return accounts[0] if len(accounts) == 1 else None
