"""Signed-in browsers without a screen, and a strict eye on every template they see."""

import pytest
from bs4 import BeautifulSoup
from django.template import base as template_base
from django.test import Client
from django.utils import timezone

from softphones.models import SyncRun
from tests.factories import worker_sweeps

PASSWORD = "wP7kq3hTz9mB"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1"
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def undefined_variables_fail(monkeypatch):
    """A template that prints a variable which nobody gave it fails, rather than print nothing."""
    resolve = template_base.FilterExpression.resolve

    def strictly(self, context, ignore_failures=False):
        forgiven = ignore_failures or any(each.__name__.startswith("default") for each, _ in self.filters)
        if forgiven or not isinstance(self.var, template_base.Variable):
            return resolve(self, context, ignore_failures)
        missing = object()
        try:
            found = self.var.resolve(context)
        except template_base.VariableDoesNotExist:
            found = missing
        assert found is not missing, f"undefined in a template: {self.token}"
        return resolve(self, context, ignore_failures)

    monkeypatch.setattr(template_base.FilterExpression, "resolve", strictly)


@pytest.fixture
def signed_in():
    """A browser in which this person has just signed in: `signed_in(alice)`; `proven=False`: a while ago."""

    def sign_in(user, *, proven=True, **headers):
        worker_sweeps()
        client = Client(headers=headers)
        client.force_login(user)
        if proven:
            session = client.session
            session["proven_at"] = timezone.now().timestamp()
            session.save()
        return client

    return sign_in


@pytest.fixture
def mirrored(account):
    """Audian has been read a moment ago."""
    now = timezone.now()
    return SyncRun.objects.create(account=account, state=SyncRun.State.COMPLETE, started_at=now, finished_at=now, calls=2)


def soup(response) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


def words(part) -> str:
    """The text of a response or an element as people read it: one space between words."""
    if not hasattr(part, "get_text"):
        part = soup(part)
    return " ".join(part.get_text(" ").split())
