"""Waiting until what the demo starts is there."""

import socket

from softphones.demo.stage import answers


def test_a_server_that_takes_a_call_and_lets_it_wait_is_not_there_yet():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        assert not answers(f"http://127.0.0.1:{busy.getsockname()[1]}/readyz", seconds=0.1)


def test_nor_is_one_that_takes_none():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        assert not answers(f"http://127.0.0.1:{deaf.getsockname()[1]}/readyz")
