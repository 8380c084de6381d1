"""Our copy of what Audian holds. Mirrored fields are written by mirror.py alone."""

from datetime import UTC, datetime

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce

from portal.fields import CodePointField, EncryptedTextField
from softphones.models.account import Account
from softphones.models.addresses import masked
from softphones.models.people import User


class OwnerQuerySet(models.QuerySet):
    def of_person(self, user):
        """As whom `user` comes in: linked to them, enabled and there, in an account where they have a membership."""
        return self.linked_to(user).filter(account__memberships__user=user)

    def linked_to(self, user):
        """Those linked to `user` that are enabled and there, in whatever account."""
        return self.filter(user=user, enabled=True, gone_at=None)


class Owner(models.Model):
    """Mirror of an Audian user: somebody a softphone belongs to."""

    class Hold(models.TextChoices):
        """Why this owner is not linked to a portal user by itself any more: an admin has to look."""

        NONE = ""
        ADDRESS_CHANGED = "address_changed"
        LINK_FELL = "link_fell"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, db_index=False, related_name="owners")
    audian_id = models.CharField(max_length=64)
    name = models.CharField(max_length=256, blank=True, default="")
    email = models.CharField(max_length=254, blank=True, default="")
    email_folded = models.CharField(max_length=254, blank=True, default="")
    number = models.CharField(max_length=64, blank=True, default="")
    enabled = models.BooleanField(default=True)
    gone_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)

    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="owners")
    last_user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")  # whose link fell by itself
    linked_at = models.DateTimeField(null=True)
    hold = models.CharField(max_length=20, choices=Hold, blank=True, default="")

    objects = OwnerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "audian_id"], name="owner_once")]
        indexes = [
            models.Index(fields=["account", "email_folded"], name="owner_by_email"),
            models.Index(fields=["account", "name", "id"], name="owner_by_name"),
            # Who left: few, and looked for on every overview
            models.Index(fields=["account", "id"], condition=Q(enabled=False) | Q(gone_at__isnull=False), name="owner_left"),
        ]

    def __str__(self):
        return self.name or masked(self.email) or self.audian_id


class SoftphoneQuerySet(models.QuerySet):
    def present(self):
        return self.filter(gone_at=None)

    def visible_to(self, user):
        """A person's own phones: those of every owner as whom they come in."""
        return self.present().filter(owner__in=Owner.objects.of_person(user))


