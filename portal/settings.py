"""All settings, read from the environment. docs/settings.md says what each variable means."""

from pathlib import Path
from urllib.parse import urlsplit

from celery.schedules import schedule

from portal import logs
from portal.environment import LOOPBACK, Environment

BASE_DIR = Path(__file__).resolve().parent.parent
environment = Environment(BASE_DIR)

# --- The machine
DEBUG = environment.flag("DEBUG", True)
VAR_DIR = Path(environment.text("VAR_DIR", str(BASE_DIR / "var"))).resolve()
SECRET_KEY = environment.signing_key("SECRET_KEY", kept_in=VAR_DIR, debug=DEBUG)
FIELD_ENCRYPTION_KEYS = environment.fernet_keys("FIELD_ENCRYPTION_KEYS", kept_in=VAR_DIR, debug=DEBUG)
PUBLIC_URL = environment.address(
    "PUBLIC_URL",
    "http://127.0.0.1:8000" if DEBUG else "",
    plain_http_allowed=environment.flag("PUBLIC_URL_HTTP", False),
    origin=True,
)
_public_host = urlsplit(PUBLIC_URL).hostname or "127.0.0.1"
environment.only_here("DEBUG", value=DEBUG, shows="settings and code", public_host=_public_host)
_served_on_tls = PUBLIC_URL.startswith("https://")
ALLOWED_HOSTS = environment.hosts("ALLOWED_HOSTS", {_public_host} | (LOOPBACK if DEBUG else set()), debug=DEBUG)
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS", PUBLIC_URL)
TRUSTED_PROXIES = environment.whole("TRUSTED_PROXIES", 0, least=0)

# --- Storage: SQLite and files on one machine, PostgreSQL and Redis in production
DATABASES = {"default": environment.database("DATABASE_URL", f"sqlite:///{VAR_DIR / 'portal.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    environment.folder("VAR_DIR", VAR_DIR)
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=5000;",
    }
else:
    _given = DATABASES["default"].get("OPTIONS", {})
    # Nobody waits for ever for what another transaction has locked, nor keeps it locked while it does nothing. Migrations
    # wait (softphones/configuration.py); what the address gives as `options` comes last, so that it wins. And no query of
    # ours is so large that starting further processes for it, or compiling it, would take less time than it saves.
    _own = "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s -c max_parallel_workers_per_gather=0 -c jit=off"
    # A server that is gone without a word would keep a request for minutes, or for ever on a connection that is there.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 25_000,  # milliseconds
        **_given,
        "options": f"{_own} {_given.get('options', '')}".strip(),
    }
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS = ["models.W040"]  # an index holds further columns where the database can: PostgreSQL
REDIS_URL = environment.broker("REDIS_URL")

# --- Applications
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "softphones",
]
MIDDLEWARE = [
    "portal.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "portal.middleware.SecurityHeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.middleware.HtmxSignInMiddleware",
    "portal.middleware.SecondFactorMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "softphones.views.context.portal",
            ],
        },
    }
]

# --- People
AUTH_USER_MODEL = "softphones.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# allauth keeps addresses, passwords and the steps of a sign-in. Its limits count in a cache, ours in the database.
ACCOUNT_ADAPTER = "softphones.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # who signs in has proven the address, or an operator vouched for it
ACCOUNT_RATE_LIMITS = False
# The second factor of staff. Our views ask for it, and for fresh proof, themselves.
MFA_ADAPTER = "softphones.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_REAUTHENTICATION_REQUIRED = False
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_TOLERANCE = 1  # 30 s before and after, for clocks that are a little off
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "softphones"
LOGOUT_REDIRECT_URL = "account_login"

