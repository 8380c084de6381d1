"""Response headers that Django 5.2 does not set, and sign-in redirects that htmx can follow."""

from django.conf import settings
from django.http import HttpResponse

PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


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
    """Turns a redirect that answers an htmx request into HX-Redirect, so that no page lands inside a fragment."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if request.htmx and response.status_code in {301, 302, 303}:
            return HttpResponse(headers={"HX-Redirect": response["Location"]})
        return response
