"""What every page's frame needs."""

from functools import cache

from django.conf import settings
from django.utils.functional import SimpleLazyObject

from softphones.access import LIST, STAFF_ACTS, accounts_of
from softphones.models import Account


def portal(request):
    """`account`, whose name and helpdesk the page shows, `staff_accounts` for the navigation, and whether this is the `demo`.

    Before sign-in the account is known only where there is just one. Nothing is read until a template asks: fragments
    and the plainest error pages don't.
    """
    user = getattr(request, "user", None)
    signed_in = user is not None and user.is_authenticated
    memberships = cache(lambda: accounts_of(user) if signed_in else [])

    def account():
        accounts = [each.account for each in memberships()] if signed_in else list(Account.objects.order_by("id")[:2])
        return accounts[0] if accounts and (signed_in or len(accounts) == 1) else None

    def staff_accounts():
        return [each.account for each in memberships() if each.role in STAFF_ACTS[LIST]]

    return {"account": SimpleLazyObject(account), "staff_accounts": SimpleLazyObject(staff_accounts), "demo": settings.DEMO}
