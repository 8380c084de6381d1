"""Gets the demo's database ready: `python -m softphones.demo.prepare FOLDER`, in the demo's own environment.

Migrates, collects the static files, mirrors the account once and makes the people. Doing it again changes nothing.
"""

import sys
from pathlib import Path

import django
from django.core.management import CommandError, call_command


def main(folder: str) -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    # Models can be imported only now.
    from softphones.demo.people import move_in
    from softphones.demo.place import Place

    try:
        move_in(Place(Path(folder)))
    except CommandError as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main(sys.argv[1])
