"""Bria by CounterPath (Alianza). Takes settings only by hand; nothing but its maker's own portal can hand it a code.

Field names from the vendor's guides: docs.counterpath.com (mobile) and the Bria 3 administrator guide, table 2.
"""

from django.utils.translation import gettext_lazy as _

from .app import App, Field, Link, SipSettings, Step, secret_field


class Bria(App):
    slug = "bria"
    name = "Bria"
    platforms = _("Windows, Mac, Android and iPhone")
    kinds = frozenset({"mobile", "desktop"})
    family = "bria"
    install_links = (Link("counterpath.com", "https://www.counterpath.com/"),)

    def fields(self, settings: SipSettings) -> list[Field]:
        transport = self.transport(settings)
        fields = [
            Field("account_name", _("Account name"), settings.number or settings.username),
            Field("username", _("User ID"), settings.username, note=_("“Username” in the mobile app.")),
            Field("domain", _("Domain"), settings.realm),
            secret_field("password", _("Password"), settings),
            Field("display_name", _("Display name"), settings.caller_name, note=_("“Display as” in the mobile app.")),
            Field("auth_username", _("Authorization name"), settings.username),
        ]
        if settings.needs_proxy(transport):
            fields.append(Field("outbound_proxy", _("Proxy address"), settings.proxy(transport)))
        return [*fields, Field("transport", _("Signaling transport"), transport.upper(), copy=False)]

    def enter_steps(self, settings: SipSettings) -> list[Step]:
        network = tuple(each.key for each in self.fields(settings) if each.key in ("outbound_proxy", "transport"))
        return [
            Step(
                "enter",
                _("Enter the account"),
                _(
                    "With Bria Solo, sign in at the Bria Solo Portal and add a SIP account there; the app fetches it. With Bria"
                    " Teams, ask your administrator. In older versions, open “Account Settings” and add a SIP account."
                ),
                fields=("account_name", "username", "domain", "password", "display_name", "auth_username"),
            ),
            Step(
                "enter",
                _("Say where to connect"),
                _("Turn on “Register with domain and receive calls”. Under “Send outbound via” choose the proxy address."),
                fields=network,
            ),
        ]
