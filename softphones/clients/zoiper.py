"""Zoiper on phones, Zoiper 5 on computers, and what Zoiper's own provisioning takes in.

Sources: the elements of `<options>` from github.com/ZoiPer/public-docs (branches Desktop, Android, iOS); token mode from
oem.zoiper.com/docs/token-based-provisioning; the parameters of `qr.php` from several independent PBX projects.
"""

from typing import ClassVar
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from django.utils.translation import gettext_lazy as _

from .app import App, Field, Link, SipSettings, Step, Text, secret_field
from .xml_document import add, clean, write

# Zoiper's own numbers, not those of RTP: 0 PCMU, 6 PCMA, 37 Opus at 48 kHz. G.711 first, as the vendor advises.
_CODECS = (0, 6, 37)
_QR_TRANSPORTS = {"udp": "0", "tcp": "1", "tls": "2"}


class _Zoiper(App):
    """What both editions share. Only UDP and TCP are sure to be free: Zoiper 5 has TLS in its paid edition alone, and
    whether the free mobile app has it is not proven."""

    family = "zoiper"
    transports = ("udp", "tcp")
    username_label: ClassVar[Text]
    transport_label: ClassVar[Text]
    tls_note: ClassVar[Text]

    def fields(self, settings: SipSettings) -> list[Field]:
        transport = self.transport(settings)
        fields = [
            Field("username", self.username_label, f"{settings.username}@{settings.realm}"),
            secret_field("password", _("Password"), settings),
            Field("domain", _("Hostname"), settings.realm),
        ]
        if settings.needs_proxy(transport):
            fields += [
                Field("auth_username", _("Authentication username"), settings.username),
                Field("outbound_proxy", _("Outbound proxy"), settings.proxy(transport)),
            ]
        note = self.tls_note if settings.transport == "tls" else ""
        return [*fields, Field("transport", self.transport_label, f"SIP {transport.upper()}", note=note, copy=False)]


class ZoiperMobile(_Zoiper):
    """Zoiper on Android and iOS, as the stores have it. Takes in only a code made by Zoiper's own service."""

    slug = "zoiper"
    name = "Zoiper"
    platforms = _("Android and iPhone")
    kinds = frozenset({"mobile"})
    imports_qr = "provider"
    username_label = _("Username @ PBX/VoIP provider")
    transport_label = _("Account type")
    tls_note = _("UDP works in the free app. We are not sure that TLS does.")
    install_links = (
        Link(_("App Store"), "https://apps.apple.com/app/id438949960"),
        Link(_("Google Play"), "https://play.google.com/store/apps/details?id=com.zoiper.android.app"),
    )

    def scan_steps(self) -> list[Step]:
        return [
            Step(
                "scan",
                _("Scan the code"),
                _("Open Zoiper, tap the QR code symbol on “Account setup”, allow the camera, and point it at the code."),
            )
        ]

    def enter_steps(self, settings: SipSettings) -> list[Step]:
        steps = [
            Step(
                "enter",
                _("Enter who you are"),
                _("Open Zoiper, agree to its terms, and enter both on “Account setup”."),
                fields=("username", "password"),
            ),
            Step("enter", _("Check the hostname"), _("Zoiper takes it from the username."), fields=("domain",)),
        ]
        if settings.needs_proxy(self.transport(settings)):
            steps.append(
                Step(
                    "enter",
                    _("Enter the outbound proxy"),
                    _("Turn on “My provider/PBX requires an auth username or outbound proxy”."),
                    fields=("auth_username", "outbound_proxy"),
                )
            )
        text = _("Zoiper tries each way to connect. Choose this one when it is found, then finish.")
        return [*steps, Step("enter", _("Choose how to connect"), text, fields=("transport",))]


