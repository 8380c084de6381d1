"""The second factor: showing it, enrolling one, and looking after those one has."""

from functools import wraps

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as passkeys
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from softphones import audit, mail, people, second_factor
from softphones.access import staff_accounts
from softphones.clients import qr_svg
from softphones.forms import EnrolAppForm, EnrolPasskeyForm, FactorCodeForm, PasskeyForm
from softphones.people import browsers
from softphones.views.sign_in import prove

_NEXT = "second_factor_next"


def for_staff(view):
    """A page of staff's own: 404 for everybody else."""

    @wraps(view)
    def guarded(request, *args, **kwargs):
        if not staff_accounts(request.user):
            raise Http404
        return view(request, *args, **kwargs)

    return never_cache(guarded)


def enrolling(view):
    """A page that changes factors. Who has one shows it first; then the proof has to be fresh."""

    @wraps(view)
    def guarded(request, *args, **kwargs):
        if second_factor.is_enrolled(request.user) and not second_factor.is_shown(request):
            return redirect("second_factor_ask")
        if not people.proof_is_fresh(request):
            return prove(request, request.path if request.method == "GET" else reverse("second_factor"))
        return view(request, *args, **kwargs)

    return for_staff(guarded)


@for_staff
@sensitive_post_parameters("code", "credential")
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request):
    if get_account_adapter().is_safe_url(request.GET.get("next", "")):
        request.session[_NEXT] = request.GET["next"]
    if second_factor.is_shown(request):
        return redirect(_next(request))
    if not second_factor.is_enrolled(request.user):
        return redirect("second_factor")
    data = request.POST or None
    with_passkey = "credential" in request.POST
    code_form = FactorCodeForm(None if with_passkey else data, user=request.user, browser=browsers.browser_key(request))
    passkey_form = PasskeyForm(data if with_passkey else None, user=request.user)
    form = passkey_form if with_passkey else code_form
    if form.is_valid():
        return _shown(request, form)
    if form.is_bound:
        _record(request, "second_factor:refused", "webauthn" if with_passkey else "code", outcome="refused")
    return render(request, "mfa/ask.html", _asking(request, code_form, passkey_form))


@enrolling
@require_http_methods(["GET", "HEAD"])
def index(request):
    found = second_factor.factors(request.user)
    context = {
        "factors": [(each, str(each), each.type == Authenticator.Type.TOTP) for each in found],
        "codes_left": second_factor.recovery_codes_left(request.user),
        "passkeys": second_factor.passkeys_work(),
        "next": _next(request),
    }
    return render(request, "mfa/index.html" if found else "mfa/choose.html", context)


@enrolling
@sensitive_post_parameters("code")
@sensitive_variables("secret", "codes", "context")
@require_http_methods(["GET", "HEAD", "POST"])
def enrol_app(request):
    secret = second_factor.offered_secret(request)
    form = EnrolAppForm(request.POST or None, secret=secret)
    if form.is_valid():
        with transaction.atomic():
            codes = second_factor.enrol_app(request, form)
            _record_and_tell(request, "totp")
        return _enrolled(request, codes)
    address = get_adapter().build_totp_url(request.user, secret)
    context = {
        "form": form,
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "address": address,
        "picture": mark_safe(qr_svg(address, _("QR code for your authenticator app"))),  # noqa: S308 - drawn by us
    }
    return render(request, "mfa/app.html", context)


@enrolling
@sensitive_post_parameters("credential")
@sensitive_variables("codes")
@require_http_methods(["GET", "HEAD", "POST"])
def enrol_passkey(request):
    if not second_factor.passkeys_work():
        raise Http404
    form = EnrolPasskeyForm(request.POST or None, user=request.user)
    if form.is_valid():
        with transaction.atomic():
            codes = second_factor.enrol_passkey(request, **form.cleaned_data)
            _record_and_tell(request, "webauthn")
        return _enrolled(request, codes)
    options = {"creation_options": passkeys.begin_registration(request.user, False)}
    return render(request, "mfa/passkey.html", {"form": form, "options": options})


@enrolling
@require_POST
def remove(request, pk):
    try:
        with transaction.atomic():
            removed = second_factor.remove(request, pk)
            _record(request, "second_factor:removed", removed.type)
        messages.success(request, _("Removed. It no longer opens staff pages."))
    except Authenticator.DoesNotExist:
        raise Http404 from None
    except second_factor.LastFactor:
        messages.error(request, _("This is your only one. Add another before you remove it."))
    return redirect("second_factor")


@enrolling
@sensitive_variables("codes")
@require_POST
def recovery_codes(request):
    if not second_factor.is_enrolled(request.user):
        raise Http404
    with transaction.atomic():
        codes = second_factor.new_recovery_codes(request)
        _record(request, "second_factor:codes_made", "recovery_codes")
    return render(request, "mfa/codes.html", {"codes": codes, "next": _next(request), "first": False})


def _asking(request, code_form, passkey_form):
    kinds = {each.type for each in second_factor.factors(request.user)}
    with_passkey = Authenticator.Type.WEBAUTHN in kinds and second_factor.passkeys_work()
    options = {"request_options": passkeys.begin_authentication(request.user)} if with_passkey else None
    return {"form": code_form, "passkey_form": passkey_form, "options": options, "app": Authenticator.Type.TOTP in kinds}


def _shown(request, form):
    with transaction.atomic():
        form.save()
        used = getattr(form, "authenticator", None) or form.cleaned_data["credential"]
        _record(request, "second_factor:shown", used.type)
    return redirect(_next(request))


def _enrolled(request: HttpRequest, codes: list[str]) -> HttpResponse:
    if codes:
        return render(request, "mfa/codes.html", {"codes": codes, "next": _next(request), "first": True})
    messages.success(request, _("Added. It opens staff pages from now on."))
    return redirect("second_factor")


def _record_and_tell(request, kind):
    _record(request, "second_factor:enrolled", kind)
    for account in staff_accounts(request.user):
        mail.tell_admins(account=account, about=request.user, detail=kind, now=timezone.now())


def _record(request, act, kind, outcome="done"):
    for account in staff_accounts(request.user):
        data, ip = {"kind": str(kind)}, audit.client_ip(request)
        audit.record(act=act, actor=request.user, account=account, ip=ip, outcome=outcome, data=data)


def _next(request: HttpRequest) -> str:
    """Where the visitor wanted to go; else the staff page of the first account they help to run."""
    return request.session.get(_NEXT) or reverse("staff_home", args=[staff_accounts(request.user)[0].slug])
