"""What people asked for and Audian has to be told."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portal.fields import EncryptedTextField
from softphones.models.account import Account
from softphones.models.mirror import Softphone
from softphones.models.people import User


class Change(models.Model):
    """One wish: one intended write. The id of a create is the mark that its device bears (`flags: ["portal:<id>"]`).

    A wish that came while an older one for the same phone was still unsent is folded into it: the older row carries
    both, one call serves them, and each keeps a row, and an outcome, of its own.
    """

    class Kind(models.TextChoices):
        CREATE = "create"
        UPDATE = "update"
        RESET_PASSWORD = "reset_password"
        DELETE = "delete"

    class State(models.TextChoices):
        QUEUED = "queued"
        SENDING = "sending"
        DONE = "done"
        FAILED = "failed"
        HELD = "held"
        REPLACED = "replaced"  # not sent: a newer wish took its place, or nobody wants it any more

    UNFINISHED = (State.QUEUED, State.SENDING, State.HELD)

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="changes")
    softphone = models.ForeignKey(Softphone, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=20, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)

    # The wish
    values = models.JSONField(default=dict)
    seen = models.JSONField(default=dict)  # what the visitor saw in the fields of `values`
    password = EncryptedTextField(null=True)  # a new one, until Audian confirmed it
    urgent = models.BooleanField(default=True)  # a person waits for it
    asked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=300, blank=True, default="")
    key = models.CharField(max_length=200, blank=True, default="")  # "<asker>:<their key>": asked twice, done once
    batch = models.CharField(max_length=60, blank=True, default="")  # those that a question about charges stops together
    folded_into = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="folded")
    created_at = models.DateTimeField(default=timezone.now)

    # How it goes
    epoch = models.PositiveBigIntegerField(default=0)  # of the lease under which it is being sent
    tried_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")  # again, after it failed
    tried_at = models.DateTimeField(null=True)  # when the last try that may have been carried out began; empty: unsent
    attempts = models.PositiveSmallIntegerField(default=0)  # answers about this row
    troubles = models.PositiveSmallIntegerField(default=0)  # troubles of the account that it ran into
    next_attempt_at = models.DateTimeField(null=True)  # by the database's clock
    error = models.TextField(blank=True, default="")
    conflict = models.JSONField(default=dict)  # field: [what the visitor saw, what Audian has]
    finished_at = models.DateTimeField(null=True)

    # Charges
    quote = models.JSONField(null=True)  # what Audian asks, while it is held
    accepted = models.JSONField(null=True)  # the quote that somebody accepted
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], condition=~Q(key=""), name="change_asked_once"),
        ]
        indexes = [
            models.Index(
                fields=["account", "softphone", "id"],
                condition=Q(state__in=["queued", "sending", "held"]),
                name="change_unfinished",
            ),
            models.Index(
                fields=["account", "-urgent", "id"],
                condition=Q(state="queued", folded_into=None),
                name="change_queue",
            ),
            models.Index(fields=["account", "softphone", "id"], condition=Q(state="failed"), name="change_failed"),
            models.Index(fields=["account", "batch"], condition=~Q(batch=""), name="change_batch"),
            models.Index(fields=["account", "finished_at"], name="change_finished"),
        ]

    def __str__(self):
        return f"{self.kind} {self.softphone}: {self.state}"

    @property
    def pressed_by(self) -> User | None:
        """Whose act this is: who tried it again last, else who asked for it."""
        return self.tried_by or self.asked_by

    @property
    def was_declined(self) -> bool:
        """Whether it came to nothing because somebody declined its charges."""
        return self.state == self.State.FAILED and self.decided_at is not None and self.accepted is None

    @property
    def mark(self) -> str:
        """The flag by which a device that this create made is known again."""
        return f"portal:{self.pk}"


class Pause(models.Model):
    """Trouble of a whole account: nothing is sent until `until`, then one call tries whether it is over."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="pause")
    since = models.DateTimeField()
    until = models.DateTimeField()  # by the database's clock
    reason = models.TextField()
    probes = models.PositiveSmallIntegerField(default=0)  # calls that found it still there

    def __str__(self):
        return f"{self.account}: {self.reason}"
