"""Keeps one-time addresses out of every log line, whoever writes it (Django, gunicorn's access log, urllib3)."""

import logging
import re

_ONE_TIME = re.compile(r"(/s/|[?&](?:id|t)=)[^\s\"'&/]+")
_FORMATTER = logging.Formatter()


def without_tokens(text: str) -> str:
    return _ONE_TIME.sub(r"\1…", text)


class SecretsFilter(logging.Filter):
    """Renders the record and takes set-up tokens out of its text and traceback.

    Other secrets are never handed to a logger at all.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        cleaned = without_tokens(message)
        if cleaned != message:
            record.msg, record.args = cleaned, None
        if record.exc_info:
            # Formatters keep to a text that is there already.
            record.exc_text = without_tokens(record.exc_text or _FORMATTER.formatException(record.exc_info))
        return True
