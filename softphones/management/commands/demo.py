"""manage.py demo: the whole portal on this machine, with a sandbox in Audian's place."""

import json
import os
import sys
import tempfile
from pathlib import Path

import requests
from django.conf import settings

from softphones.demo import phones, round_trip
from softphones.demo.people import code_for, move_in
from softphones.demo.place import ROOT, CannotStart, Place, free_port
from softphones.demo.processes import ChildDied
from softphones.demo.stage import Stopped, asked_to_stop, running
from softphones.management.answer import AnsweringCommand, CommandFailed

DEVICES = 25
WORTH_SEEING = {
    "alice@acme.example": "End user: her phone, how to set it up, the QR code, the light",
    "helen@acme.example": "Helpdesk: find people, see what their phones do, send links, reset passwords",
    "adam@acme.example": "Admin: the same, and creating, changing, deleting, members, looks at Audian",
}


class Command(AnsweringCommand):
    help = "Runs the portal with made-up people and phones on 127.0.0.1 until Ctrl-C. Keeps its data in VAR_DIR/demo."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8000, help="Port of the web server (8000).")
        parser.add_argument("--devices", type=int, default=DEVICES, help=f"How many softphones the company has ({DEVICES}).")
        act = parser.add_mutually_exclusive_group()
        act.add_argument("--check", action="store_true", help="Start everything, walk through it once, stop, exit 0 or 1.")
        act.add_argument("--connect", metavar="WHO", help="Plug in the phones of WHO (alice) in the demo that is running.")
        act.add_argument("--disconnect", metavar="WHO", help="Unplug them.")
        act.add_argument(
            "--people",
            action="store_true",
            help="Make the demo's people in this portal, which runs with DEMO=true and a sandbox.",
        )
        act.add_argument("--code", metavar="WHO", help="Print what the authenticator app of WHO (helen, adam) shows now.")

    def answer(self, *, port, devices, check, connect, disconnect, people, code, **options) -> dict:
        place = Place(settings.VAR_DIR / "demo")
        try:
            if connect:
                said = phones.connect(place, connect)
            elif disconnect:
                said = phones.disconnect(place, disconnect)
            elif code:
                said = code_for(place, code)
            elif people:
                said = self._people(place)
            elif check:
                said = self._check(devices)
            else:
                said = self._run(place, port, devices, options["json"])
        except (CannotStart, ChildDied, round_trip.Failed) as reason:
            raise CommandFailed(str(reason)) from reason
        except requests.ConnectionError as reason:
            raise CommandFailed("The demo is not running here any more. Start it with: make demo") from reason
        return {"message": said}

    def _run(self, place: Place, port: int, devices: int, quiet: bool) -> str:
        try:
            with asked_to_stop(), running(place, port=port, devices=devices, say=self.say) as stage:
                end = f"Data and logs are in {place.folder}. Ctrl-C stops everything."
                told = introduction(place, stage.url, manage(), end)
                (self.say if quiet else self.stdout.write)(told)
                self.stdout.flush()
                stage.watch()
        except Stopped:
            return "Stopped. Everything is kept for the next time."

    def _people(self, place: Place) -> str:
        if not settings.DEMO:
            raise CommandFailed("The demo's people have no place in a portal for real. They need DEMO=true and a sandbox.")
        place.folder.mkdir(mode=0o700, exist_ok=True)
        move_in(place)
        place.tell(url=settings.PUBLIC_URL, sandbox=settings.AUDIAN_API_URL.removesuffix("/v2"))
        end = "All of it goes away with: docker compose --profile sandbox down --volumes"
        return introduction(place, settings.PUBLIC_URL, "docker compose exec web python manage.py", end)

    def _check(self, devices: int) -> str:
        with tempfile.TemporaryDirectory(prefix="softphone-portal-demo-") as folder:
            place = Place(Path(folder))
            try:
                with asked_to_stop(), running(place, port=free_port(), devices=devices, say=self.say) as stage:
                    round_trip.walk(stage, say=self.say)
            except Stopped:
                raise CommandFailed("Stopped before the check was done.") from None
        return "The demo works: signed in by a mailed code, set up a phone, saw its light turn green, and got a new one."


def manage() -> str:
    """How somebody in the project's folder, in another terminal, reaches this demo's commands."""
    python = Path(sys.executable)
    python = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
    elsewhere = f"VAR_DIR={settings.VAR_DIR} " if "VAR_DIR" in os.environ else ""
    return f"{elsewhere}{python} manage.py"


def introduction(place: Place, url: str, command: str, end: str) -> str:
    """Where the portal is, and one sign-in for each role. `command` runs this portal's commands; `end` is the last line."""
    passwords = json.loads(place.passwords.read_text())
    lines = [
        "",
        f"The portal is at {url}",
        "",
        f"  {'Address':20}  {'Password':14}  What is worth seeing",
        *(f"  {email:20}  {passwords[email]:14}  {what}" for email, what in WORTH_SEEING.items()),
        "",
        "Pages for staff also ask Helen and Adam for a code from an authenticator app. From a second terminal, it is:",
        f"  {command} demo --code helen",
        "A code by mail does as well as a password, for everybody else too. bob@acme.example has two phones,",
        "carla@acme.example has none and can get one herself:",
        f"  all mail is at {url}/mail/",
        "Plug in Alice's phone and watch her set-up page turn green, from a second terminal:",
        f"  {command} demo --connect alice",
        end,
    ]
    return "\n".join(lines)
