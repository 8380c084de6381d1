"""manage.py demo: the whole portal on this machine, with a sandbox in Audian's place."""

import json
import sys
import tempfile
from pathlib import Path

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from softphones.demo import phones, round_trip
from softphones.demo.place import ROOT, CannotStart, Place, free_port
from softphones.demo.processes import ChildDied
from softphones.demo.stage import Stage, Stopped, asked_to_stop, running

DEVICES = 25


class Command(BaseCommand):
    help = "Runs the portal with made-up people and phones on 127.0.0.1 until Ctrl-C. Keeps its data in VAR_DIR/demo."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8000, help="port of the web server (8000)")
        parser.add_argument("--devices", type=int, default=DEVICES, help=f"how many softphones the company has ({DEVICES})")
        act = parser.add_mutually_exclusive_group()
        act.add_argument("--check", action="store_true", help="start everything, walk through it once, stop, exit 0 or 1")
        act.add_argument("--connect", metavar="WHO", help="plug in the phones of WHO (alice) in the demo that is running")
        act.add_argument("--disconnect", metavar="WHO", help="unplug them")

    def handle(self, *, port, devices, check, connect, disconnect, **options):
        place = Place(settings.VAR_DIR / "demo")
        try:
            if connect:
                self.stdout.write(phones.connect(place, connect))
            elif disconnect:
                self.stdout.write(phones.disconnect(place, disconnect))
            elif check:
                self.check_once(devices)
            else:
                self.run(place, port, devices)
        except (CannotStart, ChildDied, round_trip.Failed) as reason:
            raise CommandError(str(reason)) from reason
        except requests.ConnectionError as reason:
            raise CommandError("The demo is not running here any more. Start it with: make demo") from reason

    def run(self, place: Place, port: int, devices: int) -> None:
        try:
            with asked_to_stop(), running(place, port=port, devices=devices, say=self.say) as stage:
                self.introduce(stage)
                stage.watch()
        except Stopped:
            self.say("Stopped. Everything is kept for the next time.")

    def check_once(self, devices: int) -> None:
        with tempfile.TemporaryDirectory(prefix="softphone-portal-demo-") as folder:
            try:
                with (
                    asked_to_stop(),
                    running(Place(Path(folder)), port=free_port(), devices=devices, say=self.say) as stage,
                ):
                    round_trip.walk(stage, say=self.say)
            except Stopped:
                raise CommandError("Stopped before the check was done.") from None
        self.stdout.write("The demo works: signed in by a mailed code, set up a phone, and saw its light turn on.")

    def say(self, line: str) -> None:
        self.stderr.write(line, lambda text: text)
        self.stderr.flush()

    def introduce(self, stage: Stage) -> None:
        passwords = json.loads(stage.place.passwords.read_text())
        python = Path(sys.executable)
        python = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
        worth_seeing = {
            "alice@acme.example": "End user: her phone, its set-up page, the QR code, the light",
            "helen@acme.example": "Helpdesk: every softphone of the company, at /acme/",
            "adam@acme.example": "Admin: the same, and how the last look at Audian went",
        }
        lines = [
            "",
            f"The portal is at {stage.url}",
            "",
            *(f"  {email:20}  {passwords[email]:14}  {what}" for email, what in worth_seeing.items()),
            "",
            f"They can also sign in with a mailed code: the mails are at {stage.url}/mail/",
            "Plug in Alice's phone and watch her page turn green (in a second terminal):",
            f"  {python} manage.py demo --connect alice",
            f"Logs and data: {stage.place.folder}. Ctrl-C stops everything.",
        ]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
