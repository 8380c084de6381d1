"""What every staff page has: its navigation, and a word where something is wrong with the whole account."""

from django import template
from django.utils.translation import gettext_lazy as _

from softphones import listing
from softphones.access import LIST, MANAGE, STAFF_ACTS, role_in
from softphones.views.addresses import of_account

register = template.Library()

#: `part` of a page, the name of its address, what it is called, and the act that opens it.
PARTS = (
    ("home", "staff_home", _("Overview"), LIST),
    ("people", "people", _("People"), LIST),
    ("softphones", "staff_softphones", _("Softphones"), LIST),
    ("imports", "imports", _("Bulk"), MANAGE),
    ("history", "history", _("History"), LIST),
    ("mail", "mails", _("Mail"), LIST),
    ("members", "members", _("Members"), MANAGE),
)


@register.inclusion_tag("staff/parts.html", takes_context=True)
def staff_parts(context, account):
    """Links to the parts of the account's staff pages that the visitor may open; the current one is marked."""
    role = role_in(context["request"].user, account)
    shown = [(part, of_account(name, account.slug), label) for part, name, label, act in PARTS if role in STAFF_ACTS[act]]
    return {"parts": shown, "part": context.get("part", "")}


@register.inclusion_tag("staff/trouble.html", takes_context=True)
def staff_trouble(context, account):
    """What keeps this account's wishes or its mirror back just now, if anything does."""
    told = {name: context.get(name, False) for name in ("asks_here", "waits_here", "silent_here")}
    return {"account": account, "trouble": listing.trouble(account), "told": context.get("part") == "home"} | told
