"""What an orchestrator hands over for a variable that nobody has set is the same as nothing."""

import os
import subprocess
import sys
from ast import literal_eval

from tests.deployment.compose import ROOT

SHOWN = ["EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_PER_MINUTE", "SELF_SERVICE", "REDIS_URL", "AUDIAN_API_KEY", "SIP_UDP_PORT"]
REQUIRED = {
    "DEBUG": "false",
    "SECRET_KEY": "k3!vQ9zR2#mX8pL5wT7nB4cY6hJ1dF0gS_aZxCvBnMqWeRtYuIoP",
    "FIELD_ENCRYPTION_KEYS": "bm90LWEtc2VjcmV0LXRlc3RzLW9ubHktMzItYnl0ZXM=",
    "PUBLIC_URL": "https://phones.acme.example",
}


def shown(folder, **env: str) -> dict:
    """These settings, as the portal reads them from this environment."""
    show = f"from portal import settings; print({{name: getattr(settings, name) for name in {SHOWN}}})"
    given = {"PATH": os.environ["PATH"], "VAR_DIR": str(folder)} | REQUIRED | env
    done = subprocess.run([sys.executable, "-c", show], cwd=ROOT, env=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return literal_eval(done.stdout)


def test_an_empty_value_and_an_empty_file_are_the_same_as_none(tmp_path):
    (tmp_path / "empty").write_text("\n")
    empty = {"EMAIL_URL_FILE": str(tmp_path / "empty"), "AUDIAN_API_KEY_FILE": str(tmp_path / "empty")}
    empty |= dict.fromkeys(["EMAIL_PER_MINUTE", "SELF_SERVICE", "REDIS_URL", "SIP_UDP_PORT", "AUDIAN_API_HTTP"], " ")
    assert shown(tmp_path, **empty) == shown(tmp_path)


def test_the_line_break_at_the_end_of_a_secrets_file_does_not_count(tmp_path):
    files = {"EMAIL_URL": "smtp://mail.example:587", "REDIS_URL": "redis://broker:6379/0", "SIP_UDP_PORT": "5070"}
    for name, value in files.items():
        (tmp_path / name).write_text(f"{value}\n")
    found = shown(tmp_path, **{f"{name}_FILE": str(tmp_path / name) for name in files})
    assert (found["EMAIL_HOST"], found["REDIS_URL"], found["SIP_UDP_PORT"]) == ("mail.example", "redis://broker:6379/0", 5070)


def test_an_empty_file_leaves_the_word_to_the_plain_name_and_a_full_one_wins(tmp_path):
    file = tmp_path / "key"
    named = {"AUDIAN_API_KEY_FILE": str(file), "AUDIAN_API_KEY": "plain"}
    for written, read in (("\n", "plain"), ("filed\n", "filed")):
        file.write_text(written)
        assert shown(tmp_path, **named)["AUDIAN_API_KEY"] == read
