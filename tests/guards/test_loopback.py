"""The guard around all tests works: nothing in them reaches another machine."""

import socket

import pytest
import requests

from tests.loopback import LeftTheMachine

DOCUMENTATION_ADDRESS = "192.0.2.1"  # RFC 5737: nobody has it


def test_another_machine_is_out_of_reach():
    with socket.socket() as asked, pytest.raises(LeftTheMachine):
        asked.connect((DOCUMENTATION_ADDRESS, 443))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked, pytest.raises(LeftTheMachine):
        asked.connect_ex((DOCUMENTATION_ADDRESS, 53))


def test_no_name_is_looked_up():
    with pytest.raises(LeftTheMachine):
        requests.get("https://api.audian.com:8443/v2", timeout=1)


def test_this_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        socket.create_connection(("localhost", listening.getsockname()[1])).close()
