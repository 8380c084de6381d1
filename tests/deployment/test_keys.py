"""deploy/keys.py: the secrets that the portal makes for itself are made once, kept apart, and can be saved."""

import json
import os
import stat
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet

from tests.deployment.compose import ROOT

pytestmark = pytest.mark.once


@pytest.fixture
def keys(tmp_path):
    """Runs `keys.py COMMAND` on a folder of its own, or on the one given."""

    def run(command, *, folder=tmp_path, given=""):
        env = {"PATH": os.environ["PATH"], "KEYS_DIR": str(folder)}
        line = [sys.executable, "deploy/keys.py", command]
        return subprocess.run(line, cwd=ROOT, env=env, input=given, capture_output=True, text=True, timeout=30)

    assert run("make").returncode == 0
    return run


def kept(folder) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text().strip() for path in folder.glob("*/*")}


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_they_are_made_once_and_fit_their_purpose(keys, tmp_path):
    made = kept(tmp_path)
    assert sorted(made) == ["database/password", "portal/field_encryption_keys", "portal/pgpass", "portal/secret_key"]
    Fernet(made["portal/field_encryption_keys"])
    assert len(made["portal/secret_key"]) >= 50
    assert made["portal/pgpass"] == f"*:*:*:*:{made['database/password']}"
    assert keys("make").stderr == ""
    assert kept(tmp_path) == made


def test_the_database_reads_its_password_alone(keys, tmp_path):
    assert mode(tmp_path / "portal") == 0o700
    assert {mode(path) for path in (tmp_path / "portal").iterdir()} == {0o600}
    assert (mode(tmp_path / "database"), mode(tmp_path / "database" / "password")) == (0o755, 0o644)


def test_what_was_encrypted_before_a_new_key_can_still_be_read_until_the_old_one_is_retired(keys, tmp_path):
    path = tmp_path / "portal" / "field_encryption_keys"
    old = path.read_text().strip()
    assert "There are 2 encryption keys now" in keys("add").stderr
    new, second = path.read_text().strip().split(",")
    assert second == old != new
    assert keys("retire").stderr.endswith("finds them: 1.\n")
    assert path.read_text().strip() == new
    assert mode(path) == 0o600


def test_a_key_that_was_retired_too_early_comes_back(keys, tmp_path):
    path, aside = (tmp_path / "portal" / name for name in ("field_encryption_keys", "retired_encryption_keys"))
    first = path.read_text().strip()
    for _ in range(2):
        keys("add")
        keys("retire")
    (second,) = [key for key in aside.read_text().strip().split(",") if key != first]
    assert mode(aside) == 0o600
    third = path.read_text().strip()
    assert "There are 3 encryption keys now" in keys("recall").stderr
    assert path.read_text().strip().split(",") == [third, second, first]
    assert "There are 3 encryption keys now" in keys("recall").stderr


def test_where_no_key_was_retired_there_is_none_to_recall(keys, tmp_path):
    before = kept(tmp_path)
    keys("retire")
    assert keys("recall").stderr == "No encryption key was ever retired.\n"
    assert kept(tmp_path) == before


def test_what_is_saved_restores_them_on_another_machine(keys, tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    saved = keys("save").stdout
    assert keys("restore", folder=elsewhere, given=saved).returncode == 0
    assert kept(elsewhere) == kept(tmp_path)
    assert mode(elsewhere / "portal") == 0o700
    # Again is no harm.
    assert keys("restore", folder=elsewhere, given=saved).returncode == 0


def test_other_keys_are_never_replaced(keys, tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    keys("make", folder=elsewhere)
    before = kept(elsewhere)
    answer = keys("restore", folder=elsewhere, given=keys("save").stdout)
    assert answer.returncode == 1
    assert answer.stderr.startswith("There are other keys already: portal/secret_key, ")
    assert kept(elsewhere) == before


@pytest.mark.parametrize("given", ["", "[]", "{}", '{"portal/secret_key": "x"}', "null"])
def test_half_a_copy_restores_nothing(keys, tmp_path_factory, given):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    answer = keys("restore", folder=elsewhere, given=given)
    assert (answer.returncode, answer.stderr) == (1, "This is not what `keys.py save` printed.\n")
    assert kept(elsewhere) == {}


def test_a_copy_with_an_empty_key_restores_nothing(keys, tmp_path_factory):
    saved = json.loads(keys("save").stdout) | {"portal/secret_key": ""}
    assert keys("restore", folder=tmp_path_factory.mktemp("elsewhere"), given=json.dumps(saved)).returncode == 1


def test_a_wrong_word_shows_what_there_is(keys):
    answer = keys("remove")
    assert answer.returncode == 1
    assert "keys.py save" in answer.stderr
