"""Who may do what: one predicate an act. Views fetch and authorise in one call; what may not be seen is a 404."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from softphones import second_factor
from softphones.models import Account, Change, Membership, Message, Owner, Softphone, User

SEE, REVEAL = "see", "reveal"  # acts on one's own softphone
RENAME, REPLACE = "rename", "replace"  # likewise, where the account lets people help themselves
TRY_OWN_AGAIN = "try_own_again"  # what one asked for oneself, and failed
LIST = "list"  # acts in an account, for staff
HISTORY, MAILS, MAIL_AGAIN = "history", "mails", "mail_again"
FIND = "find"  # helpdesk: people and their phones
SEND_LINK, RESET, SWITCH, REVOKE_LINKS, CLOSE = "send_link", "reset", "switch", "revoke_links", "close"
MANAGE, MEMBERS = "manage", "members"  # admins: softphones, looks at Audian, charges; and who has which role
TRY_AGAIN = "try_again"  # what somebody asked for, and failed
STAND_BEHIND = "stand_behind"  # decide which portal user is which owner

OWN_ACTS = {SEE, REVEAL}
SELF_SERVICE_ACTS = {RENAME, REPLACE}
# What helpdesk does to other people's phones, and only an admin to those of staff.
NOT_TO_STAFF = {SEND_LINK, RESET, SWITCH, REVOKE_LINKS, CLOSE, MAIL_AGAIN}
STAFF_ACTS = {
    LIST: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    FIND: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    SEND_LINK: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    RESET: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    SWITCH: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    REVOKE_LINKS: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    CLOSE: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    TRY_AGAIN: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    MANAGE: {Membership.Role.ADMIN},
    MEMBERS: {Membership.Role.ADMIN},
    STAND_BEHIND: {Membership.Role.ADMIN},
    HISTORY: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    MAILS: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
    MAIL_AGAIN: {Membership.Role.HELPDESK, Membership.Role.ADMIN},
}


def softphone_for(user: User, pk: int, act: str) -> Softphone:
    """The softphone, if `user` may do `act` on it. Raises Http404 otherwise, the same as for one that does not exist."""
    accounts = {each.account_id: each.account for each in accounts_of(user)}
    if act in SELF_SERVICE_ACTS:
        accounts = {pk: account for pk, account in accounts.items() if account.self_service}
    elif act not in OWN_ACTS:
        raise Http404
    phones = Softphone.objects.visible_to(user).filter(account__in=accounts).select_related("owner")
    phone = get_object_or_404(phones, pk=pk)
    phone.account = accounts[phone.account_id]
    return phone


def may_have_softphones(user: User) -> QuerySet[Owner]:
    """As whom `user` may get themselves softphones: enabled and there, in an account of theirs with self-service."""
    return Owner.objects.of_person(user).filter(account__self_service=True)


# What a person's own list shows of them. Each further column makes the page slower.
_OF_OWNER = ("account", "audian_id", "name", "email", "number", "enabled", "gone_at", "user")
_OF_PHONE = ("account", "owner", "audian_id", "name", "sip_username", "password", "caller_id_number", "enabled", "fault")
_OF_PHONE += ("gone_at", "registered", "registered_since", "registered_after", "registered_address", "registered_agent")
_OF_PHONE += ("seen_at", "watched_at")


def own_softphones(user: User) -> tuple[list[Owner], list[Softphone]]:
    """The owners as whom `user` comes in, and all their softphones by name; each with its account, phones with their owner."""
    accounts = {each.account_id: each.account for each in accounts_of(user)}
    linked = Owner.objects.linked_to(user).only(*_OF_OWNER)
    owners = {each.pk: each for each in linked if each.account_id in accounts}
    phones = list(Softphone.objects.present().filter(owner__in=owners).only(*_OF_PHONE))
    for owner in owners.values():
        owner.account = accounts[owner.account_id]
    for phone in phones:
        phone.owner = owners[phone.owner_id]
        phone.account = phone.owner.account
    # Sorted here: few rows, for which the database's own order would cost more than they do.
    return sorted(owners.values(), key=lambda owner: owner.pk), sorted(phones, key=lambda each: (each.name.casefold(), each.pk))


class SecondFactorMissing(Exception):
    """The visitor may do this, but has not shown their second factor in this session. A middleware leads them to it."""


def account_for(request: HttpRequest, slug: str, act: str) -> Account:
    """The account, if the visitor has a role in it that allows `act` and has shown their second factor in this session.

    Staff pages get their account here and nowhere else. Raises Http404 without the role, and for whoever's own entry at
    Audian is off or gone; SecondFactorMissing without the factor.
    """
    roles = STAFF_ACTS.get(act, set())
    found = [each.account for each in _desks_of(request.user) if each.account.slug == slug and each.role in roles]
    if not found:
        raise Http404
    if not second_factor.is_shown(request):
        raise SecondFactorMissing
    return found[0]


def phone_of_account(request: HttpRequest, slug: str, pk: int, act: str) -> Softphone:
    """A softphone of the account that is there, if the visitor may do `act` to it. Raises as account_for does."""
    account = account_for(request, slug, act)
    phone = get_object_or_404(Softphone.objects.present().filter(account=account).select_related("owner__user"), pk=pk)
    phone.account = account
    refuse_if_of_staff(request.user, account, phone.owner, act)
    return phone


def owner_of_account(request: HttpRequest, slug: str, pk: int, act: str) -> Owner:
    """An owner of the account, also one that is gone, if the visitor may do `act` to them. Raises as account_for does."""
    account = account_for(request, slug, act)
    owner = get_object_or_404(Owner.objects.filter(account=account).select_related("user"), pk=pk)
    owner.account = account
    refuse_if_of_staff(request.user, account, owner, act)
    return owner


def refuse_if_of_staff(user: User, account: Account, owner: Owner | None, act: str) -> None:
    """Raises Http404 for an act that only an admin does to what belongs to staff, if `user` is none in this account."""
    if act in NOT_TO_STAFF and not acts_on(user, account, owner):
        raise Http404


def acts_on(user: User, account: Account, owner: Owner | None) -> bool:
    """Whether `user`, who is staff in `account`, may act on what belongs to this owner: not if that is staff, unless an admin.

    Staff anywhere counts, and so does whoever has proven the owner's address, linked or not.
    """
    return owner is None or owner.pk in acts_on_among(user, account, [owner])


def acts_on_among(user: User, account: Account, owners: Iterable[Owner]) -> set[int]:
    """On which of these owners `acts_on`, by primary key; in the same few queries however many they are."""
    return _not_of_staff(user, account, {owner.pk: _behind(owner) for owner in owners})


def mails_again(user: User, account: Account, found: Iterable[Message]) -> set[int]:
    """Which of these mails `user`, who is staff in `account`, may try again, by primary key: as `acts_on` says of whoever
    they go, or went, to."""
    return _not_of_staff(user, account, {each.pk: _meant_by(each) for each in found})


def mail_of_account(request: HttpRequest, slug: str, pk: int, act: str) -> Message:
    """A mail of the account that has not gone out, if the visitor may do `act` to it. Raises as account_for does."""
    account = account_for(request, slug, act)
    unsent = Message.objects.filter(account=account).exclude(state=Message.State.SENT)
    found = get_object_or_404(unsent.select_related("account", "owner__user", "user", "softphone"), pk=pk)
    if act in NOT_TO_STAFF and not mails_again(request.user, account, [found]):
        raise Http404
    return found


@dataclass(frozen=True, slots=True)
class _People:
    """Portal users by primary key, and (folded) addresses, whoever has proven them."""

    users: frozenset[int]
    addresses: frozenset[str]

    @classmethod
    def of(cls, users: Iterable[int | None], addresses: Iterable[str]) -> "_People":
        return cls(frozenset(user for user in users if user), frozenset(each for each in addresses if each))

    def has(self, others: "_People") -> bool:
        return bool(self.users & others.users or self.addresses & others.addresses)


def _behind(owner: Owner) -> _People:
    return _People.of([owner.user_id or owner.last_user_id], [owner.email_folded])


def _meant_by(message: Message) -> _People:
    owner = message.owner
    users = [message.user_id, (owner.user_id or owner.last_user_id) if owner else None]
    return _People.of(users, [message.to.casefold(), owner.email_folded if owner else ""])


def _not_of_staff(user: User, account: Account, people: dict[int, _People]) -> set[int]:
    """The keys of those in whom no staff is; all of them for an admin of the account."""
    if not people or has_role(user, account, Membership.Role.ADMIN):
        return set(people)
    staff = _staff_among(people.values())
    return {key for key, each in people.items() if not staff.has(each)}


def _staff_among(people: Iterable[_People]) -> _People:
    """The staff among all these, in one query."""
    users = {user for each in people for user in each.users}
    addresses = {address for each in people for address in each.addresses}
    email, verified = "user__emailaddress__email", "user__emailaddress__verified"
    behind = Q(user__in=users) | Q(**{f"{email}__in": addresses, verified: True})
    staff = Membership.objects.filter(behind, role__in=STAFF_ACTS[FIND])
    rows = list(staff.values_list("user", email, verified))
    return _People.of((user for user, *_ in rows), (address for _user, address, proven in rows if proven))


def has_role(user: User, account: Account, role: str) -> bool:
    return role_in(user, account) == role


def role_in(user: User, account: Account) -> str:
    """The role of `user` in this account; "" if they have none, or a staff role that ended when they left."""
    return next((each.role for each in _desks_of(user) if each.account_id == account.pk), "")


def accounts_of(user: User) -> list[Membership]:
    """The memberships of `user`, oldest first, each with its account."""
    return user.roles


def _desks_of(user: User) -> list[Membership]:
    """The memberships whose role counts: no longer that of staff who left."""
    return [each for each in accounts_of(user) if not each.has_left]


def staff_accounts(user: User) -> list[Account]:
    """The accounts in which `user` has a role that opens staff pages, oldest membership first."""
    return [each.account for each in _desks_of(user) if each.role in STAFF_ACTS[LIST]]


def own_change(user: User, pk: int, act: str) -> Change:
    """The change, if it is of a softphone that `user` sees, and `user` may do `act` to it. Raises Http404 otherwise."""
    seen = Change.objects.filter(softphone__in=Softphone.objects.visible_to(user))
    found = get_object_or_404(seen.select_related("account", "softphone__owner", "asked_by"), pk=pk)
    if act == SEE or (act == TRY_OWN_AGAIN and may_try_own_again(user, found)):
        return found
    raise Http404


def change_of_account(request: HttpRequest, slug: str, pk: int, act: str) -> Change:
    """A change of the account, if the visitor may do `act` to it. Raises as account_for does."""
    account = account_for(request, slug, act)
    asked = Change.objects.filter(account=account).select_related("account", "softphone__owner", "asked_by")
    found = get_object_or_404(asked, pk=pk)
    if act == TRY_AGAIN and not may_try_again(request.user, found):
        raise Http404
    return found


def may_try_own_again(user: User, change: Change) -> bool:
    """Whether everything that would be sent again is what people may ask for their own phone, and `user` asked for this.

    Whose charges were declined asks anew, as often as people may.
    """
    if change.asked_by_id != user.pk or not change.account.self_service or change.was_declined:
        return False
    return all(_is_own_act(wish) for wish in _sent_together(change))


def may_try_again(user: User, change: Change) -> bool:
    """Whether `user`, who is staff in the account, could have asked for everything that would be sent again.

    Nobody gives themselves a phone, nor their own to somebody else.
    """
    owner, together = change.softphone.owner, _sent_together(change)
    if has_role(user, change.account, Membership.Role.ADMIN):
        return not any(_is_on_oneself(wish, owner, user) for wish in together)
    theirs = owner is not None and owner.user_id is not None and change.asked_by_id == owner.user_id
    return acts_on(user, change.account, owner) and all(
        _is_helpdesk_act(wish) or (theirs and _is_own_act(wish)) for wish in together
    )


def is_oneself(owner: Owner, user: User) -> bool:
    """Whether this person at Audian is the user: linked, or by an address that the user has proven."""
    if owner.user_id == user.pk:
        return True
    folded = owner.email_folded
    return bool(folded) and user.emailaddress_set.filter(email=folded, verified=True).exists()


def _is_on_oneself(wish: Change, owner: Owner | None, user: User) -> bool:
    """Whether this gives `user` a phone, or one of theirs (its present `owner`) away. What they got by themselves does not."""
    by_oneself = wish.kind == Change.Kind.CREATE and wish.asked_by_id == user.pk
    if "owner_id" not in wish.values or by_oneself:
        return False
    to = Owner.objects.filter(account=wish.account_id, audian_id=wish.values["owner_id"]).first()
    return any(is_oneself(each, user) for each in (owner, to) if each)


def _sent_together(change: Change) -> list[Change]:
    carrier = change.folded_into_id or change.pk
    return list(Change.objects.filter(Q(pk=carrier) | Q(folded_into=carrier)))


def _is_own_act(wish: Change) -> bool:
    kinds = (Change.Kind.CREATE, Change.Kind.RESET_PASSWORD)
    return wish.kind in kinds or (wish.kind == Change.Kind.UPDATE and set(wish.values) <= {"name"})


def _is_helpdesk_act(wish: Change) -> bool:
    is_switch = wish.kind == Change.Kind.UPDATE and set(wish.values) <= {"enabled"}
    return is_switch or wish.kind == Change.Kind.RESET_PASSWORD
