"""Mails, as rows: queued, then sent or failed. A row holds no token and no text."""

from django.db import models

from softphones.models.account import Account
from softphones.models.people import SignInCode, User


class Message(models.Model):
    class Kind(models.TextChoices):
        SIGN_IN_CODE = "sign_in_code"
        PROOF_CODE = "proof_code"

    class State(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        FAILED = "failed"

    kind = models.CharField(max_length=20, choices=Kind)
    account = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True, related_name="messages")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="messages")
    to = models.EmailField()
    code = models.ForeignKey(SignInCode, on_delete=models.SET_NULL, null=True, related_name="messages")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["state", "next_attempt_at"], name="message_due")]

    def __str__(self):
        return f"{self.kind} to {self.to}: {self.state}"
