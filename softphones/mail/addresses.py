"""To which address a mail goes: one that a person has proven, or the one that Audian has for them. Never a typed one."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from softphones import people
from softphones.models import Account, Membership, Owner, Softphone, User


class NoAddress(Exception):
    """There is nobody to mail this to; `str()` is a sentence that says why, and what would help."""


def address_of(person: User | Owner, *, softphone: Softphone | None = None) -> str:
    """Where mail about `softphone` reaches this person, such that they can sign in with the address and see it.

    Raises NoAddress.
    """
    if softphone is not None:
        _refuse_phone(softphone, person)
    if isinstance(person, Owner):
        return _of_owner(person)
    address = people.own_address(person) if person.is_active else ""
    if not address:
        raise NoAddress(_("%(person)s can’t sign in: there is no address that they have proven.") % {"person": person})
    return address


def admins(account: Account) -> list[User]:
    """The admins of the account who can be mailed."""
    found = User.objects.filter(memberships__account=account, memberships__role=Membership.Role.ADMIN, is_active=True)
    return [admin for admin in found.order_by("id") if people.own_address(admin)]


def _refuse_phone(softphone: Softphone, person: User | Owner) -> None:
    if softphone.gone_at:
        raise NoAddress(_("The softphone is gone."))
    if not softphone.enabled:
        raise NoAddress(_("The softphone is switched off. Switch it on first."))
    owner = softphone.owner
    if owner is None:
        raise NoAddress(_("The softphone belongs to nobody. Give it to a person first."))
    if person not in (owner, owner.user):
        raise NoAddress(_("The softphone belongs to somebody else now."))


def _of_owner(owner: Owner) -> str:
    if owner.gone_at or not owner.enabled:
        raise NoAddress(_("%(person)s is switched off or gone at Audian.") % {"person": owner})
    if owner.user:
        return address_of(owner.user)
    if not _is_valid(owner.email):
        raise NoAddress(
            _("Audian has no e-mail address for %(person)s. Add it there; it is here within minutes.") % {"person": owner}
        )
    address = people.fold(owner.email)
    if not people.lets_in(owner, address):
        raise NoAddress(
            _("%(person)s can’t sign in with the address at Audian: it is shared, was changed, or isn’t allowed. Ask an admin.")
            % {"person": owner}
        )
    return address


def _is_valid(address: str) -> bool:
    try:
        validate_email(people.fold(address))
    except ValidationError:
        return False
    return True
