"""The addresses of one-time links: `/s/<token>` and Zoiper's `/zoiper?id=<token>`.

They answer each visitor in its own tongue: a page for a browser, a crawler or a preview, XML for a softphone. GET from a
browser never uses a link up; POST does. No redirect on the way to a document, since Linphone follows none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from softphones import setup_links
from softphones.audit import client_ip
from softphones.clients import App, SipSettings, apps, as_text, generic_fields, linphone, platform_of, recommended, zoiper
from softphones.models import Account, SetupLink
from softphones.sip_settings import settings_for

DEAD = 404  # for used, expired, revoked and unknown alike, in every tongue


@dataclass(frozen=True)
class Tongue:
    """How a softphone wants its document: `write` makes it, `refuse` the body of a refusal."""

    write: Callable[[SipSettings], str]
    refuse: Callable[[], str]


ZOIPER = Tongue(zoiper.options_document, lambda: zoiper.error_document(_("This code no longer works. Draw a new one.")))
LINPHONE = Tongue(linphone.provisioning_document, lambda: "")


def one_time(view):
    """A view that shows credentials to whoever holds a token: open to all, kept by nobody, named to nobody."""

    guarded = require_http_methods(["GET", "HEAD", "POST"])(view)

    @wraps(view)
    def answer(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        response = guarded(request, *args, **kwargs)
        # Not no-referrer: with it browsers send `Origin: null` along with our own form, and the CSRF check refuses that.
        response["Referrer-Policy"] = "strict-origin"
        response["X-Content-Type-Options"] = "nosniff"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return login_not_required(never_cache(answer))


@one_time
def setup_link(request: HttpRequest, token: str) -> HttpResponse:
    """Our own address: XML for Linphone and Zoiper, a page for everybody else."""
    if request.method == "GET" and linphone.is_linphone(request.headers):
        return _document(request, token, LINPHONE)
    if request.method == "GET" and zoiper.is_zoiper(_agent(request)):
        return _document(request, token, ZOIPER)
    return _page(request, token)


@one_time
def zoiper_link(request: HttpRequest) -> HttpResponse:
    """Zoiper's Token URL: XML for anything that does not ask for HTML."""
    token = request.GET.get("id", "")
    if request.method == "GET" and "text/html" not in request.headers.get("Accept", "").lower():
        return _document(request, token, ZOIPER)
    return _page(request, token)


def _document(request: HttpRequest, token: str, tongue: Tongue) -> HttpResponse:
    link = setup_links.fetch_by_app(token=token, ip=client_ip(request), agent=_agent(request), now=timezone.now())
    sip = settings_for(link.softphone) if link else None
    good = sip is not None and sip.password is not None  # a new one may have been asked for this very moment
    content = tongue.write(sip) if good else tongue.refuse()
    return HttpResponse(content, status=200 if good else DEAD, content_type="application/xml; charset=utf-8")


def _page(request: HttpRequest, token: str) -> HttpResponse:
    if request.method == "POST":
        return _drawn_for_app(request, token) if "app_link" in request.POST else _opened(request, token)
    now = timezone.now()
    link = setup_links.kept_by(token=token, session=request.session, now=now)
    if link:
        return render(request, "setup/opened.html", _what_opened_shows(request, link))
    if setup_links.look(token=token, now=now) == "works":
        return render(request, "setup/link.html")
    return _dead(request)


def _opened(request: HttpRequest, token: str) -> HttpResponse:
    """Open it, then show it at its own address by GET, so that reload and Back ask no question."""
    link = setup_links.open_in_browser(
        token=token,
        session=request.session,
        # The page with the button set this cookie; the session may begin only now.
        browser=request.COOKIES.get(settings.CSRF_COOKIE_NAME, ""),
        ip=client_ip(request),
        agent=_agent(request),
        now=timezone.now(),
    )
    return redirect("setup_link", token) if link else _dead(request)


def _drawn_for_app(request: HttpRequest, token: str) -> HttpResponse:
    """A fresh link inside the tap link of the app on this device, as a fragment or as the whole page."""
    drawn = setup_links.draw_child(
        token=token, session=request.session, ip=client_ip(request), agent=_agent(request), now=timezone.now()
    )
    if drawn is None:
        return _dead(request)
    context = _what_opened_shows(request, drawn.link.parent)
    context["tap_link"] = context["tap_app"] and _tap(request, context["tap_app"], drawn.token)
    return render(request, "setup/opened.html#app-link" if request.htmx else "setup/opened.html", context)


def _what_opened_shows(request: HttpRequest, link: SetupLink) -> dict:
    """What `setup/opened.html` gets: nothing in it is an Audian id."""
    softphone, account = link.softphone, link.softphone.account
    sip = settings_for(softphone)
    app = recommended(_agent(request), account.hidden_apps, account.recommended_app)
    return {
        "account": account,
        "name": sip.caller_name or softphone.name,
        "number": sip.number,
        "fields": generic_fields(sip),
        "as_text": as_text(sip),
        "app": app,
        "app_fields": app.fields(sip),
        "steps": app.steps(sip, has_code=False),
        "kept_until": setup_links.kept_until(link),
        "tap_app": _tapping_app(request, account),
    }


def _tapping_app(request: HttpRequest, account: Account) -> App | None:
    """The app on this kind of machine that takes our address from a tap, if there is one and our address is https."""
    shown = (app for app in apps() if app.slug not in account.hidden_apps)
    return next((app for app in shown if _tap(request, app, "token")), None)


def _tap(request: HttpRequest, app: App, token: str) -> str | None:
    return app.tap_link(setup_links.url(token), platform_of(_agent(request)))


def _dead(request: HttpRequest) -> HttpResponse:
    return render(request, "setup/dead_link.html", status=DEAD)


def _agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")
