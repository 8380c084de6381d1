"""The sandbox from the command line; `manage.py audian_sandbox` and `python -m softphones.audian.sandbox` share it."""

import argparse
import errno
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, TextIO

from .app import Sandbox
from .dialects import DIALECTS
from .server import LOOPBACK, serve
from .store import StateFileError

DEFAULT_PORT = 8001
TURNS = {"on": True, "off": False}


class CannotStart(Exception):
    """The sandbox cannot start; the message is a sentence for the person who started it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every switch, on a parser of the standard library or of Django."""
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on, for anybody who can reach it (127.0.0.1)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port; 0 takes a free one (8001)")
    parser.add_argument("--devices", type=int, default=50, help="how many softphones to seed (50)")
    parser.add_argument("--registered", type=int, default=40, help="percent of ordinary softphones connected (40)")
    parser.add_argument("--seed", type=int, default=1, help="another number, other people (1)")
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="kazoo", help="how it answers (kazoo)")
    parser.add_argument("--latency-ms", type=float, default=0, help="milliseconds before every answer (0)")
    parser.add_argument("--rate-limit", choices=TURNS, default="on", help="the documented token buckets (on)")
    parser.add_argument("--fields", choices=TURNS, default="on", help="obey ?fields=; off is Kazoo 4.3 (on)")
    parser.add_argument("--if-match", choices=TURNS, default="on", help="obey If-Match (on)")
    parser.add_argument("--token-seconds", type=float, default=3600, help="life of the tokens it hands out (3600)")
    parser.add_argument("--state", metavar="FILE", help="keep everything in this file over a restart")
    parser.add_argument(
        "--zoiper-token-url",
        default="http://127.0.0.1:8000/zoiper?id=",
        help="the Token URL that Zoiper's service was told (http://127.0.0.1:8000/zoiper?id=)",
    )


def run(options: dict[str, Any], out: TextIO) -> None:
    """Serve until Ctrl-C or SIGTERM; one line on `out` says where, and with which account and key.

    Raises CannotStart with a sentence.
    """
    sandbox = _sandbox(options)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with serve(sandbox, options["port"], options["host"]) as url:
            out.write(f"Audian sandbox: {url} account {sandbox.account_id} key {sandbox.api_key}\n")
            out.flush()
            while not stopped.wait(3600):
                pass
    except (OSError, OverflowError) as error:
        raise CannotStart(_reason(error, options["port"], options["host"])) from error
    finally:
        sandbox.close()


def _sandbox(options: dict[str, Any]) -> Sandbox:
    if options["devices"] < 0 or not 0 <= options["registered"] <= 100 or options["latency_ms"] < 0:
        raise CannotStart("--devices and --latency-ms are 0 or more, --registered is 0 to 100.")
    try:
        return Sandbox(
            devices=options["devices"],
            registered=options["registered"] / 100,
            seed=options["seed"],
            dialect=options["dialect"],
            latency=options["latency_ms"] / 1000,
            rate_limit=TURNS[options["rate_limit"]],
            honours_fields=TURNS[options["fields"]],
            honours_if_match=TURNS[options["if_match"]],
            token_seconds=options["token_seconds"],
            state_file=options["state"],
            zoiper_token_url=options["zoiper_token_url"],
            open_controls=options["host"] != LOOPBACK,
        )
    except StateFileError as error:
        raise CannotStart(str(error)) from error


def _reason(error: Exception, port: int, host: str) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken. Stop what uses it, or choose another with --port."
    if isinstance(error, OverflowError):
        return f"Port {port} does not exist: choose 0 to 65535."
    return f"The sandbox cannot listen on {host}, port {port}: {error.strerror if isinstance(error, OSError) else error}."


def main() -> int:
    """`python -m softphones.audian.sandbox`: answers the exit code."""
    parser = argparse.ArgumentParser(prog="python -m softphones.audian.sandbox", description=__doc__.splitlines()[0])
    add_arguments(parser)
    try:
        with suppress(KeyboardInterrupt):
            run(vars(parser.parse_args()), sys.stdout)
    except CannotStart as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    return 0