class Softphone(models.Model):
    """Mirror of one Audian device of type `softphone`, and what we last saw of its registration."""

    class Fault(models.TextChoices):
        NONE = ""
        NO_SIP = "no_sip", "no username"
        DOUBLED_USERNAME = "doubled_username", "username used twice"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, db_index=False, related_name="softphones")
    audian_id = models.CharField(max_length=64, null=True)  # empty until Audian answered a create
    owner = models.ForeignKey(Owner, on_delete=models.SET_NULL, null=True, related_name="softphones")
    owner_audian_id = models.CharField(max_length=64, blank=True, default="")  # also when it dangles
    name = models.CharField(max_length=256)
    sip_username = models.CharField(max_length=256, blank=True, default="")
    username_folded = models.CharField(max_length=256, blank=True, default="")
    password = EncryptedTextField(null=True)  # NULL: unknown. "": Audian has none
    realm = models.CharField(max_length=253, blank=True, default="")  # only where it differs from the account's
    caller_id_number = models.CharField(max_length=64, blank=True, default="")
    caller_id_name = models.CharField(max_length=64, blank=True, default="")
    enabled = models.BooleanField(default=True)
    revision = models.CharField(max_length=100, blank=True, default="")
    fault = models.CharField(max_length=20, choices=Fault, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True)  # when its whole document was last read
    written_at = models.DateTimeField(null=True)  # when we last wrote it at Audian
    gone_at = models.DateTimeField(null=True)

    # What lights.py last saw
    registered = models.BooleanField(null=True)  # NULL: unknown
    registered_since = models.DateTimeField(null=True)
    registered_after = models.DateTimeField(null=True)  # when we last saw that this connection was not there yet
    registered_address = models.CharField(max_length=64, blank=True, default="")
    registered_agent = models.CharField(max_length=256, blank=True, default="")
    seen_at = models.DateTimeField(null=True)
    # `seen_at` to order by, which needs a value: 1970 for a phone that was never looked at
    last_seen = models.GeneratedField(
        expression=Coalesce("seen_at", Value(datetime(1970, 1, 1, tzinfo=UTC))),
        output_field=models.DateTimeField(),
        db_persist=True,
    )
    watched_at = models.DateTimeField(null=True)
    # The connection that ended last: it was still seen at `lost_after`, and no more at `lost_at`
    lost_at = models.DateTimeField(null=True)
    lost_after = models.DateTimeField(null=True)
    lost_since = models.DateTimeField(null=True)
    lost_address = models.CharField(max_length=64, blank=True, default="")
    lost_agent = models.CharField(max_length=256, blank=True, default="")

    objects = SoftphoneQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "audian_id"], condition=Q(audian_id__isnull=False), name="softphone_once"
            )
        ]
        indexes = [
            models.Index(fields=["account", "username_folded"], name="softphone_by_username"),
            models.Index(fields=["account", "name", "id"], name="softphone_by_name"),
            models.Index(fields=["account", "watched_at"], name="softphone_watched"),
            # What staff order by, and what they look for that is rare
            models.Index(fields=["account", "caller_id_number", "id"], name="softphone_by_number"),
            models.Index(fields=["account", "last_seen", "id"], name="softphone_by_seen"),
            models.Index(fields=["account", "name", "id"], condition=~Q(fault=""), name="softphone_faulty"),
            models.Index(fields=["account", "name", "id"], condition=Q(enabled=False), name="softphone_disabled"),
            models.Index(fields=["account", "name", "id"], condition=Q(gone_at__isnull=False), name="softphone_gone"),
            models.Index(fields=["account", "name", "id"], condition=Q(owner=None), name="softphone_of_nobody"),
            models.Index(fields=["account", "name", "id"], condition=Q(registered=True), name="softphone_connected"),
        ]

    def __str__(self):
        return self.name

    @property
    def sip_realm(self) -> str:
        return self.realm or self.account.realm

    @property
    def number(self) -> str:
        return self.caller_id_number or (self.owner.number if self.owner else "")


class SyncRun(models.Model):
    """One look at Audian. A held run names the rows that it would remove: softphones in `removals`, owners beside it."""

    class State(models.TextChoices):
        RUNNING = "running"
        COMPLETE = "complete"
        HELD = "held"
        FAILED = "failed"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="runs")
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    calls = models.PositiveIntegerField(default=0)
    pages = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    gone = models.PositiveIntegerField(default=0)
    message = models.TextField(blank=True, default="")
    removals = models.JSONField(default=list)
    removed_owners = models.JSONField(default=list)
    released_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    released_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["account", "-started_at"], name="run_by_start")]

    def __str__(self):
        return f"{self.account} {self.started_at:%Y-%m-%d %H:%M} {self.state}"


class SearchWord(models.Model):
    """One word by which an owner or a softphone is found; written by the mirror.

    A softphone's word names its owner too, who is found by it; an owner's own names no softphone.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, db_index=False, related_name="+")
    word = CodePointField(max_length=64)
    owner = models.ForeignKey(Owner, on_delete=models.CASCADE, null=True, db_index=False, related_name="words")
    softphone = models.ForeignKey(Softphone, on_delete=models.CASCADE, null=True, related_name="words")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(owner__isnull=False) | Q(softphone__isnull=False), name="search_word_names_somebody"
            )
        ]
        indexes = [
            # With what is asked of it, so that a common word is read from the index alone
            models.Index(fields=["account", "word", "id"], include=["owner", "softphone"], name="search_by_word"),
            models.Index(fields=["owner", "word"], name="search_by_owner"),
        ]

    def __str__(self):
        return self.word
