"""The portal as an operator configures it: Django's deploy check has nothing to say, and the tables match the models."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).parent.parent.parent


def production(folder: Path, **changes: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DEBUG": "false",
        "SECRET_KEY": "k3!vQ9zR2#mX8pL5wT7nB4cY6hJ1dF0gS_aZxCvBnMqWeRtYuIoP",
        "FIELD_ENCRYPTION_KEYS": "bm90LWEtc2VjcmV0LXRlc3RzLW9ubHktMzItYnl0ZXM=",
        "PUBLIC_URL": "https://phones.acme.example",
        "DATABASE_URL": "postgres://portal:secret@database.acme.example/portal",
        "REDIS_URL": "redis://broker.acme.example:6379/0",
        "EMAIL_URL": "smtp://mail.acme.example:587/?tls=True",
        "TRUSTED_PROXIES": "1",
        "VAR_DIR": str(folder),
    } | changes


def manage(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )


def test_djangos_deploy_check_is_clean_in_production(tmp_path):
    answer = manage("check", "--deploy", "--fail-level", "WARNING", env=production(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""


def test_it_warns_of_a_portal_that_can_only_be_one_machine_and_mails_nobody(tmp_path):
    answer = manage(
        "check",
        "--deploy",
        env=production(tmp_path, REDIS_URL="") | {"DATABASE_URL": f"sqlite:///{tmp_path}/db", "EMAIL_URL": "file://"},
    )
    assert answer.returncode == 0
    for expected in ("Set DATABASE_URL.", "Set REDIS_URL.", "Set EMAIL_URL."):
        assert expected in answer.stderr


def test_it_warns_of_pages_that_would_send_the_browser_to_themselves_for_ever(tmp_path):
    answer = manage("check", "--deploy", env=production(tmp_path, TRUSTED_PROXIES="0"))
    assert "every page sends the browser to itself, for ever" in answer.stderr
    assert "Set TRUSTED_PROXIES=1." in answer.stderr
    here = production(tmp_path, TRUSTED_PROXIES="0", PUBLIC_URL="http://localhost")
    assert "TRUSTED_PROXIES" not in manage("check", "--deploy", env=here).stderr


def test_a_start_without_its_secrets_is_refused_with_a_sentence_for_each(tmp_path):
    env = production(tmp_path, SECRET_KEY="", FIELD_ENCRYPTION_KEYS="no key", PUBLIC_URL="phones.acme.example")
    answer = manage("check", env=env)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert "- SECRET_KEY is missing." in answer.stderr
    assert "- FIELD_ENCRYPTION_KEYS: key 1 is not a Fernet key." in answer.stderr
    assert "- PUBLIC_URL must be an address such as https://portal.example.com." in answer.stderr


def test_a_plain_public_address_on_the_network_is_refused(tmp_path):
    answer = manage("check", env=production(tmp_path, PUBLIC_URL="http://phones.acme.example"))
    assert answer.returncode == 1
    assert "- PUBLIC_URL must start with https:// (plain http is for this machine only)." in answer.stderr


def test_what_the_databases_address_says_wins_over_what_the_portal_asks_for(tmp_path):
    """PostgreSQL takes the last of two `-c` for the same setting; libpq's own stand beside it."""
    address = "postgres://portal@database.acme.example/portal?connect_timeout=9&options=-c%20lock_timeout%3D30s"
    show = "import json; from django.conf import settings; print(json.dumps(settings.DATABASES['default'], default=str))"
    answer = manage("shell", "--no-imports", "-c", show, env=production(tmp_path, DATABASE_URL=address))
    found = json.loads(answer.stdout)
    options = found["OPTIONS"]
    words = options.pop("options")
    assert words.index("lock_timeout=10s") < words.index("lock_timeout=30s")
    assert {"max_parallel_workers_per_gather=0", "jit=off"} <= set(words.split())
    assert int(options.pop("connect_timeout")) == 9
    # A server that is gone without a word is noticed within half a minute.
    assert options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"] <= 30
    assert options["tcp_user_timeout"] <= 30_000
    assert (found["CONN_MAX_AGE"], found["CONN_HEALTH_CHECKS"]) == (60, True)


def test_a_worker_takes_no_more_messages_than_it_works_on(tmp_path):
    show = "from portal.celery import app; print(app.conf.worker_prefetch_multiplier)"
    assert manage("shell", "--no-imports", "-c", show, env=production(tmp_path)).stdout.split() == ["1"]


def test_a_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "key").write_text("k3!vQ9zR2#mX8pL5wT7nB4cY6hJ1dF0gS_aZxCvBnMqWeRtYuIoP")
    env = production(tmp_path, SECRET_KEY_FILE=str(tmp_path / "key"))
    del env["SECRET_KEY"]
    assert manage("check", env=env).returncode == 0


@pytest.mark.django_db
def test_the_migrations_make_what_the_models_say(capsys):
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=1)
    assert "No changes detected" in capsys.readouterr().out
