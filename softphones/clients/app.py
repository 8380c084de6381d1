"""The shape every softphone app has here: settings in; steps, fields and a tap link out."""

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from django.utils.translation import gettext_lazy as _

Text = str  # or Django's lazy translation of one
Platform = Literal["mobile", "desktop"]

#: The port a SIP app takes when an address names none (RFC 3261, 19.1.2).
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}

# The longest `caller_id.internal.name` that Kazoo takes, in characters.
_CALLER_NAME_LENGTH = 35
# Controls, lone surrogates, and the line and paragraph separators of Unicode.
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}


@dataclass(frozen=True)
class SipSettings:
    """Everything an app must be told about one phone.

    `server` is the host that packets go to; `realm` is the SIP domain, which on Kazoo belongs to the account and may
    be another name. `transport` is what the account prefers: `tls`, `udp` or `tcp`. `password` is None where the portal
    does not know it or must not show it. `number` is the extension, for people to recognise. Ports are numbers from
    1 to 65535.
    """

    server: str
    udp_port: int
    tls_port: int
    realm: str
    username: str
    password: str | None = field(repr=False)
    display_name: str
    number: str = ""
    transport: str = "tls"
    srtp: bool = False
    stun_server: str = ""
    stun_port: int = 3478
    wss_url: str = ""

    @property
    def caller_name(self) -> str:
        """The display name on one line, without control characters, cut where Kazoo cuts a caller ID.

        A name of any length would also make SIP messages too long for one UDP packet, and routers drop the rest.
        """
        kept = (char if unicodedata.category(char) not in _UNPRINTABLE else " " for char in self.display_name)
        return " ".join("".join(kept).split())[:_CALLER_NAME_LENGTH].strip()

    def port(self, transport: str) -> int:
        """The server's port for this transport. TCP shares the port of UDP, as Kazoo's proxy listens."""
        return self.tls_port if transport == "tls" else self.udp_port

    def needs_proxy(self, transport: str) -> bool:
        """Whether an app that is told the realm alone would look in the wrong place."""
        same_host = self.server.casefold() == self.realm.casefold()
        return not same_host or self.port(transport) != DEFAULT_PORTS[transport]

    def proxy(self, transport: str) -> str:
        """The outbound proxy as apps take it: `server:port`."""
        return f"{self.server}:{self.port(transport)}"


@dataclass(frozen=True)
class Field:
    """One value to enter, under the word the app itself has for it."""

    key: str
    label: Text
    value: str = field(repr=False)
    secret: bool = False
    note: Text = ""
    copy: bool = True


@dataclass(frozen=True)
class Link:
    label: Text
    url: str


@dataclass(frozen=True)
class Step:
    """One step of the numbered path. `kind` is install, open, scan, enter, microphone or look; `fields` are the keys of the
    fields entered in this step, in the order in which the app asks for them."""

    kind: str
    title: Text
    text: Text = ""
    links: tuple[Link, ...] = ()
    fields: tuple[str, ...] = ()


