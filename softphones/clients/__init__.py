"""Softphone apps: what each of them is told, in its own words.

Pure: settings in; steps, fields, codes and documents out. A new app is one new file here and one line in `_APPS`.
"""

from collections.abc import Collection

from .app import (
    App,
    Field,
    Link,
    Platform,
    SipSettings,
    Step,
    as_text,
    best_for,
    generic_fields,
    platform_of,
)
from .bria import Bria
from .codes import qr_svg
from .linphone import LinphoneDesktop, LinphoneMobile
from .manual import Manual
from .zoiper import ZoiperDesktop, ZoiperMobile

_MANUAL = Manual()
_APPS: tuple[App, ...] = (ZoiperMobile(), ZoiperDesktop(), LinphoneMobile(), LinphoneDesktop(), Bria(), _MANUAL)


def apps() -> tuple[App, ...]:
    """Every app, in the order in which pages show them."""
    return _APPS


def app_for(slug: str) -> App:
    """The app with this slug. Raises KeyError."""
    return {app.slug: app for app in _APPS}[slug]


def recommended(user_agent: str, hidden: Collection[str] = (), preferred: str = "") -> App:
    """The app to show first to this browser: the account's preferred one or its sibling for this machine, else Zoiper.

    Never one of the `hidden` slugs, unless all are hidden: then `manual`, which always works.
    """
    return best_for(_APPS, platform_of(user_agent), hidden, preferred) or _MANUAL


__all__ = [
    "App",
    "Field",
    "Link",
    "Platform",
    "SipSettings",
    "Step",
    "app_for",
    "apps",
    "as_text",
    "generic_fields",
    "platform_of",
    "qr_svg",
    "recommended",
]
