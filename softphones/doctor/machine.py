"""The portal's own side: settings, database, keys, clock, broker, workers, mail."""

import smtplib
from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.core import checks
from django.core.mail import get_connection
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min

from softphones import clock, key_rotation, vitals
from softphones.doctor.findings import Finding, State, age
from softphones.models import Message

SMTP = "django.core.mail.backends.smtp.EmailBackend"
CLOCK_SECONDS = 5
MAIL_WAITS = 300
_GONE = (DatabaseError, InterfaceError)


def look_at_machine(*, now: datetime) -> Iterator[Finding]:
    """Whether everything is there that the portal needs besides Audian."""
    yield from _settings()
    yield _database()
    looks = {"keys": _keys, "clock": _clock, "worker": _worker, "beat": _beat, "mail queue": _mail_queue}
    for check, look in looks.items():
        try:
            yield look(now)
        except _GONE as error:
            said = f"The database does not tell ({type(error).__name__})."
            yield Finding(check, State.UNKNOWN, said, "Mend what the database's line says first.")
    yield _broker()
    yield _mail()


def _settings() -> Iterator[Finding]:
    if settings.DEBUG:
        yield Finding("settings", State.WARNING, "DEBUG is on: right in development only.", "Set DEBUG=false in production.")
        return
    found = [each for each in checks.run_checks(include_deployment_checks=True) if not each.is_silenced()]
    for each in found:
        state = State.FAILURE if each.level >= checks.ERROR else State.WARNING
        hint = str(each.hint or f"See {each.id} in Django's list of checks.")
        yield Finding("settings", state, " ".join(str(each.msg).split()), " ".join(hint.split()))
    if not found:
        yield Finding("settings", State.OK, "All values are set, and Django's deploy check has nothing to say.")


def _database() -> Finding:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
            version = cursor.fetchone()[0]
            waits_for_ever = connection.vendor == "postgresql" and _shown(cursor, "lock_timeout") == "0"
        missing = _unapplied()
    except _GONE as error:
        said = f"The database can't be used ({type(error).__name__})."
        return Finding("database", State.FAILURE, said, "Start it, or correct DATABASE_URL.")
    named = f"{connection.display_name} {version.split()[0]}"
    if missing:
        said = f"{named} lacks {missing} of the migrations."
        return Finding("database", State.FAILURE, said, "Run manage.py migrate.")
    if waits_for_ever:
        said = f"{named} lets a page wait for ever for what another one has locked: what the portal asks for was dropped."
        do = "PgBouncer drops it: ALTER ROLE … SET lock_timeout = '10s', as docs/settings.md says of DATABASE_URL."
        return Finding("database", State.WARNING, said, do)
    return Finding("database", State.OK, f"{named}, with every migration.")


def _shown(cursor, name: str) -> str:
    cursor.execute(f"SHOW {name}")
    return cursor.fetchone()[0]


def _unapplied() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _keys(now: datetime) -> Finding:
    found = key_rotation.look()
    if found.lost:
        said = f"No key opens {len(found.lost)} of the stored secrets, such as {found.lost[0]}."
        return Finding("keys", State.FAILURE, said, "Put the lost key back into FIELD_ENCRYPTION_KEYS, behind the first.")
    if found.older:
        said = f"{found.older} stored secrets are encrypted with an older key."
        return Finding("keys", State.WARNING, said, "Run manage.py rotate_keys before you take that key out.")
    return Finding("keys", State.OK, f"The first key opens all {found.current} stored secrets.")


def _clock(now: datetime) -> Finding:
    apart = (now - clock.now()).total_seconds()
    if abs(apart) > CLOCK_SECONDS:
        said = f"This machine's clock and the database's are {abs(apart):.0f} s apart."
        return Finding("clock", State.FAILURE, said, "Let both keep their time by NTP: due times and codes depend on it.")
    return Finding("clock", State.OK, "This machine and the database agree on the time.")


def _worker(now: datetime) -> Finding:
    swept = vitals.sweep_age()
    if vitals.is_swept(swept):
        return Finding("worker", State.OK, f"A worker finished a sweep {age(swept)} ago.")
    said = "No worker ever finished a sweep." if swept is None else f"No worker finished a sweep {_since(swept)}."
    return Finding("worker", State.FAILURE, said, "Start the worker and beat; if they run, their logs say what keeps them.")


def _beat(now: datetime) -> Finding:
    sent = vitals.beat_age()
    if vitals.is_beating(sent):
        return Finding("beat", State.OK, f"Beat asked for something {age(sent)} ago.")
    said = "Beat never sent anything" if sent is None else f"Beat has sent nothing {_since(sent)}"
    said += f": workers look by themselves for what is due, every {settings.WORKER_SILENT_AFTER / 2:.0f} s."
    return Finding("beat", State.WARNING, said, "Start beat, or restart it.")


def _since(seconds: float) -> str:
    return f"for {age(seconds)}" if seconds >= 0 else "since the database's clock was set back"


def _mail_queue(now: datetime) -> Finding:
    waiting = Message.objects.filter(state=Message.State.QUEUED).aggregate(number=Count("pk"), oldest=Min("created_at"))
    if not waiting["number"]:
        return Finding("mail queue", State.OK, "No mail waits.")
    waits = (now - waiting["oldest"]).total_seconds()
    said = f"{waiting['number']} mails wait, the oldest for {age(waits)}."
    if waits > MAIL_WAITS:
        return Finding("mail queue", State.WARNING, said, "See the mail server's line below, and EMAIL_PER_MINUTE.")
    return Finding("mail queue", State.OK, said)


def _broker() -> Finding:
    named = "Redis" if settings.REDIS_URL else "The file broker in VAR_DIR"
    if vitals.broker_answers():
        return Finding("broker", State.OK, f"{named} answers.")
    do = "Start it, or correct REDIS_URL." if settings.REDIS_URL else "Let the portal write to VAR_DIR."
    return Finding("broker", State.FAILURE, f"{named} does not answer: workers hear of nothing before the next sweep.", do)


def _mail() -> Finding:
    if settings.EMAIL_BACKEND != SMTP:
        said = "There is no mail server: mails are kept, and reach nobody."
        return Finding("mail", State.WARNING, said, "Set EMAIL_URL.")
    server = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    mails = get_connection()
    try:
        mails.open()
    except smtplib.SMTPAuthenticationError as error:
        said = f"{server} refuses the user name or password (code {error.smtp_code})."
        return Finding("mail", State.FAILURE, said, "Correct them in EMAIL_URL.")
    except (smtplib.SMTPException, OSError) as error:
        said = f"{server} does not take mails ({type(error).__name__})."
        do = "Correct EMAIL_URL, or let this machine reach the mail server."
        return Finding("mail", State.FAILURE, said, do)
    finally:
        mails.close()
    return Finding("mail", State.OK, f"{server} takes mails. manage.py sendtestemail ADDRESS sends one.")
