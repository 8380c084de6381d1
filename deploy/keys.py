"""The secrets that the portal makes for itself, in the folder that KEYS_DIR names.

    keys.py make      makes what is missing; never changes what is there
    keys.py add       puts a new encryption key in front: it encrypts from the next start, the others still decrypt
    keys.py retire    leaves the first encryption key alone, once `manage.py rotate_keys` has been through; puts others aside
    keys.py recall    puts those back behind the first: whatever still needs one can be read again
    keys.py save      prints all of it, for a safe place beside the database's backup
    keys.py restore   takes from stdin what `save` printed; refuses to replace anything

The portal's own are closed to the database's container, which reads its password alone.
"""

import json
import os
import secrets
import sys
from pathlib import Path

from cryptography.fernet import Fernet

FOLDER = Path(os.environ["KEYS_DIR"])
SECRET_KEY = "portal/secret_key"
FIELD_ENCRYPTION_KEYS = "portal/field_encryption_keys"
PGPASS = "portal/pgpass"  # what libpq calls a password file: host:port:database:user:password
DATABASE_PASSWORD = "database/password"
RETIRED = "portal/retired_encryption_keys"
KEPT = {SECRET_KEY: 0o600, FIELD_ENCRYPTION_KEYS: 0o600, PGPASS: 0o600, DATABASE_PASSWORD: 0o644}
MODES = KEPT | {RETIRED: 0o600}


def make() -> None:
    """Make what is missing, and nothing else."""
    for folder, mode in {"portal": 0o700, "database": 0o755}.items():
        (FOLDER / folder).mkdir(exist_ok=True)
        (FOLDER / folder).chmod(mode)
    _make(SECRET_KEY, secrets.token_urlsafe(48))
    _make(FIELD_ENCRYPTION_KEYS, Fernet.generate_key().decode())
    _make(DATABASE_PASSWORD, secrets.token_urlsafe(32))
    _make(PGPASS, f"*:*:*:*:{_read(DATABASE_PASSWORD)}")


def add() -> None:
    _write(FIELD_ENCRYPTION_KEYS, ",".join([Fernet.generate_key().decode(), *_keys(FIELD_ENCRYPTION_KEYS)]))
    _say(f"There are {len(_keys(FIELD_ENCRYPTION_KEYS))} encryption keys now; the new one stands in front.")


def retire() -> None:
    first, *others = _keys(FIELD_ENCRYPTION_KEYS)
    if others:
        _write(RETIRED, ",".join(dict.fromkeys([*others, *_keys(RETIRED)])))
        _write(FIELD_ENCRYPTION_KEYS, first)
    _say(f"The first encryption key stays; put aside, where `keys.py recall` finds them: {len(others)}.")


def recall() -> None:
    if not _keys(RETIRED):
        _say("No encryption key was ever retired.")
        return
    found = dict.fromkeys([*_keys(FIELD_ENCRYPTION_KEYS), *_keys(RETIRED)])
    _write(FIELD_ENCRYPTION_KEYS, ",".join(found))
    _say(f"There are {len(found)} encryption keys now; the same one stands in front.")


def save() -> None:
    sys.stdout.write(json.dumps({name: _read(name) for name in KEPT}, indent=1) + "\n")


def restore() -> None:
    """Refuses, and writes nothing, if it is not what `save` printed, or if anything is there that differs."""
    try:
        kept = json.load(sys.stdin)
        complete = kept.keys() == KEPT.keys() and all(kept.values())
    except (ValueError, AttributeError):
        complete = False
    if not complete:
        sys.exit("This is not what `keys.py save` printed.")
    if other := [name for name in KEPT if (FOLDER / name).exists() and _read(name) != kept[name]]:
        sys.exit(f"There are other keys already: {', '.join(other)}. Remove the volume of the keys first, if you are sure.")
    for folder in ("portal", "database"):
        (FOLDER / folder).mkdir(exist_ok=True)
    for name, value in kept.items():
        _write(name, value)
    make()
    _say("The keys are as they were saved.")


def _keys(name: str) -> list[str]:
    """The encryption keys in a file; none where it is missing."""
    return [key.strip() for key in _read(name).split(",") if key.strip()] if (FOLDER / name).exists() else []


def _make(name: str, value: str) -> None:
    if not (FOLDER / name).exists():
        _write(name, value)
        _say(f"Made {name}.")


def _read(name: str) -> str:
    return (FOLDER / name).read_text().strip()


def _write(name: str, value: str) -> None:
    """Whole or not at all, and never readable by more than is meant."""
    fresh = (FOLDER / name).with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=MODES[name])
    fresh.chmod(MODES[name])
    fresh.write_text(value + "\n")
    fresh.replace(FOLDER / name)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


COMMANDS = {"make": make, "add": add, "retire": retire, "recall": recall, "save": save, "restore": restore}

if __name__ == "__main__":
    if sys.argv[1:] not in [[name] for name in COMMANDS]:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]]()
