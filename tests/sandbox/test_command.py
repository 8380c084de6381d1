"""The sandbox as a process: one line, a state file, and a quiet end."""

import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
import requests

WITHOUT_DJANGO = [sys.executable, "-m", "softphones.audian.sandbox"]
WITH_DJANGO = [sys.executable, "manage.py", "audian_sandbox"]
LINE = re.compile(r"Audian sandbox: (http://127\.0\.0\.1:\d+)/v2 account ([0-9a-f]{32}) key (\w{64})\n")


@contextmanager
def running(*options, command=WITHOUT_DJANGO, stop=signal.SIGTERM):
    """A started sandbox: its root address, account id and key. It must end quietly with exit code 0."""
    process = subprocess.Popen([*command, "--port", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert LINE.fullmatch(line), line + process.stderr.read()
        yield LINE.fullmatch(line).groups()
    except BaseException:
        process.kill()
        process.communicate()
        raise
    process.send_signal(stop)
    rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, "", "")


def summary(root):
    return requests.get(f"{root}/sandbox", timeout=30).json()


@pytest.mark.parametrize(
    ("command", "stop"), [(WITHOUT_DJANGO, signal.SIGINT), (WITHOUT_DJANGO, signal.SIGTERM), (WITH_DJANGO, signal.SIGTERM)]
)
def test_it_prints_one_line_and_ends_quietly(command, stop):
    with running("--devices", "8", command=command, stop=stop) as (root, account, key):
        told = summary(root)
        assert (told["account_id"], told["api_key"]) == (account, key)
        assert requests.put(f"{root}/v2/api_auth", json={"data": {"api_key": key}}, timeout=30).status_code == 201


def test_the_switches_reach_the_server():
    switches = (
        "--dialect page --rate-limit off --fields off --if-match off --devices 5 --registered 0 --seed 3"
        " --token-seconds 0 --latency-ms 1 --zoiper-token-url https://phones.example/z?id="
    )
    with running(*switches.split()) as (root, account, _):
        told = summary(root)
        assert (told["dialect"], told["registrations"], told["users"]) == ("page", 0, 7)
        headers = {"X-Auth-Token": told["static_token"]}
        address = f"{root}/v2/accounts/{account}/devices"
        body = requests.get(address, params={"fields": '["name"]'}, headers=headers, timeout=30).json()
        assert set(body) == {"auth_token", "data", "status", "page_size", "start_key"}
        assert "sip" in body["data"][0]


@pytest.mark.parametrize("command", [WITHOUT_DJANGO, WITH_DJANGO])
def test_a_taken_port_is_a_sentence_and_exit_1(command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([*command, "--port", str(port)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"Port {port} is taken. Stop what uses it, or choose another with --port." in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--port", "70000"), "Port 70000 does not exist: choose 0 to 65535."),
        (("--devices", "-1"), "--devices and --latency-ms are 0 or more, --registered is 0 to 100."),
        (("--state", "/nonexistent/folder/file"), "The state file /nonexistent/folder/file cannot be used"),
    ],
)
def test_what_cannot_be_is_a_sentence_too(options, sentence):
    done = subprocess.run([*WITHOUT_DJANGO, *options], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


def test_a_state_file_keeps_everything_over_a_restart(tmp_path):
    options = ("--devices", "8", "--registered", "0", "--state", str(tmp_path / "sandbox.db"))
    with running(*options) as (root, account, key):
        address = f"{root}/v2/accounts/{account}/devices"
        token = requests.put(f"{root}/v2/api_auth", json={"data": {"api_key": key}}, timeout=30).json()["auth_token"]
        headers = {"X-Auth-Token": token}
        gone = requests.get(f"{address}?page_size=1", headers=headers, timeout=30).json()["data"][0]["id"]
        data = {"name": "Kept", "device_type": "softphone", "sip": {"username": "kept_1", "password": "secret-12"}}
        made = requests.put(address, json={"data": data}, headers=headers, timeout=30).json()
        requests.delete(f"{address}/{gone}", headers=headers, timeout=30)
        requests.post(f"{root}/sandbox/register", json={"username": "kept_1"}, timeout=30)
        before = summary(root)
    with running(*options, "--seed", "9") as (root, account_again, _):
        assert account_again == account
        address = f"{root}/v2/accounts/{account}/devices"
        kept = requests.get(f"{address}/{made['data']['id']}", headers=headers, timeout=30)
        assert kept.status_code == 200, "the token from before is still good"
        assert kept.json()["data"] == made["data"]
        assert kept.json()["revision"] == made["revision"]
        assert requests.get(f"{address}/{gone}", headers=headers, timeout=30).status_code == 404
        after = summary(root)
        assert (after["devices"], after["users"], after["registrations"]) == (before["devices"], before["users"], 1)


def test_tokens_that_were_expired_stay_so_over_a_restart(tmp_path):
    options = ("--devices", "0", "--state", str(tmp_path / "sandbox.db"))
    with running(*options) as (root, _, key):
        body = {"data": {"api_key": key}}
        headers = {"X-Auth-Token": requests.put(f"{root}/v2/api_auth", json=body, timeout=30).json()["auth_token"]}
        requests.post(f"{root}/sandbox/expire_tokens", timeout=30)
    with running(*options) as (root, _, _):
        assert requests.get(f"{root}/v2/token_auth", headers=headers, timeout=30).status_code == 401


def test_a_killed_sandbox_has_lost_nothing_it_answered(tmp_path):
    command = [*WITHOUT_DJANGO, "--port", "0", "--devices", "0", "--state", str(tmp_path / "sandbox.db")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    root, _, _ = LINE.fullmatch(process.stdout.readline()).groups()
    made = requests.post(f"{root}/sandbox/devices", json={"name": "Kept"}, timeout=30).json()["id"]
    process.kill()
    process.communicate()
    with running("--state", str(tmp_path / "sandbox.db")) as (root, _, _):
        assert requests.get(f"{root}/sandbox/devices/{made}", timeout=30).json() == {"id": made, "name": "Kept"}


def test_two_sandboxes_do_not_share_one_state_file(tmp_path):
    options = ("--devices", "1", "--state", str(tmp_path / "sandbox.db"))
    with running(*options):
        done = subprocess.run([*WITHOUT_DJANGO, "--port", "0", *options], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_sandbox_knows_no_django():
    code = "import sys, softphones.audian.sandbox.cli; sys.exit(any(name.split('.')[0] == 'django' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0


def test_it_listens_where_it_is_told_and_is_open_to_whoever_comes_there():
    command = [*WITHOUT_DJANGO, "--host", "127.0.0.2", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            root = re.match(r"Audian sandbox: (http://127\.0\.0\.2:\d+)/v2 ", process.stdout.readline())[1]
            assert summary(root)["devices"] > 0
        finally:
            process.terminate()
    assert process.returncode == 0


def test_a_host_that_is_not_this_machine_is_a_sentence():
    done = subprocess.run([*WITHOUT_DJANGO, "--host", "192.0.2.1"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == "The sandbox cannot listen on 192.0.2.1, port 8001: Cannot assign requested address.\n"
