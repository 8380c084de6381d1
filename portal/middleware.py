"""An id for each request, response headers that Django 5.2 does not set, and the ways to sign-in and to the second factor,
which htmx can follow.
"""

from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url

from portal.logs import CLIENT, REQUEST_ID, belonging_to, new_id
from softphones.access import SecondFactorMissing
from softphones.audit import client_ip

PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class RequestIdMiddleware:
    """Gives each request an id, which all its log lines and tasks bear, and its answer (X-Request-ID).

    The id that a proxy of ours gave is kept: one of the operator's own may have it in its log (the log of deploy/proxy holds
    no header). The web server's log is told who sent the request.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        given = request.headers.get("X-Request-ID", "") if settings.TRUSTED_PROXIES else ""
        request.META[CLIENT] = client_ip(request) or "-"
        request.id = given if REQUEST_ID.fullmatch(given) else new_id()
        with belonging_to(request_id=request.id):
            response = self.get_response(request)
        response.headers["X-Request-ID"] = request.id
        return response


class SecurityHeadersMiddleware:
    """Sends the Content-Security-Policy of `SECURE_CSP` (the name Django 6 gave it) and a Permissions-Policy."""

    def __init__(self, get_response):
        self.get_response = get_response
        self.policy = "; ".join(f"{name} {' '.join(sources)}" for name, sources in settings.SECURE_CSP.items())

    def __call__(self, request):
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        return response


class HtmxSignInMiddleware:
    """Leads back to a page after sign-in, not to the fragment or the form's target at which the session was found to be over.

    Any redirect that answers an htmx request becomes HX-Redirect, so that no page lands inside a fragment.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if response.status_code not in {301, 302, 303}:
            return response
        if (request.htmx or request.method == "POST") and self._asks_to_sign_in(request, response):
            response["Location"] = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': _page(request)})}"
        return HttpResponse(headers={"HX-Redirect": response["Location"]}) if request.htmx else response

    def _asks_to_sign_in(self, request, response):
        """Whether this is LoginRequiredMiddleware's redirect: to sign-in, and back to the address that was asked for."""
        path, _, query = response["Location"].partition("?")
        return path == resolve_url(settings.LOGIN_URL) and parse_qs(query).get("next") == [request.get_full_path()]


class SecondFactorMiddleware:
    """Leads staff who have not shown their second factor in this session to the page that asks for it, and back."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, exception):
        if not isinstance(exception, SecondFactorMissing):
            return None
        is_page = request.method in {"GET", "HEAD"} and not request.htmx
        back = request.get_full_path() if is_page else _page(request)
        return redirect(f"{resolve_url('second_factor_ask')}?{urlencode({'next': back})}")


def _page(request: HttpRequest) -> str:
    """The page that the request came from, as a path of ours; "/" if that is not known."""
    try:
        page = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer") or "")
    except ValueError:
        return "/"
    if page.netloc != request.get_host() or not page.path.startswith("/"):
        return "/"
    return f"{page.path}?{page.query}" if page.query else page.path
