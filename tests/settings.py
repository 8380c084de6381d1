"""The portal's own settings, started from a fixed environment, so that a developer's .env can't change what tests see."""

import os

_SET = {
    "DEBUG": "false",
    "SECRET_KEY": "a secret key that only the tests use, long enough for every check",
    "FIELD_ENCRYPTION_KEYS": "bm90LWEtc2VjcmV0LXRlc3RzLW9ubHktMzItYnl0ZXM=",
    "PUBLIC_URL": "http://testserver.localhost",
    "PUBLIC_URL_HTTP": "true",
    "ALLOWED_HOSTS": "testserver.localhost,testserver,localhost,127.0.0.1",
}
for _name in ("AUDIAN_ACCOUNT_ID", "AUDIAN_API_KEY", "AUDIAN_AUTH_TOKEN", "AUDIAN_API_URL", "EMAIL_URL", "DEMO"):
    os.environ.pop(_name, None)
os.environ.update(_SET)

from portal.settings import *  # noqa: E402, F403

EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
