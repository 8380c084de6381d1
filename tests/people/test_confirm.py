"""Before a secret is shown, a person whose sign-in is a while ago proves again that it is them."""

from datetime import timedelta

import pytest
import time_machine
from django.core import mail as outbox
from django.test import RequestFactory
from django.utils import timezone

from softphones import people
from softphones.models import AuditEvent, User
from softphones.views.sign_in import prove
from tests.factories import make_user
from tests.people.conftest import Visitor, mails_to, newest_code, other_than, the_worker_runs

pytestmark = pytest.mark.django_db


def request_of(visitor, method="get", path="/"):
    """A request of this visitor's, as a view gets it."""
    request = getattr(RequestFactory(), method)(path, REMOTE_ADDR=visitor.ip)
    request.COOKIES = {name: morsel.value for name, morsel in visitor.browser.cookies.items()}
    request.session = visitor.browser.session
    request.user = User.objects.get(pk=visitor.user_id)
    return request


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


@pytest.fixture
def alice(clock, account):
    make_user("alice@acme.example", account=account, password="correct horse battery")
    return Visitor("alice@acme.example")


def test_signing_in_is_fresh_proof_for_fifteen_minutes(clock, alice):
    alice.signs_in()
    assert people.proof_is_fresh(request_of(alice))
    clock.shift(timedelta(minutes=14))
    assert people.proof_is_fresh(request_of(alice))
    clock.shift(timedelta(minutes=1))
    assert not people.proof_is_fresh(request_of(alice))


def test_a_password_is_fresh_proof_too(clock, alice):
    alice.signs_in_with("correct horse battery")
    assert people.proof_is_fresh(request_of(alice))


def test_a_session_without_proof_has_none(clock, alice):
    alice.browser.force_login(User.objects.get())
    assert not people.proof_is_fresh(request_of(alice))


@pytest.fixture
def stale(clock, alice):
    """Alice, who signed in an hour ago."""
    alice.signs_in()
    clock.shift(timedelta(hours=1))
    outbox.outbox.clear()
    return alice


def test_a_code_to_ones_own_address_makes_the_proof_fresh_and_leads_back(stale):
    page = stale.get("/confirm/", next="/softphones/7/")
    assert "alice@acme.example" in page.content.decode()
    the_worker_runs()
    assert not outbox.outbox, "a GET mails nothing"

    stale.post("/confirm/", next="/softphones/7/")
    the_worker_runs()
    assert "confirm that it is you" in mails_to("alice@acme.example")[0].body
    stale.get("/confirm/")
    response = stale.post("/confirm/", code=newest_code("alice@acme.example"))
    assert response["Location"] == "/softphones/7/"
    assert people.proof_is_fresh(request_of(stale))
    assert AuditEvent.objects.filter(act="person:confirmed", actor=stale.user_id).count() == 1


def test_a_wrong_code_proves_nothing(stale):
    stale.post("/confirm/")
    the_worker_runs()
    page = stale.post("/confirm/", code=other_than(newest_code("alice@acme.example")))
    assert "not the code" in page.content.decode()
    assert not people.proof_is_fresh(request_of(stale))


def test_a_code_for_signing_in_proves_nothing_here(stale):
    elsewhere = Visitor("alice@acme.example")
    elsewhere.asks_for_a_code()
    for_signing_in = newest_code("alice@acme.example")
    stale.post("/confirm/")
    stale.post("/confirm/", code=for_signing_in)
    assert not people.proof_is_fresh(request_of(stale))


def test_a_new_code_can_be_asked_for(stale, clock):
    stale.post("/confirm/", next="/softphones/7/")
    the_worker_runs()
    clock.shift(timedelta(minutes=20))
    stale.post("/confirm/", again="1")
    the_worker_runs()
    assert len(mails_to("alice@acme.example")) == 2
    assert stale.post("/confirm/", code=newest_code("alice@acme.example"))["Location"] == "/softphones/7/"


def test_it_never_leads_elsewhere(stale):
    stale.post("/confirm/", next="https://evil.example/")
    the_worker_runs()
    assert stale.post("/confirm/", code=newest_code("alice@acme.example"))["Location"] == "/"


def test_who_has_fresh_proof_is_sent_on(clock, alice):
    alice.signs_in()
    assert alice.get("/confirm/", next="/softphones/7/")["Location"] == "/softphones/7/"


def test_an_act_that_wants_proof_mails_the_code_at_once_and_only_one(stale):
    for _ in range(2):
        request = request_of(stale, "post", "/softphones/7/password/")
        response = prove(request, "/softphones/7/")
        request.session.save()
        assert response["Location"] == "/confirm/?next=%2Fsoftphones%2F7%2F"
    the_worker_runs()
    assert len(mails_to("alice@acme.example")) == 1
    assert stale.post("/confirm/", code=newest_code("alice@acme.example"))["Location"] == "/softphones/7/"


def test_a_page_that_wants_proof_mails_nothing_by_itself(stale):
    prove(request_of(stale, "get"), "/softphones/7/")
    the_worker_runs()
    assert not outbox.outbox


def test_a_password_is_set_with_fresh_proof_only(stale):
    assert stale.get("/account/password/")["Location"] == "/confirm/?next=%2Faccount%2Fpassword%2F"
    stale.post("/account/password/", new_password1="a new one of mine", new_password2="a new one of mine")
    the_worker_runs()
    assert User.objects.get().check_password("correct horse battery")

    response = stale.post("/confirm/", code=newest_code("alice@acme.example"))
    assert response["Location"] == "/account/password/"
    page = stale.post("/account/password/", new_password1="short", new_password2="short")
    assert "too short" in page.content.decode()
    other_browser = Visitor("alice@acme.example")
    other_browser.signs_in_with("correct horse battery")
    stale.post("/account/password/", new_password1="a new one of mine", new_password2="a new one of mine")

    assert User.objects.get().check_password("a new one of mine")
    assert "Your password is set" in stale.get("/account/password/").content.decode()
    assert other_browser.get("/account/password/")["Location"].startswith("/sign-in/")
    assert AuditEvent.objects.filter(act="person:password_set").count() == 1
