"""What allauth asks us: who may sign in with a password, where to go next, and what happens once somebody is in."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.models import EmailAddress
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from softphones import audit, people
from softphones.access import accounts_of
from softphones.people import browsers


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Only a path of ours: no other host, not even one that ALLOWED_HOSTS names."""
        return url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def authenticate(self, request: HttpRequest, **credentials):
        """As allauth does, but an address counts only for the active user who has proven it."""
        user = super().authenticate(request, **credentials)
        proven = EmailAddress.objects.filter(user=user, email=credentials.get("email"), verified=True)
        return user if user and user.is_active and proven.exists() else None

    def respond_user_inactive(self, request: HttpRequest, user) -> HttpResponse:
        return redirect("account_login")

    def post_login(self, request: HttpRequest, user, *, email: str | None, **kwargs) -> HttpResponse:
        """Every way of signing in ends here: the proof is fresh, the browser known, and the act on record."""
        response = super().post_login(request, user, email=email, **kwargs)
        now = timezone.now()
        people.mark_proof(request, now=now)
        if email:
            browsers.remember(response, request, email)
        methods = [record["method"] for record in get_authentication_records(request, user)]
        data = {"kind": methods[-1] if methods else ""}
        account = next((membership.account for membership in accounts_of(user)), None)
        ip = audit.client_ip(request)
        audit.record(act="person:signed_in", actor=user, account=account, ip=ip, data=data, now=now)
        return response

    def add_message(self, *args, **kwargs) -> None:
        """The pages say what happened themselves."""
