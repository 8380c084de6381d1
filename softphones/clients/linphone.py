"""Linphone on phones and computers, and the document it fetches from a one-time address.

Sources: the apps' own code (linphone-android, linphone-iphone, linphone-desktop 6) and runs of liblinphone 5.1; the keys
are those of download.linphone.org, provisioning_configuration_key.
"""

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote
from xml.etree import ElementTree as ET

from django.utils.translation import gettext_lazy as _

from .app import App, Field, Link, Platform, SipSettings, Step, Text, secret_field
from .xml_document import add, write

NAMESPACE = "http://www.linphone.org/xsds/lpconfig.xsd"

_NAT_POLICY = "portal"
# What RFC 3261, 25.1, allows bare in the user part of an address, besides letters and digits.
_USER_CHARACTERS = "-_.!~*'()&=+$,;?/"
# G.711 first, as the vendor advises; then Opus. Speex would only lengthen the offer.
_CODECS = (("PCMU", 8000, 1, 1), ("PCMA", 8000, 1, 1), ("opus", 48000, 2, 1), ("speex", 16000, 1, 0), ("speex", 8000, 1, 0))


class _Linphone(App):
    family = "linphone"
    proxy_label: ClassVar[Text]
    proxy_note: ClassVar[Text] = ""

    def account_fields(self, settings: SipSettings) -> list[Field]:
        fields = [
            Field("username", _("Username"), settings.username),
            secret_field("password", _("Password"), settings),
            Field("domain", _("Domain"), settings.realm),
        ]
        if settings.caller_name:
            fields.append(Field("display_name", _("Display name"), settings.caller_name))
        transport = self.transport(settings)
        return [*fields, Field("transport", _("Transport"), transport.upper(), copy=False)]

    def fields(self, settings: SipSettings) -> list[Field]:
        fields = self.account_fields(settings)
        transport = self.transport(settings)
        if settings.needs_proxy(transport):
            uri = f"sip:{settings.proxy(transport)};transport={transport}"
            fields.append(Field("outbound_proxy", self.proxy_label, uri, note=self.proxy_note))
        return fields

    def open_steps(self) -> list[Step]:
        text = _("Tap the link on this page that opens Linphone. If Linphone asks whether to use the settings, agree.")
        return [Step("open", _("Open the link"), text)]

    def form_fields(self, settings: SipSettings) -> tuple[str, ...]:
        return tuple(each.key for each in self.account_fields(settings))

    def needs_advanced(self, settings: SipSettings) -> bool:
        return settings.needs_proxy(self.transport(settings))


class LinphoneMobile(_Linphone):
    """Linphone 6 on Android and iOS. Its scanner takes a plain https address; `linphone-config:` in a code is refused
    by Android before 6.0.21."""

    slug = "linphone"
    name = "Linphone"
    platforms = _("Android and iPhone")
    kinds = frozenset({"mobile"})
    imports_qr = "own"
    proxy_label = _("SIP proxy server URL")
    proxy_note = _("“Outbound proxy” in some versions.")
    install_links = (
        Link(_("App Store"), "https://apps.apple.com/app/id360065638"),
        Link(_("Google Play"), "https://play.google.com/store/apps/details?id=org.linphone"),
    )

    def scan_steps(self) -> list[Step]:
        return [
            Step(
                "scan",
                _("Scan the code"),
                _("Open Linphone, tap “Scan QR code”, allow the camera, and point it at the code."),
            )
        ]

    def enter_steps(self, settings: SipSettings) -> list[Step]:
        steps = [
            Step(
                "enter",
                _("Enter the account"),
                _("Open Linphone and tap “Use a third-party SIP account”. Enter these."),
                fields=self.form_fields(settings),
            )
        ]
        if self.needs_advanced(settings):
            steps.append(
                Step(
                    "enter",
                    _("Open “Advanced settings” on the same screen"),
                    _("Enter this, then tap “Login”."),
                    fields=("outbound_proxy",),
                )
            )
        return steps

    def tap_link(self, url: str, platform: Platform) -> str | None:
        """`linphone-config:https://…`, the form that both mobile systems take; only for https addresses."""
        return f"linphone-config:{url}" if platform == "mobile" and url.startswith("https://") else None


