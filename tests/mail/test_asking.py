"""A mail is asked for once, goes only to an address that is known, and only where its reader could use it."""

import threading

import pytest
from django.core import mail as outbox
from django.db import connection
from django.utils import timezone

from softphones import mail
from softphones.models import AuditEvent, Message
from tests.factories import make_owner, make_softphone, make_user
from tests.people.conftest import Visitor, the_worker_runs

pytestmark = pytest.mark.django_db
Kind, State = Message.Kind, Message.State


def refusal(ask, **more) -> str:
    with pytest.raises(mail.NoAddress) as why:
        ask(timezone.now(), **more)
    assert not Message.objects.exists()
    return str(why.value)


class TestWhereItGoes:
    def test_to_the_address_that_the_phones_person_has_proven(self, ask, alice, alices_phone):
        message = ask(timezone.now())
        assert (message.to, message.user, message.owner) == ("alice@acme.example", alice, alices_phone.owner)

    def test_to_the_address_at_audian_while_nobody_has_signed_in_with_it(self, ask, account):
        carl = make_softphone(account, make_owner(account, "Carl@acme.example", name="Carl"))
        assert ask(timezone.now(), softphone=carl).to == "carl@acme.example"

    def test_whoever_reads_it_gets_in_with_that_address_and_finds_the_phone(self, ask, account):
        carls = make_softphone(account, make_owner(account, "carl@acme.example", name="Carl"))
        ask(timezone.now(), softphone=carls)
        the_worker_runs()
        [sent] = outbox.outbox
        carl = Visitor(sent.to[0])
        carl.signs_in()
        assert carl.get(f"/softphones/{carls.pk}/").status_code == 200

    def test_the_address_is_read_again_when_it_is_sent(self, ask, account):
        owner = make_owner(account, "carl@acme.example", name="Carl")
        message = ask(timezone.now(), softphone=make_softphone(account, owner))
        owner.email = owner.email_folded = "carlo@acme.example"
        owner.save()
        the_worker_runs()
        message.refresh_from_db()
        assert outbox.outbox[0].to == ["carlo@acme.example"]
        assert message.to == "carlo@acme.example"


class TestWhenItIsRefused:
    def test_a_phone_of_nobody(self, ask, account):
        assert "belongs to nobody" in refusal(ask, softphone=make_softphone(account))

    def test_a_person_without_an_address(self, ask, account):
        owner = make_owner(account, name="Carl")
        assert refusal(ask, softphone=make_softphone(account, owner)).startswith("Audian has no e-mail address for Carl.")

    def test_an_address_that_is_none(self, ask, account):
        owner = make_owner(account, "carl at acme", name="Carl")
        assert "no e-mail address" in refusal(ask, softphone=make_softphone(account, owner))

    def test_a_person_who_is_switched_off_or_gone(self, ask, account, alices_phone):
        owner = alices_phone.owner
        owner.enabled = False
        owner.save()
        assert "switched off or gone" in refusal(ask)
        owner.enabled, owner.gone_at = True, timezone.now()
        owner.save()
        assert "switched off or gone" in refusal(ask)

    def test_a_phone_that_is_switched_off_or_gone(self, ask, alices_phone):
        alices_phone.enabled = False
        assert "Switch it on first" in refusal(ask)
        alices_phone.gone_at = timezone.now()
        assert "gone" in refusal(ask)

    def test_an_address_that_two_people_share(self, ask, account):
        make_owner(account, "desk@acme.example", name="One")
        phone = make_softphone(account, make_owner(account, "desk@acme.example", name="Two"))
        assert "Ask an admin" in refusal(ask, softphone=phone)

    def test_an_address_that_lets_nobody_in(self, ask, account):
        account.self_service = False
        account.save()
        phone = make_softphone(account, make_owner(account, "carl@acme.example", name="Carl"))
        assert "can’t sign in" in refusal(ask, softphone=phone)

    def test_somebody_elses_phone(self, ask, alices_phone, bob):
        assert "somebody else" in refusal(ask, user=bob)

    def test_somebody_who_is_deactivated(self, ask, alice):
        alice.is_active = False
        alice.save()
        assert "can’t sign in" in refusal(ask)

    def test_what_no_longer_holds_when_it_is_sent_fails_with_the_sentence(self, ask, alices_phone):
        message = ask(timezone.now())
        alices_phone.enabled = False
        alices_phone.save()
        assert the_worker_runs() == mail.Sent(failed=1)
        message.refresh_from_db()
        assert message.error == "The softphone is switched off. Switch it on first."
        assert not outbox.outbox


