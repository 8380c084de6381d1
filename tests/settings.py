"""The portal's own settings, started from a fixed environment, so that a developer's own can't change what tests see.

DATABASE_URL and REDIS_URL choose the servers (tests/pairs.py). Each test process has a folder and a broker of its own.
"""

import atexit
import os
import shutil
import tempfile
from urllib.parse import urlsplit

from tests.variables import variables

_process = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
_var_dir = tempfile.mkdtemp(prefix="softphone-portal-tests-")
atexit.register(shutil.rmtree, _var_dir, ignore_errors=True)

_set = {
    "DEBUG": "false",
    "SECRET_KEY": "a key that only the tests use, long enough for every check",
    "FIELD_ENCRYPTION_KEYS": "bm90LWEtc2VjcmV0LXRlc3RzLW9ubHktMzItYnl0ZXM=",
    "PUBLIC_URL": "http://testserver.localhost",
    "PUBLIC_URL_HTTP": "true",
    "ALLOWED_HOSTS": "testserver.localhost,testserver,localhost,127.0.0.1",
    "VAR_DIR": _var_dir,
}
if os.environ.get("DATABASE_URL"):
    _set["DATABASE_URL"] = os.environ["DATABASE_URL"]
if os.environ.get("REDIS_URL"):
    _set["REDIS_URL"] = urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{_process}").geturl()
for _name in variables():
    os.environ.pop(_name, None)
    os.environ.pop(f"{_name}_FILE", None)
os.environ.update(_set)

from portal.settings import *  # noqa: E402, F403
from portal.settings import DATABASES, VAR_DIR  # noqa: E402

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in production: several threads of a live server can't share SQLite's memory without "table is locked".
    DATABASES["default"]["TEST"] = {"NAME": VAR_DIR / "test.sqlite3"}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True

# A browser's event loop runs in the thread of the tests, so tests/e2e/conftest.py sets the variable that this one is about.
SILENCED_SYSTEM_CHECKS = ["async.E001"]