class ZoiperDesktop(_Zoiper):
    """Zoiper 5 on a computer: a wizard of four screens, which tries the transports by itself. Takes in no code."""

    slug = "zoiper-desktop"
    name = "Zoiper 5"
    platforms = _("Windows, Mac and Linux")
    kinds = frozenset({"desktop"})
    username_label = _("Username / Login")
    transport_label = _("Transport")
    tls_note = _("Zoiper 5 has TLS only in its paid edition; UDP is free.")
    install_links = (Link("zoiper.com", "https://www.zoiper.com/en/voip-softphone/download/current"),)

    def enter_steps(self, settings: SipSettings) -> list[Step]:
        steps = [
            Step(
                "enter",
                _("Log in"),
                _("Open Zoiper 5, click “Continue as a Free user”, enter both, and click “Login”."),
                fields=("username", "password"),
            ),
            Step("enter", _("Confirm the hostname"), _("Zoiper has filled it in. Click “Next”."), fields=("domain",)),
        ]
        if settings.needs_proxy(self.transport(settings)):
            steps.append(
                Step(
                    "enter",
                    _("Turn on “Authentication and Outbound proxy”"),
                    _("Zoiper calls it optional; here it is needed. Enter both and click “Next”."),
                    fields=("auth_username", "outbound_proxy"),
                )
            )
        else:
            steps.append(Step("enter", _("Skip “Authentication and Outbound proxy”"), _("Click “Skip”.")))
        text = _("Zoiper tests each transport for a few seconds. Wait until this one is green, click it, then “Next”.")
        return [*steps, Step("enter", _("Choose the green line"), text, fields=("transport",))]


def is_zoiper(user_agent: str) -> bool:
    """Whether this User-Agent header is Zoiper's."""
    return "zoiper" in user_agent.casefold()


def options_document(settings: SipSettings, *, transport: str = "") -> str:
    """The `<options>` XML that Zoiper fetches from us: one account with its password, STUN and codecs.

    `transport` is for a Zoiper that can do more than the free edition. SRTP is named only over TLS, where alone Zoiper
    does it. Raises ValueError without a password: such a document would set up a phone that never connects.
    """
    if settings.password is None:
        raise ValueError("A Zoiper document needs the password, and the portal does not know it")
    transport = transport or ZoiperMobile().transport(settings)
    root = ET.Element("options")
    account = add(add(root, "accounts"), "account")
    add(account, "name", settings.caller_name or settings.number or settings.username)
    add(account, "protocol", "sip")
    add(account, "username", settings.username)
    add(account, "password", settings.password)
    add(account, "authentication_username", settings.username)
    add(account, "register_on_startup", "true")
    _add_sip(account, settings, transport)
    _add_stun(account, settings)
    codecs = add(account, "codecs")
    for priority, codec_id in enumerate(_CODECS):
        codec = add(codecs, "codec")
        add(codec, "codec_id", codec_id)
        add(codec, "priority", priority)
        add(codec, "enabled", "true")
    return write(root)


def _add_sip(account: ET.Element, settings: SipSettings, transport: str) -> None:
    add(account, "SIP_domain", settings.realm)
    add(account, "SIP_use_outbound_proxy", "true")
    add(account, "SIP_outbound_proxy", settings.proxy(transport))
    add(account, "SIP_transport_type", transport)
    add(account, "SIP_use_auth_username", "true")
    add(account, "SIP_auth_username", settings.username)
    add(account, "SIP_callerId", settings.caller_name)
    add(account, "SIP_use_rport", "true")
    add(account, "SIP_srtp_mode", "sdes" if settings.srtp and transport == "tls" else "none")
    add(account, "SIP_dtmf_style", "rfc_2833")


def _add_stun(account: ET.Element, settings: SipSettings) -> None:
    stun = add(account, "stun")
    add(stun, "use_stun", "custom" if settings.stun_server else "disabled")
    if settings.stun_server:
        add(stun, "stun_host", settings.stun_server)
        add(stun, "stun_port", settings.stun_port)


def error_document(text: str) -> str:
    """Zoiper's answer for a refusal; `text` is what the app shows."""
    root = ET.Element("error", code="1")
    root.text = clean(text)
    return write(root)


def provider_qr_url(base_url: str, provider_id: str, token: str, settings: SipSettings) -> str:
    """Where our server fetches the picture of Zoiper's code in token mode.

    `base_url` is the address of `qr.php`; `token` is one-time and stands in place of user and password, which are sent
    empty: this address goes to a third party and must never hold the password.
    """
    transport = ZoiperMobile().transport(settings)
    parameters = {
        "provider_id": provider_id,
        "u": "",
        "p": "",
        "a": "",
        "h": settings.realm,
        "o": settings.proxy(transport),
        "t": token,
        "tr": _QR_TRANSPORTS[transport],
    }
    return f"{base_url}?{urlencode(parameters)}"
