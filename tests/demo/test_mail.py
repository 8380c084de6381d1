"""The demo's mailbox."""

import pytest
from django.core.mail import EmailMessage, get_connection

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(settings, tmp_path):
    settings.DEMO = True
    settings.EMAIL_FILE_PATH = str(tmp_path)

    def send(subject: str, body: str) -> None:
        connection = get_connection("django.core.mail.backends.filebased.EmailBackend", file_path=tmp_path)
        EmailMessage(subject, body, to=["alice@acme.example"], connection=connection).send()

    return send


def test_mails_stand_on_a_page_newest_first(mailbox, client):
    mailbox("Your code", "    123456\n\nNur für dich: ä & <b>")
    mailbox("Another one", "    654321")
    page = client.get("/mail/").content.decode()
    assert page.index("Another one") < page.index("654321") < page.index("Your code") < page.index("123456")
    assert "Nur für dich: ä &amp; &lt;b&gt;" in page
    assert "alice@acme.example" in page


def test_an_empty_mailbox_says_so(mailbox, client):
    assert "No mail yet." in client.get("/mail/").content.decode()


def test_nobody_sees_mails_outside_of_the_demo(mailbox, client, settings):
    mailbox("Your code", "123456")
    settings.DEMO = False
    answer = client.get("/mail/")
    assert answer.status_code == 404
    assert b"123456" not in answer.content


@pytest.mark.parametrize("demo", [True, False])
def test_only_the_demos_pages_lead_to_the_mails(client, settings, demo):
    settings.DEMO = demo
    assert ('href="/mail/"' in client.get("/sign-in/").content.decode()) is demo
