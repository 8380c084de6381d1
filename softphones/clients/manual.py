"""Any other app: the field's generic words, and the advice of the vendor's own page."""

from django.utils.translation import gettext_lazy as _

from .app import App, Field, SipSettings, Step, generic_fields


class Manual(App):
    """An app that the portal knows nothing about: all the settings, and where each of them usually goes."""

    slug = "manual"
    name = _("Another app")
    platforms = _("Any app for SIP")
    kinds = frozenset({"mobile", "desktop"})
    family = "manual"

    def fields(self, settings: SipSettings) -> list[Field]:
        return generic_fields(settings)

    def install_step(self) -> Step:
        return Step("install", _("Install a SIP app"), _("Any softphone that speaks SIP will do."))

    def enter_steps(self, settings: SipSettings) -> list[Step]:
        return [
            Step(
                "enter",
                _("Add a SIP account"),
                _("Open the app's settings and add a new SIP account."),
                fields=("username", "password", "realm"),
            ),
            Step("enter", _("Set the server"), self.server_text(settings), fields=("server",)),
            Step(
                "enter",
                _("Choose the transport"),
                _("Choose TLS if the app has it, else TCP: both are more reliable than UDP. TLS has its own port."),
                fields=("transport", "port_tls", "port_udp"),
            ),
        ]

    def server_text(self, settings: SipSettings) -> object:
        if settings.server.casefold() == settings.realm.casefold():
            return _("If the app asks for a domain too, enter the same.")
        return _(
            "An app with one field for server or domain takes the realm there, and the server with its port as"
            " “outbound proxy”."
        )

    def microphone_step(self) -> Step:
        return Step(
            "microphone",
            _("Allow the microphone"),
            _("The app asks when it starts or at the first call. Without it, people cannot hear you."),
        )
