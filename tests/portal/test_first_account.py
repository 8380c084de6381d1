"""The account that the environment names is there, and as the environment says, whichever process starts first."""

import os
import subprocess
import sys
import threading

import pytest
from cryptography.fernet import Fernet
from django.db import connections

from softphones.configuration import LOST_KEY, account_from_environment
from softphones.models import Account, ApiToken
from tests.portal.test_environment import GOOD, ROOT

SHOW = "from softphones.models import Account; print(*Account.objects.values_list('audian_id', 'helpdesk_phone'))"


@pytest.fixture
def python(tmp_path):
    """Runs a line of Python, or manage.py, in a portal with a database of its own."""

    def run(*arguments, **env):
        env = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)} | GOOD | env
        return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)

    return run


def test_a_web_process_starts_with_what_the_environment_says_now(python):
    assert python("manage.py", "migrate", AUDIAN_ACCOUNT_ID="a" * 32, HELPDESK_PHONE="100").returncode == 0
    shown = python("-c", f"import portal.wsgi; {SHOW}", AUDIAN_ACCOUNT_ID="a" * 32, HELPDESK_PHONE="200")
    assert shown.stdout.strip() == str(("a" * 32, "200"))


def test_what_the_company_allows_comes_from_the_environment(python):
    show = "from softphones.models import Account; print(*Account.objects.values_list('self_service', 'quota', 'transport'))"
    named = {"AUDIAN_ACCOUNT_ID": "a" * 32}
    allowed = {"SELF_SERVICE": "false", "SELF_SERVICE_QUOTA": "0", "SIP_TRANSPORT": "udp"}
    assert python("manage.py", "migrate", **named, **allowed).returncode == 0
    # What is no longer set leaves the row alone.
    shown = python("-c", f"import portal.wsgi; {show}", **named)
    assert shown.stdout.strip() == str((False, 0, "udp"))


def test_a_web_process_starts_before_the_database_is_ready(python):
    started = python("-c", "import portal.wsgi", AUDIAN_ACCOUNT_ID="a" * 32)
    assert started.returncode == 0
    assert "The database can't be used yet" in started.stderr
    assert "Traceback" not in started.stderr


def test_a_web_process_without_the_key_of_the_stored_secrets_does_not_start(python):
    named = {"AUDIAN_ACCOUNT_ID": "a" * 32, "AUDIAN_API_KEY": "k" * 64}
    assert python("manage.py", "migrate", **named).returncode == 0
    started = python("-c", "import portal.wsgi", **named, FIELD_ENCRYPTION_KEYS=Fernet.generate_key().decode())
    told = python("manage.py", "sync_softphones", **named, FIELD_ENCRYPTION_KEYS=Fernet.generate_key().decode())
    assert told.stderr.startswith("FIELD_ENCRYPTION_KEYS lacks the key")
    assert started.returncode == told.returncode == 1
    assert "- FIELD_ENCRYPTION_KEYS lacks the key" in started.stderr
    assert "Traceback" not in started.stderr


def test_migrate_without_that_key_ends_with_the_same_sentence(python):
    named = {"AUDIAN_ACCOUNT_ID": "a" * 32, "AUDIAN_API_KEY": "k" * 64}
    assert python("manage.py", "migrate", **named).returncode == 0
    migrated = python("manage.py", "migrate", **named, FIELD_ENCRYPTION_KEYS=Fernet.generate_key().decode())
    assert (migrated.returncode, migrated.stderr) == (1, f"CommandError: {LOST_KEY}\n")


@pytest.mark.django_db
@pytest.mark.parametrize("changed", ["AUDIAN_API_KEY", "AUDIAN_API_URL"])
def test_the_token_of_a_former_key_or_server_is_forgotten(settings, changed):
    settings.AUDIAN_ACCOUNT_ID, settings.AUDIAN_API_KEY = "a" * 32, "k" * 64
    account = account_from_environment()
    ApiToken.objects.create(account=account, token="of the first key")
    account_from_environment()
    assert ApiToken.objects.filter(account=account).exists()
    setattr(settings, changed, "https://another.example/v2")
    account_from_environment()
    assert not ApiToken.objects.filter(account=account).exists()


@pytest.mark.django_db(transaction=True)
def test_processes_that_start_at_once_make_one_account(settings):
    settings.AUDIAN_ACCOUNT_ID, together, made = "a" * 32, threading.Barrier(4), []

    def start():
        together.wait()
        made.append(account_from_environment())
        connections.close_all()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {account.pk for account in made} == {Account.objects.get().pk}
    assert len(made) == 4
