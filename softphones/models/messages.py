"""Mails, as rows: queued, then sent or failed. A row holds no token and no text."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from softphones.models.account import Account
from softphones.models.mirror import Owner, Softphone
from softphones.models.people import SignInCode, User


class Message(models.Model):
    class Kind(models.TextChoices):
        SIGN_IN_CODE = "sign_in_code", _("code to sign in")
        PROOF_CODE = "proof_code", _("code to confirm")
        SETUP_LINK = "setup_link", _("set-up link")
        NEW_PASSWORD = "new_password", _("new password ready")
        SOFTPHONE_READY = "softphone_ready", _("softphone ready")
        SECOND_FACTOR = "second_factor", _("second factor set up")

    class State(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        FAILED = "failed"

    BULK_RANK = 2
    CODES = (Kind.SIGN_IN_CODE, Kind.PROOF_CODE)

    kind = models.CharField(max_length=20, choices=Kind)
    account = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True, related_name="messages")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="messages")
    to = models.EmailField()
    code = models.ForeignKey(SignInCode, on_delete=models.SET_NULL, null=True, related_name="messages")
    # What it is about, and who asked for it
    owner = models.ForeignKey(Owner, on_delete=models.SET_NULL, null=True, related_name="messages")
    softphone = models.ForeignKey(Softphone, on_delete=models.SET_NULL, null=True, related_name="messages")
    about = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    detail = models.CharField(max_length=60, blank=True, default="")
    asked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    key = models.CharField(max_length=200, blank=True, default="")  # "<asker>:<their key>": asked twice, mailed once

    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    rank = models.PositiveSmallIntegerField(default=0)  # lower ones go first; 0: at once
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    handed_at = models.DateTimeField(null=True)  # last given to the mail server, as EMAIL_PER_MINUTE counts it
    sent_at = models.DateTimeField(null=True)  # when the mail server accepted it
    opened_at = models.DateTimeField(null=True)  # when its person first came to the set-up page after that

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], condition=~Q(key=""), name="message_asked_once"),
        ]
        indexes = [
            models.Index(fields=["rank", "next_attempt_at", "id"], condition=Q(state="queued"), name="message_due"),
            models.Index(fields=["handed_at"], condition=Q(rank__gt=0), name="message_handed"),
            models.Index(fields=["account", "-created_at", "-id"], condition=~Q(state="sent"), name="message_unsent"),
        ]

    def __str__(self):
        return f"{self.kind} to {self.to}: {self.state}"