class LinphoneDesktop(_Linphone):
    """Linphone 6 for Windows, macOS and Linux. Has no camera scanner; takes our address by link or pasted."""

    slug = "linphone-desktop"
    name = _("Linphone for computers")
    platforms = _("Windows, Mac and Linux")
    kinds = frozenset({"desktop"})
    proxy_label = _("Outbound SIP Proxy URI")
    install_links = (Link("linphone.org", "https://linphone.org/download"),)

    def enter_steps(self, settings: SipSettings) -> list[Step]:
        fields = self.form_fields(settings)
        text = _("Open Linphone, click “Third-party SIP account”, then “I understand”. Enter these and log in.")
        if self.needs_advanced(settings):
            fields += ("outbound_proxy",)
            text = _(
                "Open Linphone, click “Third-party SIP account”, then “I understand”. Enter these; the last one stands on the"
                " right, under “Advanced parameters”. Then log in."
            )
        return [Step("enter", _("Enter the account"), text, fields=fields)]

    def tap_link(self, url: str, platform: Platform) -> str | None:
        """`linphone-config://host/path`, the one form that works from 4.4 to 6; it always means https."""
        if platform != "desktop" or not url.startswith("https://"):
            return None
        return f"linphone-config://{url.removeprefix('https://')}"


def is_linphone(headers: Mapping[str, str]) -> bool:
    """Whether this request comes from Linphone: its header (sent since liblinphone 5.3) or its User-Agent.

    `headers` are looked up by their usual names, as Django's `request.headers` allows.
    """
    return bool(headers.get("X-Linphone-Provisioning")) or "linphone" in headers.get("User-Agent", "").casefold()


def provisioning_document(settings: SipSettings) -> str:
    """The lpconfig XML that Linphone fetches from our one-time address: one account with its password.

    Linphone forgets the address after the first success (`transient_provisioning`). Media encryption is offered, never
    demanded. Raises ValueError without a password: such a document would set up a phone that never connects.
    """
    if settings.password is None:
        raise ValueError("A Linphone document needs the password, and the portal does not know it")
    root = ET.Element("config", xmlns=NAMESPACE)
    encryption = "srtp" if settings.srtp else "none"
    _section(root, "sip", default_proxy=0, media_encryption=encryption, media_encryption_mandatory=0)
    _add_account(root, settings)
    _add_media(root, settings)
    _section(root, "misc", transient_provisioning=1)
    return write(root)


def _add_account(root: ET.Element, settings: SipSettings) -> None:
    transport = LinphoneMobile().transport(settings)
    server = f"sip:{settings.proxy(transport)};transport={transport}"
    _section(
        root,
        "proxy_0",
        reg_identity=_identity(settings),
        reg_proxy=f"<{server}>",
        reg_route=f"<{server};lr>",
        realm=settings.realm,
        reg_expires=600,
        reg_sendregister=1,
        publish=0,
        nat_policy_ref=_NAT_POLICY,
    )
    _section(
        root,
        "auth_info_0",
        username=settings.username,
        passwd=settings.password,
        realm=settings.realm,
        domain=settings.realm,
    )


def _add_media(root: ET.Element, settings: SipSettings) -> None:
    stun = {}
    if settings.stun_server:
        stun = {"protocols": "stun", "stun_server": f"{settings.stun_server}:{settings.stun_port}"}
    _section(root, "nat_policy_0", ref=_NAT_POLICY, **stun)
    _section(root, "rtp", audio_rtp_port="16384-32768")
    for number, (mime, rate, channels, enabled) in enumerate(_CODECS):
        _section(root, f"audio_codec_{number}", mime=mime, rate=rate, channels=channels, enabled=enabled)


def _section(root: ET.Element, name: str, **entries: object) -> None:
    section = add(root, "section", name=name)
    for key, value in entries.items():
        add(section, "entry", value, name=key, overwrite="true")


def _identity(settings: SipSettings) -> str:
    """The name-addr of RFC 3261, 25.1. Linphone silently drops an account whose quoted name is malformed."""
    user = quote(settings.username, safe=_USER_CHARACTERS)
    address = f"<sip:{user}@{settings.realm}>"
    quoted = settings.caller_name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" {address}' if quoted else address
