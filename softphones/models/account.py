"""An Audian account that we manage, and the run-time state around it (never columns of Account)."""

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.fields import EncryptedTextField

DEFAULT_REALM = "sip.audian.com"  # the vendor's page: "Realm: sip.audian.com"


class Account(models.Model):
    class Transport(models.TextChoices):
        TLS = "tls", "TLS"
        TCP = "tcp", "TCP"
        UDP = "udp", "UDP"

    slug = models.SlugField(unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    # How we reach Audian
    api_url = models.URLField(max_length=500)
    audian_id = models.CharField(max_length=64, unique=True)
    api_key = EncryptedTextField(blank=True, default="")
    static_token = EncryptedTextField(blank=True, default="")

    # What a softphone needs to know
    sip_server = models.CharField(max_length=253, default="sip.audian.com")
    sip_realm = models.CharField(max_length=253, blank=True, default="")
    api_realm = models.CharField(max_length=253, blank=True, default="")
    sip_udp_port = models.PositiveIntegerField(default=5060)
    sip_tls_port = models.PositiveIntegerField(default=5061)
    transport = models.CharField(max_length=3, choices=Transport, default=Transport.TLS)
    srtp = models.BooleanField(default=False)
    stun_server = models.CharField(max_length=253, blank=True, default="")
    stun_port = models.PositiveIntegerField(default=3478)
    wss_url = models.CharField(max_length=500, blank=True, default="")
    zoiper_provider_id = models.CharField(
        max_length=32,
        blank=True,
        default="",
        validators=[RegexValidator(r"^[0-9a-f]{32}$", _("32 hexadecimal digits."))],
    )

    # Policy
    self_service = models.BooleanField(default=True)
    quota = models.PositiveSmallIntegerField(default=1)
    removal_guard_percent = models.PositiveSmallIntegerField(
        default=20, validators=[MinValueValidator(0), MaxValueValidator(100)]
    )
    removal_guard_count = models.PositiveIntegerField(default=10)
    mail_domains = models.JSONField(default=list, blank=True)

    # What people see
    company_name = models.CharField(max_length=200, blank=True, default="")
    helpdesk_phone = models.CharField(max_length=50, blank=True, default="")
    helpdesk_email = models.EmailField(blank=True, default="")
    recommended_app = models.CharField(max_length=40, blank=True, default="")
    hidden_apps = models.JSONField(default=list, blank=True)
    test_number = models.CharField(max_length=20, blank=True, default="")
    time_zone = models.CharField(max_length=64, default="UTC")

    def __str__(self):
        return self.company_name or self.slug

    @property
    def zone(self) -> tzinfo:
        """The account's time zone; UTC where its name means nothing on this machine."""
        try:
            return ZoneInfo(self.time_zone)
        except (KeyError, ValueError):
            return UTC

    @property
    def realm(self) -> str:
        """The SIP domain: what an admin set, else what the API says, else the vendor's default (audian-api.md section 3)."""
        return self.sip_realm or self.api_realm or DEFAULT_REALM


class ApiToken(models.Model):
    """The one token an account's processes share, and whether the server has the vendor page's status route."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="token")
    token = EncryptedTextField(null=True)
    expires_at = models.DateTimeField(null=True)  # when to renew it, which is a little before it really expires
    status_route = models.BooleanField(null=True)
    status_route_asked_at = models.DateTimeField(null=True)


class Lease(models.Model):
    """Who may do `name` until when. Taking it over raises the epoch, so that the former holder's writes find no row."""

    name = models.CharField(max_length=100, unique=True)
    epoch = models.PositiveBigIntegerField(default=0)
    held_until = models.FloatField(default=0)  # seconds since 1970 by the database's clock

    def __str__(self):
        return f"{self.name} (epoch {self.epoch})"


class Bucket(models.Model):
    """A token bucket: `tokens` as of `at` (seconds since 1970 by the database's clock). Negative means reserved ahead."""

    name = models.CharField(max_length=200, unique=True)
    tokens = models.FloatField()
    at = models.FloatField()

    def __str__(self):
        return self.name


class CallCount(models.Model):
    """How many calls of Audian's API came out how, ever, and how long they took together (softphones.audian.calls.Exchange)."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, db_index=False, related_name="call_counts")
    kind = models.CharField(max_length=10)
    result = models.CharField(max_length=30)
    number = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "kind", "result"], name="call_count_once")]

    def __str__(self):
        return f"{self.account} {self.kind} {self.result}: {self.number}"
