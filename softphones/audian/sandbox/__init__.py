"""A faithful stand-in for the Audian API: for the demo, for development and for tests.

`Sandbox` is a WSGI app and the view a test has of it; `serve` puts it on a loopback port. Nothing here knows Django.
"""

from .app import Call, Sandbox
from .faults import Fault
from .server import serve

__all__ = ["Call", "Fault", "Sandbox", "serve"]