# --- Web security
FILE_UPLOAD_HANDLERS = [
    "portal.uploads.RefuseHuge",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _served_on_tls
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 12
SESSION_COOKIE_NAME = "__Host-session" if _served_on_tls else "session"
CSRF_FAILURE_VIEW = "softphones.views.sign_in.stale"
CSRF_COOKIE_NAME = "__Host-csrf" if _served_on_tls else "csrf"
SECURE_SSL_REDIRECT = _served_on_tls
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365 if _served_on_tls else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _served_on_tls
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"  # with no-referrer, browsers post our forms with `Origin: null`: a CSRF failure
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# The name and form of Django 6's own setting, so that the upgrade deletes our middleware and keeps this.
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "manifest-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}

# --- Language, time, static files
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATIC_ROOT = Path(environment.text("STATIC_ROOT", str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG

# --- Mail
_mail = environment.mail("EMAIL_URL", "file://")
EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _mail.get("EMAIL_HOST"), _mail.get("EMAIL_PORT")
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.get("EMAIL_HOST_USER"), _mail.get("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
EMAIL_FILE_PATH = _mail.get("EMAIL_FILE_PATH") or str(VAR_DIR / "mail")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", f"Softphone Portal <portal@{_public_host}>")
EMAIL_PER_MINUTE = environment.number("EMAIL_PER_MINUTE", 25, least=0)
MAIL_KEPT_DAYS = environment.whole("MAIL_KEPT_DAYS", 90, least=30)  # staff see what failed in the last 30

# --- Celery only wakes; rows are the queue
CELERY_BROKER_URL = REDIS_URL or "filesystem://localhost"
if REDIS_URL:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # A wake-up that is lost costs half a minute; one that came again after ten minutes would help nobody.
        "ack_emulation": False,
        "socket_connect_timeout": 1,
        "socket_timeout": 5,
    }
else:
    _broker = VAR_DIR / "broker"
    for _folder in ("queue", "control"):
        environment.folder("VAR_DIR", _broker / _folder)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_broker / "queue"),
        "data_folder_out": str(_broker / "queue"),
        "control_folder": str(_broker / "control"),
    }
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # keeps no file: all intervals are short
_sweep = environment.number("SWEEP_SECONDS", 30, least=1)
CELERY_BEAT_SCHEDULE = {
    "mirror-accounts": {
        "task": "softphones.tasks.mirror_accounts",
        "schedule": schedule(300),
        "options": {"expires": 300},
    },
    "sweep": {"task": "softphones.tasks.sweep", "schedule": schedule(_sweep), "options": {"expires": _sweep}},
}

# --- Audian: the first account (further ones are rows)
AUDIAN_API_URL = environment.address(
    "AUDIAN_API_URL",
    "https://api.audian.com:8443/v2",
    plain_http_allowed=environment.flag("AUDIAN_API_HTTP", False),
)
AUDIAN_ACCOUNT_ID = environment.pattern(
    "AUDIAN_ACCOUNT_ID", r"[0-9A-Za-z_-]{1,64}", "the id of an account at Audian, 32 hexadecimal digits"
)
AUDIAN_API_KEY = environment.text("AUDIAN_API_KEY")
AUDIAN_AUTH_TOKEN = environment.text("AUDIAN_AUTH_TOKEN")
SIP_SERVER = environment.text("SIP_SERVER", "sip.audian.com", longest=253)
SIP_REALM = environment.text("SIP_REALM", longest=253)
SIP_UDP_PORT = environment.port("SIP_UDP_PORT", 5060)
SIP_TLS_PORT = environment.port("SIP_TLS_PORT", 5061)
# What people see of the first account; an empty value leaves the row's own alone.
COMPANY_NAME = environment.text("COMPANY_NAME", longest=200)
HELPDESK_EMAIL = environment.pattern("HELPDESK_EMAIL", r"[^@\s]{1,64}@[^@\s]{1,189}", "an e-mail address")
HELPDESK_PHONE = environment.text("HELPDESK_PHONE", longest=50)
ZOIPER_PROVIDER_ID = environment.pattern("ZOIPER_PROVIDER_ID", r"[0-9a-f]{32}", "32 hexadecimal digits")
# What the company allows.
SELF_SERVICE = environment.if_given("SELF_SERVICE", lambda name: environment.flag(name, True))
SELF_SERVICE_QUOTA = environment.if_given("SELF_SERVICE_QUOTA", lambda name: environment.whole(name, 1, least=0))
MAIL_DOMAINS = environment.words("MAIL_DOMAINS")
REMOVAL_GUARD_PERCENT = environment.if_given("REMOVAL_GUARD_PERCENT", lambda name: environment.whole(name, 20, least=0))
REMOVAL_GUARD_COUNT = environment.if_given("REMOVAL_GUARD_COUNT", lambda name: environment.whole(name, 10, least=0))
# What phones are told besides the server.
SIP_TRANSPORT = environment.pattern("SIP_TRANSPORT", "tls|tcp|udp", "tls, tcp or udp")
SIP_SRTP = environment.if_given("SIP_SRTP", lambda name: environment.flag(name, False))
STUN_SERVER = environment.pattern("STUN_SERVER", r"[A-Za-z0-9.-]{1,253}", "a host name")
ZOIPER_QR_URL = environment.address(
    "ZOIPER_QR_URL", "https://oem.zoiper.com/qr.php", plain_http_allowed=environment.flag("AUDIAN_API_HTTP", False)
)

# --- Limits, in seconds unless named otherwise; settings so that tests can shrink them
API_DEADLINE = environment.number("API_DEADLINE", 13, least=1)
API_PAGE_SIZE = environment.whole("API_PAGE_SIZE", 50, least=1)
API_BUCKET_SIZE = environment.number("API_BUCKET_SIZE", 95, least=0)  # 95 % of Kazoo's 100 tokens (audian-api.md section 8)
API_TOKENS_PER_SECOND = environment.number("API_TOKENS_PER_SECOND", 9.5, least=0)
API_LOGIN_COST = 35
API_TOKEN_MARGIN = 60
LEASE_SECONDS = environment.number("LEASE_SECONDS", 15, least=1)
CHANGE_ATTEMPTS = 10
CHANGE_RETRY = 4  # then twice as long each time, up to RETRY_MOST
PAUSE_FIRST = 5  # likewise, for an account in trouble
RETRY_MOST = 5 * 60
CREATE_AGAIN_AFTER = API_DEADLINE  # until then a create without an answer may still be under way
DRAIN_SECONDS = 20
DRAIN_LINGER = 15  # a drain waits that long for what is due next; then the sweep finds it
DRAIN_WIDTH = 8
DRAIN_BULK_WIDTH = 6
LIGHT_DEADLINE = 3
LIGHT_SURVEY_DEADLINE = 10  # of all calls together that look at many phones
LIGHT_LIST_EVERY = 5
LIGHT_ONE_EVERY = 2
LIGHT_PAUSE = 30
LIGHT_WATCHED_FOR = 20
SEND_LINK_AGAIN_AFTER = 60  # until then another press is the same mail
RESET_AGAIN_AFTER = 2 * 60
HELPDESK_RESETS = 20  # how many new passwords one of staff may ask for within an hour
SETUP_LINK_SECONDS = 15 * 60
SETUP_SESSION_SECONDS = 30 * 60
PROOF_SECONDS = 15 * 60
CODE_SECONDS = 15 * 60
CODE_TRIES = 5
# How many at once, and after how many seconds one more. "here" is one address from one network, "known" a browser that
# has proven the address before. softphones/limits.py says why none of them locks anybody out.
SIGN_IN_LIMITS = {
    "mail_here": (5, 180),
    "mail_address": (10, 300),
    "mail_known": (5, 60),
    "mail_account": (300, 12),
    "tries_borrowed": (5, 900),
    "tries_address": (250, 345),
    "tries_known": (50, 1728),
    "password_here": (5, 60),
    "password_address": (20, 60),
    "password_known": (10, 30),
    "password_network": (100, 3),
    "factor_browser": (5, 300),
    "factor_person": (50, 1728),
    "factor_code": (1, 120),  # a code from an app opens once, and is good for 90 s
}
SELF_SERVICE_CREATES = 3  # how many softphones,
SELF_SERVICE_RESETS = 5  # new passwords, and
SELF_SERVICE_RENAMES = 20  # other names, a person may ask for within 24 hours
MESSAGE_ATTEMPTS = 10
MESSAGE_RETRY = 5
MESSAGE_CLAIM = 60
MESSAGE_STAY = 20
ZOIPER_QR_DEADLINE = 3
ZOIPER_QR_BYTES = 200_000
MIRROR_STALE_AFTER = 15 * 60
WORKER_SILENT_AFTER = environment.number("WORKER_SILENT_AFTER", 180, least=1)  # beat asks for a sweep every SWEEP_SECONDS
if _sweep * 3 > WORKER_SILENT_AFTER:  # beat is silent after a half, and may be a little late
    environment.problems.append(
        f"SWEEP_SECONDS must be at most a third of WORKER_SILENT_AFTER, not {_sweep:g} of {WORKER_SILENT_AFTER:g}."
    )

METRICS_TOKEN = environment.token("METRICS_TOKEN")
DEMO = environment.only_here("DEMO", value=environment.flag("DEMO", False), shows="every mail", public_host=_public_host)

LOGGING = logs.configuration(line=environment.log_line("LOG_FORMAT", debug=DEBUG), level=environment.level("LOG_LEVEL", "INFO"))

environment.stop_if_bad()
