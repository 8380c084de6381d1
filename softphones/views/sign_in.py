"""Signing in with a mailed code or a password, signing out, and proving again that it is you."""

from functools import wraps
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_login, perform_password_login, record_authentication
from allauth.account.internal.flows.logout import logout
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from softphones import audit, limits, people
from softphones.forms import AddressForm, CodeForm, PasswordForm
from softphones.models import SignInCode
from softphones.people import Verdict, browsers

SIGN_IN, PROOF = SignInCode.Purpose.SIGN_IN, SignInCode.Purpose.PROOF
_PENDING = {SIGN_IN: "signing_in", PROOF: "proving"}
_LONGEST_NEXT = 2000  # a session keeps it
_SAME_MAIL = 60  # seconds in which several acts that want proof share one mail


def entrance(view):
    """A page for those who are not signed in yet; whoever is goes on to where they wanted."""

    @wraps(view)
    def guarded(request, *args, **kwargs):
        if request.user.is_authenticated:
            return redirect(_next(request))
        return view(request, *args, **kwargs)

    return login_not_required(never_cache(require_http_methods(["GET", "HEAD", "POST"])(guarded)))


@entrance
def sign_in(request):
    form = AddressForm(request.POST or None)
    if form.is_valid():
        _mail_code(request, SIGN_IN, form.cleaned_data["email"], _next(request))
        return redirect("sign_in_code")
    return _page(request, "account/sign_in.html", form, next=_next(request))


@entrance
def code(request):
    pending = request.session.get(_PENDING[SIGN_IN])
    if not pending:
        return redirect("account_login")
    if "again" in request.POST:
        return _again(request, SIGN_IN, pending, "sign_in_code")
    form = CodeForm(request.POST or None)
    if form.is_valid() and _is_right(request, SIGN_IN, form, pending):
        user = people.arrive(address=pending["address"], ip=audit.client_ip(request), now=timezone.now())
        if user:
            del request.session[_PENDING[SIGN_IN]]
            record_authentication(request, user, method="code", email=pending["address"])
            return perform_login(request, Login(user=user, email=pending["address"], redirect_url=pending["next"]))
        form.add_error("code", _("This code no longer works. Ask for a new one."))
    return _page(request, "account/code.html", form, address=pending["shown"], next=pending["next"])


@sensitive_post_parameters("password")
@entrance
def password(request):
    form = PasswordForm(request.POST or None)
    if form.is_valid():
        address = people.fold(form.cleaned_data["email"])
        credentials = {"email": address, "password": form.cleaned_data["password"]}
        user = _authenticated(request, address, credentials, form)
        if user:
            return perform_password_login(request, credentials, Login(user=user, email=address, redirect_url=_next(request)))
    return _page(request, "account/password.html", form, next=_next(request))


ENTRANCES = {"account_login", "sign_in_code", "sign_in_password"}


def stale(request, reason=""):
    """A form whose CSRF token is no longer good (Django's CSRF_FAILURE_VIEW): nothing was carried out.

    Signing in gives every tab a new token. A sign-in page that was left open in another tab then goes on to where it wanted,
    and a page whose button htmx pressed is loaded anew, so that the next press works.
    """
    if request.user.is_authenticated and request.resolver_match.url_name in ENTRANCES:
        return redirect(_next(request))
    response = render(request, "403_csrf.html", status=403)
    if request.htmx:
        response["HX-Refresh"] = "true"
    return response


@login_not_required
@never_cache
@require_POST
def sign_out(request):
    if request.user.is_authenticated:
        audit.record_for_each_account(act="person:signed_out", actor=request.user, ip=audit.client_ip(request))
    logout(request)
    return redirect("account_login")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request):
    """Prove again that it is you, by a code to your own address. A GET mails nothing."""
    if people.proof_is_fresh(request):
        return redirect(_next(request))
    pending, address = request.session.get(_PENDING[PROOF]), people.own_address(request.user)
    next = pending["next"] if pending else _next(request)
    if request.method == "POST" and (not pending or "again" in request.POST):
        return _again(request, PROOF, {"shown": address, "next": next}, "prove")
    form = CodeForm(request.POST or None) if pending else None
    if form and form.is_valid() and _is_right(request, PROOF, form, pending):
        now, ip = timezone.now(), audit.client_ip(request)
        del request.session[_PENDING[PROOF]]
        people.mark_proof(request, now=now)
        people.link_owners(user=request.user, address=pending["address"], ip=ip, now=now)
        audit.record_for_each_account(act="person:confirmed", actor=request.user, ip=ip, now=now)
        response = redirect(next)
        browsers.remember(response, request, pending["address"])
        return response
    return _page(request, "account/confirm.html", form, address=address, next=next)


