"""What the rows of the staff list show, worked out ahead of the template: it is the page that staff open most, and long."""

from django.utils.html import escape
from django.utils.translation import gettext as _

from softphones import lights
from softphones.models import Change, Softphone
from softphones.views.addresses import for_rows
from softphones.views.setup_page import as_of_now


def rows(phones: list[Softphone], slug: str, wishes: dict[int, Change], *, chooses: bool) -> list[tuple]:
    """For each softphone: itself, its owner, the change that has not arrived, its name, escaped, and what else its row shows.

    That is `number`, `username`; the `address` of its page; its connection as a `pill`, in `words`, and `at` what time; where
    to `edit` and `delete` it, empty if the visitor can't.
    """
    names = ("person", "desk_phone", "softphone_edit", "softphone_delete")
    person, desk, edit, delete = (for_rows(name, slug) for name in names)
    said = _words()
    found = []
    for phone in phones:
        more = {
            "number": phone.number or "–",
            "username": phone.sip_username or "–",
            "address": f"{person(phone.owner_id)}#phone-{phone.pk}" if phone.owner_id else desk(phone.pk),
            "edit": edit(phone.pk) if chooses else "",
            "delete": delete(phone.pk) if chooses else "",
        }
        found.append((phone, phone.owner, wishes.get(phone.pk), escape(phone.name), more | _connection(phone, said)))
    return found


def _connection(phone: Softphone, said: dict[str, str]) -> dict:
    light = as_of_now(lights.last_seen(phone))
    if not phone.enabled:
        pill, words, at = "off", "off", None
    elif light.state == "connected":
        pill, words, at = "ok", "connected_since" if light.since else "connected", light.since
    elif light.state == "not_connected":
        pill, words, at = "none", "not_connected", None
    elif light.seen_at:
        pill, words, at = ("was", "was", light.seen_at) if phone.registered else ("none", "was_not", light.seen_at)
    else:
        pill, words, at = "", "never", None
    return {"pill": pill, "words": said[words], "at": at}


def _words() -> dict[str, str]:
    """Looked up once, not in each row."""
    return {
        "off": _("Switched off"),
        "connected": _("Connected"),
        "connected_since": _("Connected since"),
        "not_connected": _("Not connected"),
        "was": _("Was connected"),
        "was_not": _("Was not connected"),
        "never": _("Not seen yet"),
    }
