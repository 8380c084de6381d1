"""What `manage.py check --deploy` says of a portal that runs, but not the way one in production should."""

from django.conf import settings
from django.core.checks import Warning

ONE_MACHINE = "Fine on one machine; every process of the portal has to run there."


def servers(**kwargs) -> list[Warning]:
    """Warnings for what the portal does without: a database server, a broker, a mail server, a proxy that ends TLS."""
    found = []
    if settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
        found.append(Warning(f"The database is a file in VAR_DIR. {ONE_MACHINE}", hint="Set DATABASE_URL.", id="portal.W001"))
    if not settings.REDIS_URL:
        found.append(Warning(f"The broker is a folder in VAR_DIR. {ONE_MACHINE}", hint="Set REDIS_URL.", id="portal.W002"))
    if settings.EMAIL_BACKEND == "django.core.mail.backends.filebased.EmailBackend":
        text = "Mails are kept in VAR_DIR and reach nobody: no sign-in code arrives."
        found.append(Warning(text, hint="Set EMAIL_URL.", id="portal.W003"))
    if settings.PUBLIC_URL.startswith("https://") and not settings.TRUSTED_PROXIES:
        text = (
            "PUBLIC_URL starts with https://, but no proxy is believed that a visitor came by TLS: "
            "every page sends the browser to itself, for ever."
        )
        found.append(Warning(text, hint="Set TRUSTED_PROXIES=1.", id="portal.W004"))
    return found
