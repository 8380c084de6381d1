"""What the portal runs with is what `requirements.lock` installs: packages that only tests have must not be needed."""

import os
import pkgutil
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

IMPORT_ALL = """
import sys
sys.modules |= dict.fromkeys({hidden!r})  # an import of what is None fails as if it were not there
import django
django.setup()
import importlib
for name in {modules!r}:
    importlib.import_module(name)
# What is only looked for when it is needed.
for name in ("psycopg", "gunicorn.app.wsgiapp", "gunicorn.workers.gthread", "argon2", "tzdata"):
    importlib.import_module(name)
from celery import current_app
from kombu.transport import get_transport_cls
for broker in ("redis", "filesystem"):
    get_transport_cls(broker)
from django.core.management import call_command
call_command("check")
"""


def locked(name: str) -> set[str]:
    return {each.casefold() for each in re.findall(r"(?m)^([\w.-]+)==", (ROOT / name).read_text())}


def only_for_tests() -> list[str]:
    """Modules that come with nothing but what `requirements-dev.lock` adds."""
    extra = locked("requirements-dev.lock") - locked("requirements.lock")
    found = packages_distributions().items()
    return sorted(name for name, packages in found if {each.casefold().replace("_", "-") for each in packages} <= extra)


def of_the_portal() -> list[str]:
    rooms = pkgutil.walk_packages([str(ROOT)])
    packages = [each.name for each in rooms if each.name in ("portal", "softphones")]
    inner = (pkgutil.walk_packages([str(ROOT / name)], f"{name}.") for name in packages)
    return packages + [each.name for one in inner for each in one if not each.name.endswith("__main__")]


def test_the_portal_starts_with_what_it_is_installed_with(tmp_path):
    hidden, modules = only_for_tests(), of_the_portal()
    assert "playwright" in hidden
    assert "softphones.changes.drains" in modules
    environment = {"DJANGO_SETTINGS_MODULE": "portal.settings", "DEBUG": "true", "PATH": "", "VAR_DIR": str(tmp_path)}
    environment |= {"DATABASE_URL": "postgres://portal@127.0.0.1:9/portal"}
    command = [sys.executable, "-c", IMPORT_ALL.format(hidden=hidden, modules=modules)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("word", "name"), [("setup", "requirements.lock"), ("test", "requirements-dev.lock")])
def test_a_newer_lock_is_installed_whatever_its_date_and_only_once(tmp_path, word, name):
    """rsync and tar keep dates, so what is newer may have the older one."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for each in ("requirements.lock", "requirements-dev.lock"):
        (tmp_path / each).write_text("django==5.2.1\n")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")  # installs whatever it is asked for, at once
    python.chmod(0o755)

    def says() -> str:
        env = {"PATH": os.environ["PATH"]}
        return subprocess.run(["make", word], cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout

    assert f"Installing {name}" in says()
    assert "Installing" not in says()
    (tmp_path / name).write_text("django==5.2.2\n")
    os.utime(tmp_path / name, (0, 0))
    assert f"Installing {name}" in says()
    assert "Installing" not in says()