@sensitive_post_parameters("new_password1", "new_password2")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def set_password(request):
    """Set or replace the password. Fresh proof stands in for the old one, so that a forgotten password is no dead end."""
    if not people.proof_is_fresh(request):
        return prove(request, request.path)
    form = SetPasswordForm(request.user, request.POST or None)
    if form.is_valid():
        form.save()
        update_session_auth_hash(request, request.user)
        audit.record_for_each_account(act="person:password_set", actor=request.user, ip=audit.client_ip(request))
        messages.success(request, _("Your password is set. Everywhere else you are signed out."))
        return redirect("set_password")
    return _page(request, "account/set_password.html", form)


def prove(request: HttpRequest, next: str) -> HttpResponse:
    """Send somebody whose proof is no longer fresh to the page that mails a code, and from there to the path `next`.

    Call it where `people.proof_is_fresh(request)` says no. After a POST the code is in the mail already.
    """
    pending = request.session.get(_PENDING[PROOF])
    if request.method == "POST" and (not pending or timezone.now().timestamp() - pending["at"] > _SAME_MAIL):
        _mail_code(request, PROOF, people.own_address(request.user), _safe(next))
    elif pending:
        request.session[_PENDING[PROOF]] = pending | {"next": _safe(next)}
    return redirect(f"{resolve_url('prove')}?{urlencode({'next': _safe(next)})}")


def _mail_code(request, purpose, address, next):
    """Ask for a code and keep in the session what it is for. The same for every address."""
    folded, now = people.fold(address), timezone.now()
    people.ask(
        purpose=purpose,
        address=folded,
        browser=browsers.browser_key(request),
        known_as=_known_as(request, folded),
        ip=audit.client_ip(request),
        now=now,
        user=request.user if purpose == PROOF else None,
    )
    request.session[_PENDING[purpose]] = {"address": folded, "shown": address, "next": next, "at": now.timestamp()}


def _again(request, purpose, pending, page):
    _mail_code(request, purpose, pending["shown"], pending["next"])
    return redirect(page)


def _is_right(request, purpose, form, pending):
    verdict = people.enter(
        purpose=purpose,
        typed=form.cleaned_data["code"],
        address=pending["address"],
        browser=browsers.browser_key(request),
        known_as=_known_as(request, pending["address"]),
        now=timezone.now(),
    )
    if verdict == Verdict.WRONG:
        form.add_error("code", _("That is not the code from the newest mail. Look again, or enter the longer code below it."))
    elif verdict == Verdict.LAPSED:
        form.add_error("code", _("This code no longer works. Ask for a new one."))
    return verdict == Verdict.RIGHT


def _known_as(request, address):
    """Whose limits count: those of a browser that proved the address, be it only by being signed in as its owner."""
    signed_in = f"user {request.user.pk}" if request.user.is_authenticated else ""
    return browsers.known_as(request, address) or signed_in


def _authenticated(request, address, credentials, form):
    """The user these credentials belong to, within the limits for wrong ones; else None, with the sentence in the form."""
    known, now = browsers.known_as(request, address), timezone.now()
    network = limits.network(audit.client_ip(request))
    own = (
        [("password_known", address, known)] if known else [("password_here", address, network), ("password_address", address)]
    )
    # Each try costs a slow hash, also for an address that nobody has: a place gets only so many.
    place = [("password_network", network)] if network and not known else []
    if not _all(own, now):
        form.add_error(None, _("Too many wrong passwords for this address. Sign in with a code by mail instead."))
        return None
    if not _all(place, now):
        form.add_error(None, _("Too many wrong passwords came from where you are. Sign in with a code by mail instead."))
        return None
    user = get_adapter().authenticate(request, **credentials)
    if user is None:
        form.add_error(None, _("This address and password don't belong together. You can also sign in with a code by mail."))
        return None
    for rule in own + place:
        limits.give_back(*rule)
    return user


def _all(rules, now):
    return all(limits.take(*rule, now=now) for rule in rules)


def _page(request, template, form, **context):
    """Answer 200 also with errors in it: the page is the same one, and htmx shows it."""
    return render(request, template, {"form": form, **context})


def _next(request):
    return _safe(request.POST.get("next") or request.GET.get("next") or "")


def _safe(next):
    good = 0 < len(next) <= _LONGEST_NEXT and get_adapter().is_safe_url(next)
    return next if good else resolve_url(settings.LOGIN_REDIRECT_URL)
