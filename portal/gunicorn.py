"""How gunicorn serves the portal: `gunicorn -c python:portal.gunicorn portal.wsgi`.

Its log lines pass the same filter as Django's, since a request's path may be a one-time address.
"""

worker_class = "gthread"
threads = 8
timeout = 30
control_socket_disable = True  # it would stand in the home directory, shared by all portals of this user
graceful_timeout = 10
accesslog = "-"
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(b)s bytes %(M)s ms'
_quiet = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"secrets": {"()": "portal.logs.SecretsFilter"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["secrets"]}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"gunicorn.error": _quiet, "gunicorn.access": _quiet},
}
