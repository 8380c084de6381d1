"""Keeps one-time addresses out of every log line, whoever writes it (Django, gunicorn's access log, urllib3)."""

import logging
import re

# Also as a path mistyped in capitals, and quoted inside of another address.
_ONE_TIME = re.compile(r"(/s/|(?:[?&]|%3f|%26)(?:id|t)(?:=|%3d))[^\s\"'&/]+", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_FORMATTER = logging.Formatter()


def without_tokens(text: str) -> str:
    return _ONE_TIME.sub(r"\1…", text)


class SecretsFilter(logging.Filter):
    """Renders the record and takes set-up tokens out of its text and traceback.

    Other secrets are never handed to a logger at all. A message stays on one line, so that no path forges another.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        cleaned = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], without_tokens(message))
        if cleaned != message:
            record.msg, record.args = cleaned, None
        if record.exc_info:
            # Formatters keep to a text that is there already.
            record.exc_text = without_tokens(record.exc_text or _FORMATTER.formatException(record.exc_info))
        return True
