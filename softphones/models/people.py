"""Who may sign in, and in which account with which role."""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
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
        found = Membership.objects.knowing_who_left().filter(user=self).select_related("account")
        return sorted(found.defer("account__api_key", "account__static_token"), key=lambda each: each.pk)


class MembershipQuerySet(models.QuerySet):
    def knowing_who_left(self):
        """Each with `has_left`: it has a staff role, and its person's entry at Audian is off or gone.

        An entry is theirs by its link, by the link that it had, or by an address that they have proven. Who has another one
        that is on has not left; nor has who never had any.
        """
        linked = Q(account__owners__user=F("user"))
        was_linked = Q(account__owners__user=None, account__owners__last_user=F("user"))
        proven = Q(account__owners__email_folded=F("user__emailaddress__email"), user__emailaddress__verified=True)
        off = Q(account__owners__enabled=False) | Q(account__owners__gone_at__isnull=False)
        on = Q(account__owners__enabled=True, account__owners__gone_at=None)
        same = self.model.objects.filter(pk=OuterRef("pk"))
        lost = Exists(same.filter(linked, off)) | Exists(same.filter(was_linked, off)) | Exists(same.filter(proven, off))
        has = Exists(same.filter(linked, on)) | Exists(same.filter(proven, on))
        return self.annotate(has_left=~Q(role=self.model.Role.USER) & lost & ~has)


class Membership(models.Model):
    class Role(models.TextChoices):
        USER = "user"
        HELPDESK = "helpdesk"
        ADMIN = "admin"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.USER)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "account"], name="membership_once")]

    def __str__(self):
        return f"{self.user} in {self.account}: {self.role}"


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
