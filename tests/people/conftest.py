"""People who sign in: a browser each, a mailbox, and the worker that sends what is due."""

import re
from dataclasses import dataclass, field

import pytest
from django.core import mail as outbox
from django.test import Client
from django.utils import timezone

from softphones import mail
from tests.factories import make_owner


@dataclass
class Visitor:
    """Somebody at a browser of their own. `address` is the one they type, `ip` where they sit."""

    address: str
    ip: str = "203.0.113.10"
    browser: Client = field(default_factory=Client)

    def get(self, path, **query):
        return self.browser.get(path, query, REMOTE_ADDR=self.ip)

    def post(self, path, **form):
        return self.browser.post(path, form, REMOTE_ADDR=self.ip)

    def asks_for_a_code(self, **form):
        response = self.post("/sign-in/", email=self.address, **form)
        the_worker_runs()
        return response

    def enters(self, code):
        return self.post("/sign-in/code/", code=code)

    def signs_in(self, **form):
        self.asks_for_a_code(**form)
        return self.enters(newest_code(self.address))

    def signs_in_with(self, password):
        return self.post("/sign-in/password/", email=self.address, password=password)

    @property
    def user_id(self):
        """Who the browser is signed in as; None if nobody."""
        found = self.browser.session.get("_auth_user_id")
        return found and int(found)


def the_worker_runs():
    return mail.send_due(timezone.now())


def mails_to(address):
    return [each for each in outbox.outbox if each.to == [address]]


def newest_code(address):
    """The six digits in the newest mail to this address; something that is surely wrong if there is no mail."""
    mails = mails_to(address)
    return re.search(r"\b\d{6}\b", mails[-1].body).group() if mails else "no mail"


def newest_long_code(address):
    return re.search(r"\b(?:\d{4}-){3}\d{4}\b", mails_to(address)[-1].body).group()


def other_than(code):
    """A wrong code."""
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


@pytest.fixture
def ceo_owner(account):
    """The CEO at Audian; not a portal user yet."""
    return make_owner(account, "ceo@acme.example", name="Carla Chief")


@pytest.fixture
def ceo(ceo_owner):
    return Visitor("ceo@acme.example")
