"""What people asked for and Audian has to be told."""

from django.db import models
from django.db.models import Q

from portal.fields import EncryptedTextField
from softphones.models.account import Account
from softphones.models.mirror import Softphone
from softphones.models.people import User


class Change(models.Model):
    """One intended write. Its id is the mark that a device created for it bears at Audian (`flags: ["portal:<id>"]`)."""

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

    UNFINISHED = (State.QUEUED, State.SENDING, State.HELD)

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="changes")
    softphone = models.ForeignKey(Softphone, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=20, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    values = models.JSONField(default=dict)
    password = EncryptedTextField(null=True)
    error = models.TextField(blank=True, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    first_tried_at = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["account", "softphone", "id"],
                condition=Q(state__in=["queued", "sending", "held"]),
                name="change_unfinished",
            )
        ]

    def __str__(self):
        return f"{self.kind} {self.softphone}: {self.state}"
