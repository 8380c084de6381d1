"""What allauth asks us: who may sign in with a password, where to go next, and how second factors are kept and named."""

from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.fields import keyring
from softphones import audit, people
from softphones.people import browsers


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Only a path of ours: no other host, not even one that ALLOWED_HOSTS names."""
        return url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def get_login_stages(self) -> list[str]:
        """Without the second factor: staff pages ask for it, so that nobody needs it for their own phone."""
        return [stage for stage in super().get_login_stages() if not stage.startswith("allauth.mfa.")]

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
        ip = audit.client_ip(request)
        audit.record_for_each_account(act="person:signed_in", actor=user, ip=ip, data=data, now=now)
        return response

    def add_message(self, *args, **kwargs) -> None:
        """The pages say what happened themselves."""


class SecondFactorAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("That did not fit. Enter the code that your app shows now, or use your passkey again."),
    }

    def encrypt(self, text: str) -> str:
        return keyring().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return keyring().decrypt(encrypted_text.encode()).decode()

    def generate_authenticator_name(self, user, type) -> str:
        others = Authenticator.objects.filter(user=user, type=type).count()
        return gettext("Passkey %(number)d") % {"number": others + 1} if others else gettext("Passkey")

    def get_totp_issuer(self) -> str:
        return self._get_site_name()

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Passkeys belong to the host of PUBLIC_URL, whatever host a request names."""
        return {"id": urlsplit(settings.PUBLIC_URL).hostname, "name": self._get_site_name()}

    def _get_site_name(self) -> str:
        return gettext("Softphone Portal")
