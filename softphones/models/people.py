"""Who may sign in, and in which account with which role."""

from collections.abc import Iterable

from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.functional import cached_property

from portal.fields import EncryptedTextField
from softphones.models.account import Account
from softphones.models.addresses import masked


class UserManager(BaseUserManager):
    def create_user(self, email: str, password: str | None = None, **fields) -> "User":
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A portal user. What identifies them is their verified address (allauth's EmailAddress); `email` is a copy of it."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=256, blank=True, default="")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()
    USERNAME_FIELD = EMAIL_FIELD = "email"

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self):
        return self.name or masked(self.email)

    @cached_property
    def roles(self) -> list["Membership"]:
        """The memberships, oldest first, each with its account and `has_left`. Read once, for every part of a page."""
        # Pages don't talk to Audian, so they don't decrypt what that takes.
        found = Membership.objects.filter(user=self).select_related("account")
        found = found.defer("account__api_key", "account__static_token")
        return Membership.knowing_who_left(sorted(found, key=lambda each: each.pk))


class Membership(models.Model):
    class Role(models.TextChoices):
        USER = "user"
        HELPDESK = "helpdesk"
        ADMIN = "admin"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.USER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "account"], name="membership_once")]

    def __str__(self):
        return f"{self.user} in {self.account}: {self.role}"

    @classmethod
    def knowing_who_left(cls, memberships: Iterable["Membership"]) -> list["Membership"]:
        """These, each with `has_left`: it has a staff role, and its person's entry at Audian is off or gone.

        An entry is theirs by its link, by the link that it had, or by an address that they have proven. Who has another one
        that is on has not left; nor has who never had any. But one with their address that waits for an admin may be
        somebody new with it. Two queries if any of them has a staff role, else none.
        """
        found = list(memberships)
        desks = [each for each in found if each.role != cls.Role.USER]
        addresses = EmailAddress.objects.filter(user__in={each.user_id for each in desks}, verified=True)
        proven = set(addresses.values_list("user_id", "email")) if desks else set()
        entries = _entries_of(desks, {address for _user, address in proven}) if desks else []
        for each in found:
            each.has_left = each in desks and each._lost(entries, proven)
        return found

    def _lost(self, entries: list[tuple], proven: set[tuple[int, str]]) -> bool:
        off = False
        for account, user, last_user, address, hold, works in entries:
            if account != self.account_id:
                continue
            linked, addressed = user == self.user_id, (self.user_id, address) in proven
            if works and (linked or (addressed and not hold)):
                return False
            was_theirs = last_user == self.user_id
            off = off or (not works and (linked or addressed or was_theirs))
        return off


def _entries_of(memberships: list[Membership], addresses: set[str]) -> list[tuple]:
    """Account, user, last user, address, hold, and whether it is on and there, of what may be their entries at Audian."""
    owners = apps.get_model("softphones", "Owner").objects.annotate(works=Q(enabled=True, gone_at=None))
    fields = ("account", "user", "last_user", "email_folded", "hold", "works")
    users, accounts = {each.user_id for each in memberships}, {each.account_id for each in memberships}
    linked = owners.filter(Q(user__in=users) | Q(user=None, last_user__in=users))
    addressed = owners.filter(account__in=accounts, email_folded__in=addresses)
    # A UNION, because each half has its index. An OR of both reads every owner on SQLite.
    return list(linked.values_list(*fields).union(addressed.values_list(*fields)))


class SignInCode(models.Model):
    """Six digits mailed to an address, for the browser that asked (`browser`), and sixteen that any asking browser may enter.

    Encrypted, blank once used, deleted once lapsed. One that was never mailed (`mailed_at` empty) opens nothing.
    """

    class Purpose(models.TextChoices):
        SIGN_IN = "sign_in"
        PROOF = "proof"

    purpose = models.CharField(max_length=10, choices=Purpose)
    address = models.CharField(max_length=254, db_index=True)  # casefolded
    browser = models.CharField(max_length=64, db_index=True)
    code = EncryptedTextField()
    long_code = EncryptedTextField(default="")
    made_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True)
