"""What mails say: text and HTML, the account's name and helpdesk, a page that asks for sign-in, and nothing that is secret."""

import re

import pytest
from bs4 import BeautifulSoup
from django.core import mail as outbox
from django.utils import timezone

from softphones import mail, setup_links
from softphones.models import Change, Message
from tests.factories import make_user
from tests.people.conftest import the_worker_runs

pytestmark = pytest.mark.django_db
Kind = Message.Kind
SECRETS = ("wP7kq3hTz9mB", "n3wS3cr3tPassw0rd", "k" * 64)


@pytest.fixture
def every_mail(ask, account, alices_phone, alice, ceo, signed_in, settings):
    """One mail of each kind, by its kind; while a link is drawn and a new password under way."""
    settings.PUBLIC_URL = "https://phones.acme.example"
    token = setup_links.draw(softphone=alices_phone, user=alice, ip=None, now=timezone.now()).token
    Change.objects.create(account=account, softphone=alices_phone, kind="reset_password", password=SECRETS[1])
    adam = make_user("adam@acme.example", account=account, role="admin", name="Adam Admin")
    for kind in (Kind.SETUP_LINK, Kind.NEW_PASSWORD, Kind.SOFTPHONE_READY):
        ask(timezone.now(), kind=kind)
    mail.tell_admins(account=account, about=adam, detail="webauthn", now=timezone.now())
    ceo.post("/sign-in/", email=ceo.address)
    signed_in(alice, proven=False).post("/confirm/")
    the_worker_runs()
    kinds = (
        Message.objects.filter(state="sent").order_by("sent_at", "rank", "next_attempt_at", "id").values_list("kind", flat=True)
    )
    mails = dict(zip(kinds, outbox.outbox, strict=True))
    mails["token"] = token
    return mails


@pytest.fixture
def token(every_mail):
    return every_mail.pop("token")


def parts(sent) -> list[str]:
    [(html, kind)] = sent.alternatives
    assert kind == "text/html"
    return [sent.subject, sent.body, html]


def test_there_is_one_of_each_kind(token, every_mail):
    assert set(every_mail) == set(Kind)


def test_no_mail_holds_a_token_or_a_password(token, every_mail):
    for kind, sent in every_mail.items():
        for secret in (token, *SECRETS):
            assert secret not in str(sent.message()) + "".join(parts(sent)), kind
        assert "/s/" not in "".join(parts(sent)), kind


def test_no_mail_loads_or_tracks_anything(token, every_mail):
    for kind, sent in every_mail.items():
        page = BeautifulSoup(sent.alternatives[0][0], "html.parser")
        assert not page.select("img, link, script, iframe, object, video, audio, source, style, form, base"), kind
        assert not re.search(r"url\(|src=|background=|@import", str(page)), kind
        for link in page.select("a[href]"):
            assert link["href"].startswith("https://phones.acme.example/"), kind
            assert "?" not in link["href"], kind
        assert not [name for name in sent.message() if name.lower() in ("disposition-notification-to", "return-receipt-to")]


def test_every_mail_names_the_account_and_its_helpdesk(token, every_mail):
    for kind, sent in every_mail.items():
        subject, text, html = parts(sent)
        for body in (text, html):
            assert "Acme Dental" in body, kind
            assert "+1 555 0100" in body, kind
            assert "helpdesk@acme.example" in body, kind
        assert "\n" not in subject
        assert sent.message()["Auto-Submitted"] == "auto-generated"


def test_a_mail_with_a_code_says_what_the_code_is_for(token, every_mail):
    for kind, says in {
        Kind.SIGN_IN_CODE: "Your code to sign in:",
        Kind.PROOF_CODE: "Your code to confirm that it is you:",
    }.items():
        code = Message.objects.get(kind=kind).code.code
        for body in parts(every_mail[kind])[1:]:
            assert says in body
            assert code in body


def test_the_set_up_mail_leads_to_the_page_and_says_what_stays(token, every_mail, alices_phone):
    sent = every_mail[Kind.SETUP_LINK]
    assert sent.subject == "Set up your softphone at Acme Dental"
    for body in parts(sent)[1:]:
        assert f"https://phones.acme.example/softphones/{alices_phone.pk}/" in body
        assert "sign in as alice@acme.example" in body
        assert "apps that work go on working" in body


def test_the_mail_about_a_new_password_says_what_to_do(token, every_mail):
    for body in parts(every_mail[Kind.NEW_PASSWORD])[1:]:
        assert "has a new password" in body
        assert "set them up again" in body


def test_admins_read_who_set_up_what_and_when(token, every_mail):
    for body in parts(every_mail[Kind.SECOND_FACTOR])[1:]:
        assert re.search(
            r"Adam Admin(</strong>)? set up a passkey as a second factor at Acme Dental, on \d+ \w+ \d{4}, \d\d:\d\d UTC", body
        )
        assert "https://phones.acme.example/acme/history/" in body


def test_names_are_escaped_in_html_and_plain_in_text(ask, account, alices_phone):
    alices_phone.name = '<b>"Desk" & Co</b>'
    alices_phone.save()
    ask(timezone.now())
    ask(timezone.now(), kind=Kind.NEW_PASSWORD)
    the_worker_runs()
    for sent in outbox.outbox:
        subject, text, html = parts(sent)
        assert '<b>"Desk" & Co</b>' in text
        assert "&lt;b&gt;" in html
        assert "<b>" not in html
        assert "&" not in subject or '<b>"Desk" & Co</b>' in subject


def test_admins_are_told_in_full_who_set_up_a_second_factor(account):
    make_user("adam@acme.example", account=account, role="admin", name="Adam Admin")
    nameless = make_user("nameless@acme.example", account=account, role="helpdesk")
    mail.tell_admins(account=account, about=nameless, detail="totp", now=timezone.now())
    mail.send_due(timezone.now())
    [sent] = outbox.outbox
    assert "nameless@acme.example set up an authenticator app as a second factor" in sent.body
