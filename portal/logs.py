"""Keeps one-time addresses out of every log line, whoever writes it (Django, gunicorn's access log, urllib3)."""

import logging
import re

_ONE_TIME = re.compile(r"(/s/|/zoiper\?id=|[?&]t=)[^\s\"'&/]+")


def without_tokens(text: str) -> str:
    return _ONE_TIME.sub(r"\1…", text)


class SecretsFilter(logging.Filter):
    """Renders the record and takes set-up tokens out of its text. Other secrets are never handed to a logger at all."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        cleaned = without_tokens(message)
        if cleaned != message:
            record.msg, record.args = cleaned, None
        return True
