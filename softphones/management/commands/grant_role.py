"""manage.py grant_role: makes the first admin, and takes or gives back a role without the pages."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from softphones import audit, people, second_factor
from softphones.configuration import account_from_environment
from softphones.management.answer import AnsweringCommand, CommandFailed
from softphones.models import Account, Membership
from softphones.people import holds

Role = Membership.Role


class Command(AnsweringCommand):
    help = "Give somebody a role in an account, or take it away. Makes the portal user if there is none with that address."
    on_failure = {"email": None, "account": None, "role": None, "changed": False}

    def add_arguments(self, parser):
        parser.add_argument("email", help="The person's address. You vouch for it: codes to sign in will go there.")
        parser.add_argument("--account", required=True, metavar="SLUG")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--revoke", action="store_true", help="Take the role away: staff stay users, users lose access.")
        parser.add_argument(
            "--reset-second-factor",
            action="store_true",
            help="Forget the person's app, passkeys and recovery codes: they enrol anew at their next visit to a staff page.",
        )

        parser.add_argument(
            "--not-them",
            action="store_true",
            help="Whoever they were linked to at Audian, has another address by now, and is off or gone, is somebody else.",
        )

    def answer(self, *, email, account, role, revoke, reset_second_factor, not_them, **options):
        account_from_environment()
        address, account = _address(email), _account(account)
        with transaction.atomic():
            others = _tell_apart(address, account) if not_them else []
            before = Membership.objects.filter(account=account, user=people.user_with(address)).first()
            act = _revoke if revoke else _grant
            after, message = act(address, account, role, before)
            reset = reset_second_factor and _reset_second_factor(address, account)
        changed = (before and before.role) != after or reset or bool(others)
        message += " The second factor is reset." if reset else ""
        message += f" Somebody else: {_listed(others)}." if others else ""
        return {"email": address, "account": account.slug, "role": after, "changed": changed, "message": message}


def _address(email: str) -> str:
    address = people.fold(email)
    try:
        validate_email(address)
    except ValidationError:
        raise CommandFailed(f"{email!r} is not an e-mail address that codes can be mailed to.") from None
    return address


def _account(slug: str) -> Account:
    account = Account.objects.filter(slug=slug).first()
    if account is None:
        slugs = ", ".join(Account.objects.order_by("slug").values_list("slug", flat=True)[:20])
        known = f"There is: {slugs}." if slugs else "There is none yet: set AUDIAN_ACCOUNT_ID and run manage.py migrate."
        raise CommandFailed(f"There is no account {slug!r}. {known}")
    return account


def _grant(address, account, role, before):
    user = people.user_with(address) or people.make_user(address=address, now=timezone.now())
    if not user.is_active:
        raise CommandFailed(f"{address} is deactivated and can't sign in, whatever the role.")
    if before and before.role == role:
        _refuse_who_left(before)
        return role, f"{address} has been {role} in {account.slug} already."
    if before and before.role != Role.USER:
        _record("role:revoked", before, before.role)
    membership, _made = Membership.objects.update_or_create(user=user, account=account, defaults={"role": role})
    _refuse_who_left(membership)
    _record("role:granted", membership, role)
    return role, f"{address} is now {role} in {account.slug}.{_lonely(account, before)}"


def _refuse_who_left(membership):
    [membership] = Membership.knowing_who_left([membership])
    if membership.has_left:
        others = holds.mistaken(user=membership.user, account=membership.account)
        raise CommandFailed(
            f"{membership.user.email} is switched off or gone at Audian in {membership.account.slug}, so the role opens "
            "nothing. Switch them on there, or give the role to another address."
            + (f" They were linked to {_listed(others)} at Audian: if that is somebody else, add --not-them." if others else "")
        )


def _tell_apart(address, account):
    user = people.user_with(address)
    given = {"account": account, "reason": "manage.py grant_role", "now": timezone.now()}
    return holds.forget_mistaken(user=user, **given) if user else []


def _listed(owners) -> str:
    return ", ".join(str(owner) for owner in owners)


def _revoke(address, account, role, before):
    if before is None:
        return None, f"{address} has no role in {account.slug}."
    if before.role != role:
        if role == Role.USER:
            raise CommandFailed(f"{address} is {before.role} in {account.slug}. Revoke that role first.")
        return before.role, f"{address} is not {role} in {account.slug}, but {before.role}."
    _record("role:revoked", before, role)
    if role == Role.USER:
        Membership.objects.filter(pk=before.pk).delete()
        return None, f"{address} has no access to {account.slug} any more."
    Membership.objects.filter(pk=before.pk).update(role=Role.USER)
    return Role.USER.value, f"{address} is no longer {role} in {account.slug}, but a user.{_lonely(account, before)}"


def _lonely(account, before) -> str:
    """A warning if the last admin has just become something else."""
    was_admin = before is not None and before.role == Role.ADMIN
    lonely = was_admin and not Membership.objects.filter(account=account, role=Role.ADMIN).exists()
    return f" {account.slug} has no admin now." if lonely else ""


def _reset_second_factor(address, account) -> bool:
    user = people.user_with(address)
    if user is None or not second_factor.reset(user):
        return False
    data = {"user": user.pk}
    audit.record(act="second_factor:reset", person=user, account=account, reason="manage.py grant_role", data=data)
    return True


def _record(act, membership, role):
    data = {"user": membership.user_id, "membership": membership.pk, "role": role}
    audit.record(act=act, person=membership.user, account=membership.account, reason="manage.py grant_role", data=data)
