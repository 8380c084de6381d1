"""Who did or saw what, on whose softphone, when, from where, why. Rows are only ever added."""

from django.db import models

from softphones.models.account import Account
from softphones.models.mirror import Owner, Softphone
from softphones.models.people import User


class AuditEventQuerySet(models.QuerySet):
    """Refuses what would change or remove a row that is there."""

    def _refuse(self, *args, **kwargs):
        raise TypeError("Audit events are only ever added.")

    update = bulk_update = delete = _refuse


class AuditEvent(models.Model):
    """One act. The labels say what everything was called at the time; the database itself refuses UPDATE and DELETE.

    `owner` and `person_label` say whose phone it was, or whom it was about.
    """

    at = models.DateTimeField()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, related_name="audit_events")
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    actor_label = models.CharField(max_length=300, blank=True, default="")
    act = models.CharField(max_length=60)  # object:verb, e.g. password:shown
    softphone = models.ForeignKey(Softphone, on_delete=models.PROTECT, null=True, related_name="audit_events")
    target_label = models.CharField(max_length=300, blank=True, default="")
    owner = models.ForeignKey(Owner, on_delete=models.PROTECT, null=True, db_index=False, related_name="audit_events")
    person_label = models.CharField(max_length=300, blank=True, default="")
    actor_words = models.TextField(blank=True, default="")  # the labels as they are searched
    whose_words = models.TextField(blank=True, default="")
    ip = models.GenericIPAddressField(null=True)
    reason = models.CharField(max_length=300, blank=True, default="")
    outcome = models.CharField(max_length=20, default="done")
    data = models.JSONField(default=dict)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["account", "-at", "-id"], name="audit_newest"),
            models.Index(fields=["owner", "-at", "-id"], name="audit_of_owner"),
        ]

    def __str__(self):
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor_label}: {self.act}"

    def save(self, *args, **kwargs):
        if not self._state.adding:
            raise TypeError("Audit events are only ever added.")
        super().save(*args, **kwargs | {"force_insert": True})

    def delete(self, *args, **kwargs):
        raise TypeError("Audit events are only ever added.")
