"""What every page's frame needs."""

from softphones.access import accounts_of


def portal(request):
    user = getattr(request, "user", None)
    memberships = accounts_of(user) if user and user.is_authenticated else []
    return {"memberships": memberships, "account": memberships[0].account if memberships else None}
