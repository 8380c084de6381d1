"""How gunicorn serves the portal: `gunicorn -c python:portal.gunicorn portal.wsgi`.

Its log lines pass the same filter as Django's, since a request's path may be a one-time address.
"""

import gc
from pathlib import Path

from portal.environment import Environment
from portal.logs import CLIENT, configuration

worker_class = "gthread"
threads = 8
timeout = 30
keepalive = 0  # each request goes to the process that is free: kept connections would leave many to one, and others idle
forwarded_allow_ips = ""  # what proxies say is weighed in one place alone: TRUSTED_PROXIES
control_socket_disable = True  # it would stand in the home directory, shared by all portals of this user
graceful_timeout = 10
accesslog = "-"
access_log_format = f'%({{{CLIENT}}}e)s "%(m)s %(U)s" %(s)s %(b)s bytes %(M)s ms'
_environment = Environment(Path(__file__).resolve().parent.parent)
logconfig_dict = configuration(
    line=_environment.log_line("LOG_FORMAT", debug=_environment.flag("DEBUG", True)),
    level="INFO",
    own=("gunicorn.error", "gunicorn.access"),
)


def post_worker_init(worker) -> None:
    """What was imported stays anyway, so it is not looked through again and again for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
