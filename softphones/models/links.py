"""One-time set-up links."""

from django.db import models

from softphones.models.mirror import Softphone
from softphones.models.people import User


class SetupLink(models.Model):
    """The hash of a token that shows one softphone's credentials once. The token itself stands only in its own address."""

    token_hash = models.CharField(max_length=64, unique=True)  # SHA-256, hexadecimal
    softphone = models.ForeignKey(Softphone, on_delete=models.CASCADE, related_name="links")
    # Drawn from an opened page for an app on that same device; no browser can open it.
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="children")
    made_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    opened_from = models.GenericIPAddressField(null=True)
    opened_agent = models.CharField(max_length=256, blank=True, default="")
    opened_browser = models.CharField(max_length=64, blank=True, default="")  # hash of what a browser is known by
    opened_by_app = models.BooleanField(default=False)  # a softphone fetched its own document; else a browser
    repeats = models.PositiveSmallIntegerField(default=0)

    def __str__(self):
        return f"link for {self.softphone} made {self.made_at:%Y-%m-%d %H:%M}"
