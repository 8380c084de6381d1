"""Tests talk to this machine alone: any other address is a fault of the test, raised at once and not as an OSError."""

import ipaddress
import socket

_connect, _connect_ex, _getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


class LeftTheMachine(Exception):
    """A test tried to reach something other than loopback."""


def _check(host) -> None:
    name = host.decode() if isinstance(host, bytes) else host or ""
    if name in {"", "localhost", socket.gethostname()} or name.endswith(".localhost"):
        return
    try:
        inside = ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise LeftTheMachine(f"A test tried to reach {name}. Tests talk to loopback alone.")


def connect(self, address):
    if self.family in {socket.AF_INET, socket.AF_INET6}:
        _check(address[0])
    return _connect(self, address)


def connect_ex(self, address):
    if self.family in {socket.AF_INET, socket.AF_INET6}:
        _check(address[0])
    return _connect_ex(self, address)


def getaddrinfo(host, *args, **kwargs):
    if host is not None and not _is_address(host):
        _check(host)
    return _getaddrinfo(host, *args, **kwargs)


def _is_address(host) -> bool:
    """A literal address is only parsed by getaddrinfo, not looked up anywhere."""
    try:
        ipaddress.ip_address((host.decode() if isinstance(host, bytes) else host).partition("%")[0])
    except ValueError:
        return False
    return True


def pytest_configure(config) -> None:
    socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo = connect, connect_ex, getaddrinfo
