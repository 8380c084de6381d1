"""Encrypt everything stored with the first key: `manage.py rotate_keys [--json]`."""

from softphones import key_rotation
from softphones.management.answer import AnsweringCommand, CommandFailed

SHOWN = 3


class Command(AnsweringCommand):
    help = "Encrypt everything that is stored with the first of FIELD_ENCRYPTION_KEYS, so that the others can be thrown away."
    on_failure = {"rotated": 0, "unchanged": 0, "lost": 0, "left": 0}

    def answer(self, **options) -> dict:
        found = key_rotation.rotate(say=self.say)
        numbers = {"rotated": found.older, "unchanged": found.current, "lost": len(found.lost), "left": found.left}
        message = f"{found.older} values were encrypted again with the first key, {found.current} were so already."
        if found.lost:
            message += f" {_lost(found.lost)} They stay as they are."
            raise CommandFailed(f"{message} Put the key back behind the first, then run this again.", **numbers)
        if found.left:
            message += f" {found.left} need an older key: something still writes with it."
            raise CommandFailed(f"{message} Restart web, worker and beat, then run this again.", **numbers)
        return numbers | {"message": f"{message} The other keys are not needed any more."}


def _lost(places: list[str]) -> str:
    shown = "; ".join(places[:SHOWN])
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return f"No key in FIELD_ENCRYPTION_KEYS opens {shown}{more}."
