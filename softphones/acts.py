"""What the audit knows: for each act a name to filter by, and a sentence that says what happened."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from softphones.models import AuditEvent, Import, Membership, Message
from softphones.models.addresses import masked

Text = str | Promise


@dataclass(frozen=True)
class Act:
    """`done` says that it happened; `asked` and `failed` what is so before, and where it came to nothing.

    Sentences may say %(who)s, %(phone)s, %(person)s, %(role)s, %(kind)s, %(factor)s and %(count)s. `nobody` stands where
    no user acted (else "The portal"). Every act has `done`; where another outcome has no sentence, the name has to do.
    """

    name: Text
    done: Text
    asked: Text = ""
    failed: Text = ""
    nobody: Text = ""


_STRANGER = _("Somebody with the link")
_OPERATOR = _("An operator of the portal")

ACTS: dict[str, Act] = {
    # Reveals
    "password:shown": Act(_("Password shown"), _("%(who)s looked at the password of %(phone)s")),
    "link:made": Act(_("Link or QR code drawn"), _("%(who)s drew a set-up code or link for %(phone)s"), nobody=_STRANGER),
    "link:opened": Act(_("Link opened"), _("%(who)s opened the settings of %(phone)s in a browser"), nobody=_STRANGER),
    "link:fetched": Act(
        _("Link used by an app"), _("%(who)s fetched the settings of %(phone)s"), nobody=_("A softphone app with a set-up link")
    ),
    "link:revoked": Act(_("Links revoked"), _("%(who)s ended the set-up links of %(phone)s")),
    # Changes at Audian
    "softphone:created": Act(
        _("Softphone created"),
        _("%(who)s created %(phone)s"),
        asked=_("%(who)s asked for the new softphone %(phone)s"),
        failed=_("%(who)s could not create %(phone)s"),
    ),
    "softphone:changed": Act(
        _("Softphone changed"),
        _("%(who)s changed %(phone)s"),
        asked=_("%(who)s asked to change %(phone)s"),
        failed=_("%(who)s could not change %(phone)s"),
    ),
    "password:reset": Act(
        _("Password reset"),
        _("%(who)s reset the password of %(phone)s"),
        asked=_("%(who)s asked for a new password for %(phone)s"),
        failed=_("%(who)s could not reset the password of %(phone)s"),
    ),
    "softphone:deleted": Act(
        _("Softphone deleted"),
        _("%(who)s deleted %(phone)s"),
        asked=_("%(who)s asked to delete %(phone)s"),
        failed=_("%(who)s could not delete %(phone)s"),
    ),
    "change:tried_again": Act(_("Tried again"), _("%(who)s tried again what had failed for %(phone)s")),
    "charges:accepted": Act(_("Charges accepted"), _("%(who)s accepted the charges for %(phone)s")),
    "charges:declined": Act(_("Charges declined"), _("%(who)s declined the charges for %(phone)s")),
    # Bulk work
    "import:started": Act(_("Import started"), _("%(who)s started to make %(count)s softphones"), nobody=_OPERATOR),
    "bulk:started": Act(_("Bulk work started"), _("%(who)s started to %(kind)s, for %(count)s softphones"), nobody=_OPERATOR),
    "bulk:paused": Act(_("Bulk work paused"), _("%(who)s paused bulk work (%(kind)s)"), nobody=_OPERATOR),
    "bulk:resumed": Act(_("Bulk work resumed"), _("%(who)s let bulk work go on (%(kind)s)"), nobody=_OPERATOR),
    "bulk:cancelled": Act(_("Bulk work cancelled"), _("%(who)s cancelled the rest of bulk work (%(kind)s)"), nobody=_OPERATOR),
    # People
    "person:signed_in": Act(_("Signed in"), _("%(who)s signed in")),
    "person:signed_out": Act(_("Signed out"), _("%(who)s signed out")),
    "person:confirmed": Act(_("Confirmed by code"), _("%(who)s confirmed who they are")),
    "person:password_set": Act(_("Sign-in password set"), _("%(who)s set a password to sign in with")),
    "person:joined": Act(_("Joined"), _("%(who)s signed in for the first time, as %(role)s")),
    "person:linked": Act(_("Linked"), _("%(who)s was recognised as %(person)s at Audian")),
    "person:unlinked": Act(_("Link dropped"), _("%(who)s took the phones of %(person)s out of their hands")),
    "person:linked_by": Act(_("Linked by an admin"), _("%(who)s confirmed who %(person)s is")),
    "person:released": Act(_("Hold released"), _("%(who)s let whoever has the address of %(person)s in")),
    "person:closed": Act(_("Phones closed"), _("%(who)s closed the phones of %(person)s")),
    "person:not_them": Act(_("Told apart"), _("%(who)s said that %(person)s is somebody else"), nobody=_OPERATOR),
    "person:claim_withdrawn": Act(_("Claim withdrawn"), _("%(who)s withdrew a claim to an address of %(person)s")),
    "role:granted": Act(_("Role given"), _("%(who)s gave %(person)s the role %(role)s"), nobody=_OPERATOR),
    "role:revoked": Act(_("Role taken away"), _("%(who)s took the role %(role)s from %(person)s"), nobody=_OPERATOR),
    # The second factor of staff
    "second_factor:enrolled": Act(_("Second factor set up"), _("%(who)s set up a second factor: %(factor)s")),
    "second_factor:shown": Act(_("Second factor shown"), _("%(who)s came in with their second factor: %(factor)s")),
    "second_factor:refused": Act(
        _("Second factor refused"),
        _("%(who)s showed a second factor that was not right"),
        failed=_("%(who)s showed a second factor that was not right"),
    ),
    "second_factor:removed": Act(_("Second factor removed"), _("%(who)s removed a second factor: %(factor)s")),
    "second_factor:codes_made": Act(_("Recovery codes made"), _("%(who)s made new recovery codes")),
    "second_factor:reset": Act(_("Second factor reset"), _("%(who)s reset the second factor of %(person)s"), nobody=_OPERATOR),
    # Looks at Audian
    "sync:asked": Act(_("Look at Audian asked for"), _("%(who)s asked to compare with Audian")),
    "sync:released": Act(_("Removals released"), _("%(who)s let %(count)s missing rows go")),
    # Mails and history
    "mail:asked": Act(_("Mail sent"), _("%(who)s sent %(person)s a mail: %(kind)s")),
    "mail:tried_again": Act(_("Mail tried again"), _("%(who)s tried again to mail %(person)s: %(kind)s")),
    "history:exported": Act(_("History exported"), _("%(who)s exported the history")),
}

#: How an act came out, in one word.
OUTCOMES: dict[str, Text] = {
    "done": pgettext_lazy("outcome", "Done"),
    "asked": pgettext_lazy("outcome", "Asked for"),
    "failed": pgettext_lazy("outcome", "Failed"),
    "refused": pgettext_lazy("outcome", "Refused"),
    "replaced": pgettext_lazy("outcome", "Overtaken by a newer wish"),
    "kept": pgettext_lazy("outcome", "Not done: it may be in use"),
}

KINDS: dict[str, Text] = dict(Message.Kind.choices) | dict(Import.Kind.choices)
ROLES: dict[str, Text] = {
    Membership.Role.USER: pgettext_lazy("role", "user"),
    Membership.Role.HELPDESK: pgettext_lazy("role", "helpdesk"),
    Membership.Role.ADMIN: pgettext_lazy("role", "admin"),
}
_FACTORS: dict[str, Text] = {
    "totp": pgettext_lazy("factor", "authenticator app"),
    "webauthn": pgettext_lazy("factor", "passkey"),
    "recovery_codes": pgettext_lazy("factor", "recovery code"),
}
_FIELDS: dict[str, Text] = {
    "name": pgettext_lazy("field", "name"),
    "enabled": pgettext_lazy("field", "on or off"),
    "owner_id": pgettext_lazy("field", "person"),
    "caller_id_number": pgettext_lazy("field", "extension"),
    "caller_id_name": pgettext_lazy("field", "caller id name"),
}


def sentence(
    event: AuditEvent, name: Callable[[str], str] = str, text: Callable[[Text], str] = str, *, whole: bool = False
) -> str:
    """What happened, in one sentence, with the reason that was given. `name` and `text` prepare its parts, say for HTML.

    Somebody without a name is called by their address, which is masked unless `whole`. An act that this version does not
    know is called what it was written as.
    """
    act = ACTS.get(event.act)
    said = text(_wording(act, event.outcome)) % _parts(act, event, name, text, whole) if act else text(event.act)
    fields = ", ".join(str(_FIELDS.get(field, field)) for field in str(event.data.get("fields", "")).split())
    said += f" ({text(fields)})" if fields else ""
    return f"{said} — “{text(event.reason)}”" if event.reason else said


def outcome(event: AuditEvent) -> Text:
    return OUTCOMES.get(event.outcome, event.outcome)


def who(event: AuditEvent, *, whole: bool = False) -> str:
    """What the actor was called at the time, without the address; what stands for nobody, where no user acted."""
    act = ACTS.get(event.act)
    return without_address(label(event.actor_label, whole=whole)) or str((act and act.nobody) or _("The portal"))


def label(text: str, *, whole: bool) -> str:
    """What somebody was called at the time: a name, "Alice Smith <alice@acme.example>", or an address. It is masked unless
    `whole`: admins see addresses, helpdesk enough to recognise them."""
    name, bracket, _address = text.rpartition(" <")
    if whole or "@" not in text:
        return text
    return f"{name} <{masked(address(text))}>" if bracket else masked(text)


def without_address(label: str) -> str:
    """The name in "Alice Smith <alice@acme.example>"; an address alone stays."""
    name, bracket, _address = label.rpartition(" <")
    return name if bracket else label


def address(label: str) -> str:
    """The address in "Alice Smith <alice@acme.example>"; "" where there is only one of the two."""
    _name, bracket, address = label.rpartition(" <")
    return address.removesuffix(">") if bracket else ""


def _wording(act: Act, outcome: str) -> Text:
    wordings = {"done": act.done, "failed": act.failed, "refused": act.failed}
    wordings |= dict.fromkeys(("asked", "replaced", "kept"), act.asked)
    return wordings.get(outcome) or _("%(who)s: %(act)s")


def _parts(act: Act, event: AuditEvent, name: Callable[[str], str], text: Callable[[Text], str], whole: bool) -> dict[str, str]:
    data = event.data
    person = without_address(label(event.person_label, whole=whole))
    return {
        "who": name(who(event, whole=whole)),
        "phone": name(event.target_label) if event.target_label else text(_("a softphone")),
        "person": name(person) if person else text(_("somebody")),
        "role": text(ROLES.get(data.get("role"), "?")),
        "kind": text(KINDS.get(data.get("kind"), data.get("kind", "?"))),
        "factor": text(_FACTORS.get(data.get("kind"), "?")),
        "count": text(str(data.get("count", "?"))),
        "act": text(act.name),
    }
