"""A change in flight as pages show it: what is really so, and what the visitor can do about it."""

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from softphones import access, changes
from softphones.models import Change, Membership, Owner, User

Kind = Change.Kind

# While it is under way, when it is done, when it came to nothing, and while something keeps it from going.
_TITLES = {
    Kind.CREATE: (
        gettext_lazy("The softphone is being made"),
        gettext_lazy("The softphone is made"),
        gettext_lazy("The softphone could not be made"),
        gettext_lazy("The softphone is not made yet"),
    ),
    Kind.UPDATE: (
        gettext_lazy("The change is being saved"),
        gettext_lazy("The change is saved"),
        gettext_lazy("The change could not be saved"),
        gettext_lazy("The change is not saved yet"),
    ),
    Kind.RESET_PASSWORD: (
        gettext_lazy("New password on its way"),
        gettext_lazy("The new password is set"),
        gettext_lazy("The new password could not be set"),
        gettext_lazy("The new password is not set yet"),
    ),
    Kind.DELETE: (
        gettext_lazy("The softphone is being deleted"),
        gettext_lazy("The softphone is deleted"),
        gettext_lazy("The softphone could not be deleted"),
        gettext_lazy("The softphone is not deleted yet"),
    ),
}
_FIELDS = {
    "name": pgettext_lazy("field", "Name"),
    "enabled": pgettext_lazy("field", "Switched on"),
    "owner_id": pgettext_lazy("field", "Person"),
    "caller_id_number": pgettext_lazy("field", "Extension"),
    "caller_id_name": pgettext_lazy("field", "Caller id name"),
}


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that somebody else changed meanwhile: what the visitor saw, what Audian has now, what the visitor wants."""

    label: str
    seen: str
    now: str
    mine: str


@dataclass(frozen=True, slots=True)
class Card:
    """What `changes/card.html` shows. `address` is where it looks again, `again` where *Try again* goes ("" where the
    visitor may not), `charges` where a question about them is decided, `page` the page it stands on, for those without
    JavaScript."""

    change: Change
    progress: changes.Progress
    title: str
    sentence: str
    conflicts: list[Conflict]
    address: str
    again: str
    charges: str
    page: str
    staff: bool
    refresh: bool

    @property
    def moves(self) -> bool:
        return self.progress.moves

    @property
    def looks_every(self) -> str:
        """How soon a page looks again, as htmx writes it; "" when this came to its end. A decision of people takes longer."""
        return "10s" if self.progress.state == "held" else "1500ms" if self.moves else ""

    @property
    def shown(self) -> str:
        """What the card says, in one word, so that nothing is sent twice."""
        return f"{self.progress.state}-{zlib.crc32(self.sentence.encode()):x}"


def own_card(change: Change, user: User, *, now: datetime, page: str = "", refresh: bool = False) -> Card:
    """For the person whose phone it is. `refresh`: the page around it is loaded anew when the change has ended."""
    progress = changes.progress(change=change, now=now)
    again = reverse("change_again", args=[change.pk]) if access.may_try_own_again(user, change) else ""
    ways = {"address": reverse("change", args=[change.pk]), "again": again, "charges": "", "page": page, "refresh": refresh}
    return _card(change, progress, sentence=_plain(progress), staff=False, **ways)


def staff_card(change: Change, user: User, *, now: datetime, page: str = "", refresh: bool = False) -> Card:
    """For helpdesk and admins, who see the true reasons."""
    progress = changes.progress(change=change, now=now)
    where = [change.account.slug, change.pk]
    again = reverse("staff_change_again", args=where) if access.may_try_again(user, change) else ""
    decides = progress.state == "held" and access.has_role(user, change.account, Membership.Role.ADMIN)
    charges = reverse("charges", args=where[:1]) if decides else ""
    ways = {
        "address": reverse("staff_change", args=where),
        "again": again,
        "charges": charges,
        "page": page,
        "refresh": refresh,
    }
    return _card(change, progress, sentence=progress.sentence, staff=True, **ways)


def _card(
    change: Change,
    progress: changes.Progress,
    *,
    sentence: str,
    staff: bool,
    address: str,
    again: str,
    charges: str,
    page: str,
    refresh: bool,
) -> Card:
    query = "?" + urlencode({"then": "refresh"}) if refresh else ""
    failed = progress.state == "failed"
    return Card(
        change=change,
        progress=progress,
        title=_title(change, progress, staff=staff),
        sentence=sentence,
        conflicts=_conflicts(change) if failed else [],
        address=address + query,
        again=again + query if again and failed else "",
        charges=charges,
        page=page or address,
        staff=staff,
        refresh=refresh,
    )


def _title(change: Change, progress: changes.Progress, *, staff: bool) -> str:
    if progress.state == "replaced":
        return _("Not needed any more")
    if progress.state == "held":
        return _("Waiting for a decision about charges") if staff else _("Waiting for your company")
    under_way, done, failed, waits = _TITLES[change.kind]
    return str({"done": done, "failed": failed, "paused": waits}.get(progress.state, under_way))


def _plain(progress: changes.Progress) -> str:
    """For people who can't do anything about the account's trouble."""
    if progress.state == "paused" and progress.paused_because:
        return _("Changes don’t get through right now. Nothing is lost: this goes on by itself.")
    if progress.state == "paused":
        return _("Your company has paused this. Nothing is lost: it goes on later.")
    if progress.state == "held":
        return _("Your company has to agree to a charge for this first. An administrator decides: ask your helpdesk.")
    return progress.sentence


def _conflicts(change: Change) -> list[Conflict]:
    return [
        Conflict(str(_FIELDS[field]), *(_value(change, field, value) for value in (*both, change.values[field])))
        for field, both in change.conflict.items()
        if field in change.values
    ]


def _value(change: Change, field: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if field == "owner_id" and value:
        owner = Owner.objects.filter(account=change.account_id, audian_id=value).first()
        return str(owner or value)
    return str(value) if value else _("nothing")
