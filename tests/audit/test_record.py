"""The audit takes what it knows, and gives nothing back to be changed. Where a visitor comes from is told by our proxies."""

import pytest
from django.test import RequestFactory

from softphones import audit
from softphones.models import AuditEvent


@pytest.fixture
def event(alice, alices_phone) -> AuditEvent:
    return audit.record(act="password:shown", actor=alice, softphone=alices_phone, ip="192.0.2.7", data={"app": "zoiper"})


@pytest.mark.django_db
class TestRecord:
    def test_it_keeps_who_did_what_on_which_phone_of_which_account(self, event, alice, alices_phone, account):
        event = AuditEvent.objects.get()
        assert (event.act, event.actor, event.actor_label) == ("password:shown", alice, "Alice Smith <alice@acme.example>")
        assert (event.softphone, event.target_label, event.account) == (alices_phone, "Alice Smith - softphone", account)
        assert (event.ip, event.outcome, event.data) == ("192.0.2.7", "done", {"app": "zoiper"})

    @pytest.mark.parametrize("key", ["password", "token", "sip_password", "code", "note"])
    def test_it_refuses_a_name_that_it_does_not_know(self, alice, key):
        with pytest.raises(ValueError, match=key):
            audit.record(act="password:shown", actor=alice, data={key: "wP7kq3hTz9mB"})
        assert not AuditEvent.objects.exists()

    def test_it_refuses_whole_documents(self, alice):
        with pytest.raises(ValueError, match="dict"):
            audit.record(act="password:shown", actor=alice, data={"app": {"sip": {"password": "wP7kq3hTz9mB"}}})

    def test_it_takes_text_of_any_length_and_kind(self, alice):
        audit.record(act="link:opened", actor=alice, reason="r" * 1000, data={"agent": "a\0\ud800" * 1000})
        event = AuditEvent.objects.get()
        assert len(event.reason) == 300
        assert len(event.data["agent"]) == 256

    def test_an_event_can_be_neither_changed_nor_removed(self, event):
        event.act = "nothing:happened"
        for attempt in (
            event.save,
            event.delete,
            AuditEvent.objects.all().delete,
            lambda: AuditEvent.objects.update(act="nothing:happened"),
            lambda: AuditEvent.objects.bulk_update([event], ["act"]),
            lambda: event.account.audit_events.all().delete(),
        ):
            with pytest.raises(TypeError, match="only ever added"):
                attempt()
        assert AuditEvent.objects.get().act == "password:shown"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, None, "10.0.0.1"),
        (0, "6.6.6.6", "10.0.0.1"),
        (1, "192.0.2.7", "192.0.2.7"),
        (1, "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        (2, "6.6.6.6, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (2, "192.0.2.7", "192.0.2.7"),
        (1, None, "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "unknown", "10.0.0.1"),
        (1, "192.0.2.7:51234", "192.0.2.7"),
        (1, "[2001:db8::7]:51234", "2001:db8::7"),
        (1, "2001:db8::7", "2001:db8::7"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_a_visitors_address_is_believed_only_from_our_own_proxies(settings, proxies, forwarded, address):
    settings.TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded is not None else {}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR="10.0.0.1")
    assert audit.client_ip(request) == address


def test_a_visitor_by_a_unix_socket_has_none():
    assert audit.client_ip(RequestFactory().get("/", REMOTE_ADDR="")) is None
