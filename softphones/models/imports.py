"""Bulk work: a spreadsheet, people who get a softphone each, or an act on a selection. Checked first, then in the outbox."""

import json

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.fields import EncryptedTextField
from softphones.models.account import Account
from softphones.models.changes import Change
from softphones.models.messages import Message
from softphones.models.mirror import Owner, Softphone
from softphones.models.people import User


class Import(models.Model):
    """One piece of bulk work. What it comes to is never stored: it is what its rows' changes and mails came to."""

    class Kind(models.TextChoices):
        CREATE = "create", _("create")
        ENABLE = "enable", _("switch on")
        DISABLE = "disable", _("switch off")
        RESET = "reset", _("reset the password")
        SEND_LINKS = "send_links", _("send the set-up link")
        DELETE = "delete", _("delete")

    class State(models.TextChoices):
        CHECKED = "checked", _("checked")
        STARTING = "starting", _("starting")  # its rows are being written into the outbox; nothing of it is sent yet
        STARTED = "started", _("started")
        PAUSED = "paused", _("paused")
        CANCELLING = "cancelling", _("being cancelled")  # what is unsent of it is taken out of the outbox
        CANCELLED = "cancelled", _("cancelled")
        FINISHED = "finished", _("finished")

    UNFINISHED = (State.CHECKED, State.STARTING, State.STARTED, State.PAUSED, State.CANCELLING)
    STOPPED = (State.STARTING, State.PAUSED, State.CANCELLING)  # nothing of it leaves the outbox

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="imports")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.CREATE)
    state = models.CharField(max_length=10, choices=State, default=State.CHECKED)
    name = models.CharField(max_length=200)  # of the file, or what was selected
    sha256 = models.CharField(max_length=64)  # of the file, or of the selection
    is_file = models.BooleanField(default=True)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="undone_by")  # which this undoes
    asked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    # What the check found
    problems = models.JSONField(default=list)  # of the whole file: [{"line", "column", "message"}]
    notices = models.JSONField(default=list)  # likewise; these keep nobody from starting
    rows_read = models.PositiveIntegerField(default=0)
    will = models.PositiveIntegerField(default=0)  # rows with something to do
    exists = models.PositiveIntegerField(default=0)  # rows with nothing to do
    errors = models.PositiveIntegerField(default=0)  # rows that can't be done
    owned = models.PositiveIntegerField(default=0)  # of `will`: whose owner has a softphone already

    # What was chosen at the start
    skip_errors = models.BooleanField(default=False)
    skip_owned = models.BooleanField(default=False)
    ip = models.GenericIPAddressField(null=True)  # from where; for the history of what a worker writes

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "sha256"],
                condition=Q(state__in=["checked", "starting", "started", "paused", "cancelling"]),
                name="import_once_at_a_time",
            )
        ]
        indexes = [
            models.Index(fields=["account", "-created_at", "-id"], name="import_newest"),
            models.Index(
                fields=["account"], condition=Q(state__in=["starting", "paused", "cancelling"]), name="import_stopped"
            ),
        ]

    def __str__(self):
        return self.name

    @property
    def batch(self) -> str:
        """The name of its wishes in the outbox (`Change.batch`)."""
        return batch_of(self.pk)


class ImportRow(models.Model):
    """One row: what it says, the verdict on it, and the change or mail that came of it."""

    class Verdict(models.TextChoices):
        WILL_CREATE = "will_create", _("will be created")
        WILL_DO = "will_do", _("will be done")
        EXISTS = "exists", _("already there")
        ERROR = "error", _("error")

    WILL = (Verdict.WILL_CREATE, Verdict.WILL_DO)

    batch = models.ForeignKey(Import, on_delete=models.CASCADE, db_index=False, related_name="rows")
    line = models.PositiveIntegerField()  # of the file, where the row starts; else its place in the selection
    rank = models.PositiveSmallIntegerField(default=0)  # 0: errors, 1: with notices, 2: will be done, 3: nothing to do
    cells = EncryptedTextField(default="{}")  # JSON: column -> text as it stands in the file, without the password
    password = EncryptedTextField(null=True)  # that the file gives, until the start
    has_password = models.BooleanField(default=False)  # whether the file gave one
    verdict = models.CharField(max_length=12, choices=Verdict)
    problems = models.JSONField(default=list)  # [{"line", "column", "message"}]
    notices = models.JSONField(default=list)
    is_owned = models.BooleanField(default=False)  # its owner has a softphone already

    owner = models.ForeignKey(Owner, on_delete=models.SET_NULL, null=True, related_name="+")
    # The one that is there, or was made; before that, one that could not be made before and is tried again
    softphone = models.ForeignKey(Softphone, on_delete=models.SET_NULL, null=True, related_name="+")
    change = models.ForeignKey(Change, on_delete=models.SET_NULL, null=True, related_name="import_rows")
    message = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "line"], name="import_row_by_line")]
        indexes = [models.Index(fields=["batch", "rank", "id"], name="import_row_errors_first")]

    def __str__(self):
        return f"{self.batch} line {self.line}: {self.verdict}"

    @property
    def values(self) -> dict[str, str]:
        """What the row says: column -> text. Never its password."""
        return json.loads(self.cells)

    @property
    def device_id(self) -> str:
        return (self.softphone.audian_id or "") if self.softphone else ""


def batch_of(pk: int | str) -> str:
    return f"import:{pk}"
