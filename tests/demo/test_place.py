"""The demo's folder: its keys, its environment, and who may use it."""

import socket
import stat
from pathlib import Path

import pytest

from softphones.demo.place import CannotStart, Place, check_port

KEYS = ("SECRET_KEY_FILE", "FIELD_ENCRYPTION_KEYS_FILE")
SANDBOX = {"account_id": "a" * 32, "api_key": "k" * 64, "zoiper_provider_id": "b" * 32}


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "demo")
    with place.held():
        yield place


def environment(place: Place) -> dict[str, str]:
    return place.environment(url="http://127.0.0.1:8000", sandbox_url="http://127.0.0.1:9000", sandbox=SANDBOX)


def test_keys_are_made_once_and_only_their_owner_reads_them(place):
    first, second = ([Path(environment(place)[name]) for name in KEYS] for _ in range(2))
    kept = [path.read_text() for path in first]
    assert all(kept)
    assert [path.read_text() for path in second] == kept
    assert {stat.S_IMODE(path.stat().st_mode) for path in first} == {0o600}


def test_a_real_portal_configured_in_the_shell_is_left_alone(place, monkeypatch):
    for name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "AUDIAN_AUTH_TOKEN", "SECRET_KEY"):
        monkeypatch.setenv(name, "what the real portal uses")
    assert "what the real portal uses" not in environment(place).values()


def test_a_second_demo_in_the_same_folder_is_told_where_the_first_one_is(place):
    place.tell(url="http://127.0.0.1:8000", sandbox="http://127.0.0.1:9000")
    sentence = r"The demo is already running here, at http://127\.0\.0\.1:8000\. Stop it with Ctrl-C first\."
    with pytest.raises(CannotStart, match=sentence), Place(place.folder).held():
        pass


def test_a_folder_is_free_again_after_its_demo(tmp_path):
    for _ in range(2):
        with Place(tmp_path).held():
            Place(tmp_path).tell(url="http://127.0.0.1:8000", sandbox="http://127.0.0.1:9000")
        assert Place(tmp_path).running() == {}


def test_a_taken_port_is_a_sentence_that_offers_a_free_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"Port {port} is taken by another program\. Choose another: make demo PORT=\d+"):
            check_port(port)
    check_port(port)


@pytest.mark.parametrize("port", [0, -1, 99999])
def test_a_port_that_does_not_exist_is_a_sentence(port):
    with pytest.raises(CannotStart, match=f"There is no port {port}"):
        check_port(port)
