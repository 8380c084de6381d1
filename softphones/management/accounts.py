"""Which accounts a command is about."""

from softphones.configuration import account_from_environment
from softphones.management.answer import CommandFailed
from softphones.models import Account


def chosen_accounts(slug: str | None) -> list[Account]:
    """The account with this slug, else all of them. Raises CommandFailed if there is none."""
    account_from_environment()
    accounts = Account.objects.order_by("pk")
    found = list(accounts.filter(slug=slug) if slug else accounts)
    if not found and slug:
        known = ", ".join(accounts.values_list("slug", flat=True)) or "none"
        raise CommandFailed(f"There is no account {slug}. Known accounts: {known}.")
    if not found:
        raise CommandFailed("There is no account yet. Set AUDIAN_ACCOUNT_ID and AUDIAN_API_KEY.")
    return found