class TestOnce:
    def test_while_it_waits_no_second_one_is_made(self, ask):
        assert ask(timezone.now()) == ask(timezone.now())

    def test_another_kind_is_another_mail(self, ask):
        assert ask(timezone.now()) != ask(timezone.now(), kind=Kind.NEW_PASSWORD)

    def test_once_sent_it_may_be_asked_for_again(self, ask):
        first = ask(timezone.now())
        the_worker_runs()
        assert ask(timezone.now()) != first

    def test_but_not_by_the_same_press_of_a_button(self, ask, bob):
        first = ask(timezone.now(), asked_by=bob, key="form-1")
        the_worker_runs()
        assert ask(timezone.now(), asked_by=bob, key="form-1") == first
        assert ask(timezone.now(), asked_by=bob, key="form-2") != first
        assert AuditEvent.objects.filter(act="mail:asked").count() == 2

    @pytest.mark.django_db(transaction=True)
    def test_pressed_twice_at_the_same_moment_it_is_one(self, ask, bob):
        start, made = threading.Barrier(4), []

        def press():
            try:
                start.wait()
                made.append(ask(timezone.now(), asked_by=bob, key="form-1").pk)
            finally:
                connection.close()

        pressing = [threading.Thread(target=press) for _ in range(4)]
        for each in pressing:
            each.start()
        for each in pressing:
            each.join()
        assert len(made) == 4
        assert len(set(made)) == 1

    def test_who_asked_is_on_record(self, ask, bob, alices_phone):
        ask(timezone.now(), asked_by=bob, ip="192.0.2.1")
        event = AuditEvent.objects.get(act="mail:asked")
        assert (event.actor, event.softphone, event.owner, event.ip) == (bob, alices_phone, alices_phone.owner, "192.0.2.1")

    def test_asking_wakes_the_worker_once_committed(self, ask, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks() as woken:
            ask(timezone.now())
        assert len(woken) == 1


class TestTellingAdmins:
    def test_every_admin_of_the_account_is_told_and_nobody_else(self, account, alice, mallory):
        ann = make_user("ann@acme.example", account=account, role="admin", name="Ann")
        make_user("abe@acme.example", account=account, role="admin", name="Abe")
        make_user("old@acme.example", account=account, role="admin", is_active=False)
        make_user("helen@acme.example", account=account, role="helpdesk")
        assert mail.tell_admins(account=account, about=ann, detail="totp", now=timezone.now()) == 2
        the_worker_runs()
        assert {each.to[0] for each in outbox.outbox} == {"ann@acme.example", "abe@acme.example"}
        assert "Ann set up an authenticator app as a second factor" in outbox.outbox[0].body

    def test_two_enrolments_at_once_are_two_mails(self, account):
        ann = make_user("ann@acme.example", account=account, role="admin", name="Ann")
        for detail in ("totp", "webauthn"):
            mail.tell_admins(account=account, about=ann, detail=detail, now=timezone.now())
        assert Message.objects.count() == 2


class TestWhetherItWasOpened:
    def test_it_counts_as_opened_once_its_person_comes_to_the_page(self, ask, alice, alices_phone, signed_in):
        message = ask(timezone.now())
        the_worker_runs()
        signed_in(alice).get(f"/softphones/{alices_phone.pk}/")
        message.refresh_from_db()
        first = message.opened_at
        assert first
        signed_in(alice).get(f"/softphones/{alices_phone.pk}/")
        message.refresh_from_db()
        assert message.opened_at == first

    def test_not_before_it_was_sent_and_not_by_somebody_else(self, ask, alice, bob, alices_phone, signed_in):
        message = ask(timezone.now())
        signed_in(alice).get(f"/softphones/{alices_phone.pk}/")
        the_worker_runs()
        signed_in(bob).get(f"/softphones/{alices_phone.pk}/")
        message.refresh_from_db()
        assert message.opened_at is None


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("alice@acme.example", "a•••e@acme.example"),
        ("jose@acme.example", "j•••e@acme.example"),
        ("bob@acme.example", "•••@acme.example"),
        ("x@acme.example", "•••@acme.example"),
        ('"a@b"@acme.example', '"•••"@acme.example'),
        ("nonsense", "•••"),
        ("", ""),
    ],
)
def test_an_address_is_masked(address, shown):
    assert mail.masked(address) == shown
