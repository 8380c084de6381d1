"""What every page's frame needs."""

from django.conf import settings
from django.utils.functional import SimpleLazyObject

from softphones import access
from softphones.models import Account


def portal(request):
    """`account`, whose name and helpdesk the page shows, `staff_accounts` for the navigation, and whether this is the `demo`.

    Before sign-in the account is known only where there is just one. Nothing is read until a template asks: fragments
    and the plainest error pages don't.
    """
    user = getattr(request, "user", None)
    signed_in = user is not None and user.is_authenticated

    def account():
        if signed_in:
            return next((each.account for each in access.accounts_of(user)), None)
        accounts = Account.objects.order_by("id")[:2]
        return accounts[0] if len(accounts) == 1 else None

    def staff_accounts():
        return access.staff_accounts(user) if signed_in else []

    return {"account": SimpleLazyObject(account), "staff_accounts": SimpleLazyObject(staff_accounts), "demo": settings.DEMO}
