"""Which browser this is: a key in its session that binds codes to it, and a cookie that names the addresses it has proven."""

import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac

_SESSION_KEY = "browser"
_SALT = "softphones.people.browsers"
_ADDRESSES = 5
_SECONDS = 60 * 60 * 24 * 400  # the longest that browsers keep a cookie


def cookie_name() -> str:
    return "__Host-known" if settings.SESSION_COOKIE_SECURE else "known"


def browser_key(request: HttpRequest) -> str:
    """What binds a code to the browser that asked for it; made on first use."""
    return request.session.setdefault(_SESSION_KEY, secrets.token_hex(32))


def known_as(request: HttpRequest, address: str) -> str:
    """The id of this browser if it has proven `address` before, else "". Only we can write the cookie that says so."""
    cookie = _read(request)
    mark = _mark(address)
    return cookie["id"] if any(constant_time_compare(mark, each) for each in cookie["addresses"]) else ""


def remember(response: HttpResponse, request: HttpRequest, address: str) -> None:
    """Let the browser show later that it has proven `address`, so that strangers' tries never slow it down."""
    cookie = _read(request)
    mark = _mark(address)
    cookie["addresses"] = [mark, *(each for each in cookie["addresses"] if each != mark)][:_ADDRESSES]
    response.set_cookie(
        cookie_name(),
        signing.dumps(cookie, salt=_SALT),
        max_age=_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _read(request: HttpRequest) -> dict:
    try:
        return signing.loads(request.COOKIES.get(cookie_name(), ""), salt=_SALT, max_age=_SECONDS)
    except signing.BadSignature:
        return {"id": secrets.token_hex(16), "addresses": []}


def _mark(address: str) -> str:
    return salted_hmac(_SALT, address, algorithm="sha256").hexdigest()[:32]
