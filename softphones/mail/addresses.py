"""To which address a mail goes: one that a person has proven, or the one that Audian has for them. Never a typed one."""

from collections.abc import Collection
from dataclasses import dataclass

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
    return _of_owner(person, _Asked) if isinstance(person, Owner) else _of_user(person, _Asked)


def addresses_of(softphones: Collection[Softphone]) -> dict[int, str | NoAddress]:
    """`address_of` the person of each softphone, by its primary key: the address, or why there is none. Costs a few queries."""
    owners = {phone.owner for phone in softphones if phone.owner}
    users = {owner.user for owner in owners if owner.user}
    known = _Known(
        own=people.own_addresses(users),
        inside=people.inside(users),
        let_in=people.let_in([owner for owner in owners if owner.user is None]),
    )
    return {phone.pk: _of_phone(phone, known) for phone in softphones}


class _Asked:
    """What is to be known of a person, asked for when it is needed."""

    own_address = staticmethod(people.own_address)

    @staticmethod
    def is_member(owner: Owner) -> bool:
        return Membership.objects.filter(user=owner.user_id, account=owner.account_id).exists()

    lets_in = staticmethod(people.lets_in)


@dataclass(frozen=True, slots=True)
class _Known:
    """The same, asked for many people before."""

    own: dict[int, str]
    inside: set[tuple[int, int]]
    let_in: set[int]

    def own_address(self, user: User) -> str:
        return self.own.get(user.pk, "")

    def is_member(self, owner: Owner) -> bool:
        return (owner.user_id, owner.account_id) in self.inside

    def lets_in(self, owner: Owner, address: str) -> bool:
        return owner.pk in self.let_in


def _of_phone(phone: Softphone, known: _Known) -> str | NoAddress:
    try:
        _refuse_phone(phone, phone.owner)
        return _of_owner(phone.owner, known)
    except NoAddress as error:
        return error


def _of_user(person: User, known: type[_Asked] | _Known) -> str:
    address = known.own_address(person) if person.is_active else ""
    if not address:
        raise NoAddress(_("%(person)s can’t sign in: there is no address that they have proven.") % {"person": person})
    return address


def admins(account: Account) -> list[User]:
    """The admins of the account who have not left and can be mailed."""
    roles = Membership.objects.filter(account=account, role=Membership.Role.ADMIN, user__is_active=True).select_related("user")
    found = [each.user for each in Membership.knowing_who_left(roles.order_by("user")) if not each.has_left]
    return [admin for admin in found if people.own_address(admin)]


def _refuse_phone(softphone: Softphone, person: User | Owner | None) -> None:
    if softphone.gone_at:
        raise NoAddress(_("The softphone is gone."))
    if not softphone.enabled:
        raise NoAddress(_("The softphone is switched off. Switch it on first."))
    owner = softphone.owner
    if owner is None:
        raise NoAddress(_("The softphone belongs to nobody. Give it to a person first."))
    if person not in (owner, owner.user):
        raise NoAddress(_("The softphone belongs to somebody else now."))


def _of_owner(owner: Owner, known: type[_Asked] | _Known) -> str:
    if owner.gone_at or not owner.enabled:
        raise NoAddress(_("%(person)s is switched off or gone at Audian.") % {"person": owner})
    if owner.user:
        if not known.is_member(owner):
            raise NoAddress(
                _("%(person)s was removed from the members, so they see no phone here. Ask an admin to let them in again.")
                % {"person": owner}
            )
        return _of_user(owner.user, known)
    if not _is_valid(owner.email):
        raise NoAddress(
            _("Audian has no e-mail address for %(person)s. Add it there; it is here within minutes.") % {"person": owner}
        )
    address = people.fold(owner.email)
    if not known.lets_in(owner, address):
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
