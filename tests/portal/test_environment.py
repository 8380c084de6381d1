"""A value that is bad stops the start, with a sentence for each and never a traceback or the value of a secret."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

BAD = {
    "TRUSTED_PROXIES": ("-1", "must be a whole number, 0 or more."),
    "PUBLIC_URL": ("https://[", "must be an address such as https://portal.example.com."),
    "DATABASE_URL": ("mysql://portal:pa55word@database.example/portal", "must be a database address such as postgres://"),
    "REDIS_URL": ("amqp://portal:pa55word@broker.example", "must be an address such as redis://host:6379/0, or rediss://"),
    "EMAIL_URL": ("post://portal:pa55word@mail.example", "must be a mail address such as smtp://"),
    "EMAIL_PER_MINUTE": ("-3", "must be a number, 0 or more."),
    "FIELD_ENCRYPTION_KEYS": (",", "holds no key."),
    "AUDIAN_API_URL": ("https://portal:pa55word@api.example/v2", "must be an address such as https://portal.example.com."),
    "AUDIAN_ACCOUNT_ID": ("../accounts", "must be the id of an account at Audian"),
    "ZOIPER_PROVIDER_ID": ("f00", "must be 32 hexadecimal digits."),
    "ZOIPER_QR_URL": ("https://oem.example:99999/qr.php", "must be an address such as https://portal.example.com."),
    "SIP_UDP_PORT": ("0", "must be a port number from 1 to 65535."),
    "API_PAGE_SIZE": ("2.5", "must be a whole number, 1 or more."),
    "API_BUCKET_SIZE": ("-1", "must be a number, 0 or more."),
    "API_DEADLINE": ("0", "must be a number, 1 or more."),
    "LEASE_SECONDS": ("nan", "must be a number, 1 or more."),
    "COMPANY_NAME": ("x" * 201, "must have at most 200 characters."),
    "HELPDESK_EMAIL": ("call us", "must be an e-mail address."),
    "LOG_LEVEL": ("loud", "must be one of CRITICAL, ERROR, WARNING, INFO, DEBUG."),
    "DEMO": ("perhaps", "must be true or false."),
}
GOOD = {
    "DEBUG": "false",
    "SECRET_KEY": "k3!vQ9zR2#mX8pL5wT7nB4cY6hJ1dF0gS_aZxCvBnMqWeRtYuIoP",
    "FIELD_ENCRYPTION_KEYS": "bm90LWEtc2VjcmV0LXRlc3RzLW9ubHktMzItYnl0ZXM=",
    "PUBLIC_URL": "https://phones.acme.example",
}


def start(*arguments: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", *(arguments or ("check",))],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | GOOD | env,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_each_bad_value_is_named_in_one_start(tmp_path):
    answer = start(VAR_DIR=str(tmp_path), **{name: value for name, (value, _sentence) in BAD.items()})
    assert answer.returncode == 1
    said = answer.stderr.splitlines()
    assert said[0] == "The portal can't start:"
    found = {name: [line for line in said if line.startswith((f"- {name} ", f"- {name}:"))] for name in BAD}
    assert {name: len(lines) for name, lines in found.items()} == dict.fromkeys(BAD, 1)
    for name, (_value, sentence) in BAD.items():
        assert sentence in found[name][0]
    assert len(said) == 1 + len(BAD)
    assert "pa55word" not in answer.stderr


@pytest.mark.parametrize(("sweep", "silent"), [("30", "60"), ("80", "")])
def test_workers_are_not_silent_between_two_sweeps(tmp_path, sweep, silent):
    answer = start(VAR_DIR=str(tmp_path), SWEEP_SECONDS=sweep, WORKER_SILENT_AFTER=silent)
    assert answer.returncode == 1
    [said] = answer.stderr.splitlines()[1:]
    assert said == f"- SWEEP_SECONDS must be at most a third of WORKER_SILENT_AFTER, not {sweep} of {silent or 180}."


@pytest.mark.parametrize(
    "address",
    ["https://phones.acme.example/portal", "https://me@phones.acme.example", "https://phones.acme.example?x=1", ""],
)
def test_the_public_address_is_an_origin_and_nothing_more(tmp_path, address):
    answer = start(VAR_DIR=str(tmp_path), PUBLIC_URL=address)
    assert answer.stderr.splitlines()[1:] == ["- PUBLIC_URL must be an address such as https://portal.example.com."]


@pytest.mark.parametrize(
    "address", ["https://phones.acme.example/", "https://Phones.acme.example", "HTTPS://phones.acme.example"]
)
def test_the_public_address_is_written_as_the_reverse_proxy_compares_it(tmp_path, address):
    answer = start(VAR_DIR=str(tmp_path), PUBLIC_URL=address)
    said = "- PUBLIC_URL must be https://phones.acme.example: in small letters, and without a slash at its end."
    assert answer.stderr.splitlines()[1:] == [said]


def test_debug_pages_are_for_this_machine_alone(tmp_path):
    bare = {"VAR_DIR": str(tmp_path), "DEBUG": "", "SECRET_KEY": "", "FIELD_ENCRYPTION_KEYS": ""}
    answer = start(**bare)
    assert answer.returncode == 1
    [said] = answer.stderr.splitlines()[1:]
    assert said.startswith("- DEBUG must be false: ")
    assert start(**bare | {"PUBLIC_URL": "http://localhost:8000"}).returncode == 0


@pytest.mark.parametrize(
    ("address", "broken"),
    [
        ("redis://broker.example/0?db=x", True),
        ("redis://broker.example/0?ssl_cert_reqs=none", True),
        ("redis://broker.example/first", True),
        ("rediss://broker.example/0?ssl_cert_reqs=never", True),
        ("rediss://broker.example/0?ssl_ca_cert=/etc/ssl/broker.pem", True),
        ("rediss://broker.example/0?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=/etc/ssl/broker.pem", False),
        ("rediss://:pa55word@broker.example:6380/?ssl_cert_reqs=none", False),
        ("redis://broker.example", False),
    ],
)
def test_a_brokers_address_that_no_wake_up_could_be_sent_to_is_refused(tmp_path, address, broken):
    answer = start(VAR_DIR=str(tmp_path), REDIS_URL=address)
    said = ["- REDIS_URL must be an address such as redis://host:6379/0, or rediss://host:6379/0?ssl_cert_reqs=required."]
    assert answer.stderr.splitlines()[1:] == (said if broken else [])


def test_what_anybody_could_guess_or_walk_into_is_refused(tmp_path):
    answer = start(
        VAR_DIR=str(tmp_path),
        SECRET_KEY="abcabcabcabc" * 5,
        FIELD_ENCRYPTION_KEYS=f"{GOOD['FIELD_ENCRYPTION_KEYS']},{'A' * 43}=",
        ALLOWED_HOSTS="phones.acme.example,*",
        DEMO="true",
        METRICS_TOKEN="aaaaaaaaaaaaaaaa",
    )
    assert answer.returncode == 1
    said = answer.stderr.splitlines()[1:]
    expected = (
        "- SECRET_KEY can be guessed. Make one of your own with: ",
        "- FIELD_ENCRYPTION_KEYS: key 2 can be guessed. Make one with: ",
        "- ALLOWED_HOSTS must name hosts, not *",
        "- METRICS_TOKEN can be guessed. Make one of your own with: ",
        "- DEMO must be false: ",
    )
    assert [line.startswith(words) for line, words in zip(said, expected, strict=True)] == [True] * 5
    assert "abcabc" not in answer.stderr
    assert "aaaaaa" not in answer.stderr


@pytest.mark.parametrize(
    "key",
    [
        "build",
        GOOD["SECRET_KEY"][:31],
        f"django-insecure-{GOOD['SECRET_KEY']}",
        "your-secret-key-goes-here-please!",
        "Replace_Me_With_A_Long_Random_String_1234",
    ],
)
def test_a_signing_key_is_long_and_not_one_that_was_published(tmp_path, key):
    answer = start(VAR_DIR=str(tmp_path), SECRET_KEY=key)
    assert [line.partition(" can be ")[0] for line in answer.stderr.splitlines()[1:]] == ["- SECRET_KEY"]


def test_other_names_are_added_to_that_of_the_public_address(tmp_path):
    show = "from django.conf import settings; print(*settings.ALLOWED_HOSTS)"
    answer = start("shell", "--no-imports", "-c", show, VAR_DIR=str(tmp_path), ALLOWED_HOSTS="web, 10.0.0.7")
    assert answer.stdout.split() == ["10.0.0.7", "phones.acme.example", "web"]


@pytest.mark.parametrize("debug", ["true", "false"])
def test_a_folder_that_cannot_be_there_is_a_sentence(tmp_path, debug):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "var"
    here = {"SECRET_KEY": "", "PUBLIC_URL": ""} if debug == "true" else {}
    answer = start(VAR_DIR=str(folder), DEBUG=debug, **here)
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[1:] == [f"- VAR_DIR must name a folder that the portal can write to, not {folder}."]


def test_a_log_level_may_be_written_in_small_letters(tmp_path):
    assert start(VAR_DIR=str(tmp_path), LOG_LEVEL="warning").returncode == 0


def test_a_command_that_cannot_start_answers_in_json_too(tmp_path):
    answer = start("sync_softphones", "--json", VAR_DIR=str(tmp_path), PUBLIC_URL="")
    assert answer.returncode == 1
    told = json.loads(answer.stdout)
    assert told["status"] == "failed"
    assert "PUBLIC_URL must be an address" in told["message"]
    assert "Traceback" not in answer.stderr


def test_in_development_two_that_start_at_once_agree_on_the_secrets(tmp_path):
    show = "from django.conf import settings; print(settings.SECRET_KEY, *settings.FIELD_ENCRYPTION_KEYS)"
    env = {"VAR_DIR": str(tmp_path), "DEBUG": "true", "PUBLIC_URL": "", "SECRET_KEY": "", "FIELD_ENCRYPTION_KEYS": ""}
    with ThreadPoolExecutor() as threads:
        answers = list(threads.map(lambda _: start("shell", "--no-imports", "-c", show, **env), range(3)))
    assert len({answer.stdout for answer in answers}) == 1
    assert len(answers[0].stdout.split()) == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["field_encryption_keys", "secret_key"]