class App(ABC):
    """One softphone app on one kind of machine. Subclasses say what that app does; none keeps any state."""

    slug: ClassVar[str]
    name: ClassVar[Text]
    platforms: ClassVar[Text]
    #: The machines it runs on: `mobile`, `desktop`.
    kinds: ClassVar[frozenset[str]]
    #: Apps of one maker share a family, so that a recommended app can be swapped for its sibling on another machine.
    family: ClassVar[str]
    #: The code this app can take: `provider` (Zoiper's own), `own` (our one-time address), or None.
    imports_qr: ClassVar[Literal["provider", "own"] | None] = None
    #: The transports of the free edition, the best fallback first.
    transports: ClassVar[tuple[str, ...]] = ("tls", "tcp", "udp")
    install_links: ClassVar[tuple[Link, ...]] = ()

    def transport(self, settings: SipSettings) -> str:
        """The transport this app is told: the account's own if the free edition has it, else the nearest it has."""
        return settings.transport if settings.transport in self.transports else self.transports[0]

    @abstractmethod
    def fields(self, settings: SipSettings) -> list[Field]:
        """What to enter, in the app's order and words. The password's value is empty where it is unknown."""

    @abstractmethod
    def enter_steps(self, settings: SipSettings) -> list[Step]:
        """How to enter the fields by hand, one step for each screen of the app."""

    def scan_steps(self) -> list[Step]:
        """How to take the code in; only asked of an app that imports one."""
        return []

    def open_steps(self) -> list[Step]:
        """How to take our address in by a tap; only asked of an app that opens links."""
        return []

    def steps(self, settings: SipSettings, *, has_code: bool, has_link: bool = False) -> list[Step]:
        """The whole path: install; open, scan or enter; allow the microphone; look here.

        `has_code`: the page shows a code of the kind in `imports_qr`. `has_link`: it shows the `tap_link` of this app,
        which is easier still. An app that can take in neither is set up by hand.
        """
        scan = self.scan_steps() if has_code else []
        middle = (self.open_steps() if has_link else []) or scan or self.enter_steps(settings)
        return [self.install_step(), *middle, self.microphone_step(), self.look_step()]

    def tap_link(self, url: str, platform: Platform) -> str | None:
        """The link that hands our one-time address `url` to this app on the visitor's own machine, or None."""
        return None

    def install_step(self) -> Step:
        return Step(
            "install",
            _("Install %(app)s") % {"app": self.name},
            _("Skip this if you already have it."),
            links=self.install_links,
        )

    def microphone_step(self) -> Step:
        return Step(
            "microphone",
            _("Allow the microphone"),
            _("%(app)s asks when it starts or at the first call. Without it, people cannot hear you.") % {"app": self.name},
        )

    def look_step(self) -> Step:
        return Step("look", _("Look here"), _("This page turns green as soon as your phone has connected."))


def secret_field(key: str, label: Text, settings: SipSettings) -> Field:
    """The password's field; empty and without a copy button where the password is unknown."""
    return Field(key, label, settings.password or "", secret=True, copy=settings.password is not None)


def generic_fields(settings: SipSettings) -> list[Field]:
    """The vendor's own table: server, both ports, transport, username, password, realm."""
    return [
        Field("server", _("Server"), settings.server),
        Field("port_tls", _("Port (TLS)"), str(settings.tls_port)),
        Field("port_udp", _("Port (UDP)"), str(settings.udp_port), note=_("TCP uses the same port.")),
        Field("transport", _("Transport"), settings.transport.upper(), copy=False),
        Field("username", _("Username"), settings.username),
        secret_field("password", _("Password"), settings),
        Field("realm", _("Realm"), settings.realm, note=_("Also called domain.")),
    ]


def as_text(settings: SipSettings) -> str:
    """The generic fields as lines of text for "copy all". Holds the password if `settings` does; else leaves it out."""
    return "\n".join(f"{each.label}: {each.value}" for each in generic_fields(settings) if each.value)


def platform_of(user_agent: str) -> Platform:
    """`mobile` or `desktop`, from the browser's User-Agent. An iPad that poses as a Mac counts as a desktop."""
    agent = user_agent.casefold()
    return "mobile" if any(word in agent for word in ("mobi", "android", "iphone", "ipad", "ipod")) else "desktop"


def best_for(apps: Collection[App], platform: Platform, hidden: Collection[str], preferred: str) -> App | None:
    """The preferred app, else its sibling for this platform, else the first that runs here; never a hidden one."""
    shown = [app for app in apps if app.slug not in hidden]
    here = [app for app in shown if platform in app.kinds]
    family = next((app.family for app in apps if app.slug == preferred), None)
    return next((app for app in here if app.slug == preferred), None) or next(
        (app for app in here if app.family == family), next(iter(here), None)
    )
