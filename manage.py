#!/usr/bin/env python3
"""Django's command-line entry point."""

import json
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except SystemExit as stop:
        # Bad settings end the start before the command itself could answer.
        if isinstance(stop.code, str) and "--json" in sys.argv:
            sys.stdout.write(json.dumps({"status": "failed", "message": stop.code}) + "\n")
        raise


if __name__ == "__main__":
    main()
