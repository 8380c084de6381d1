"""grant_role makes the first admin. Programs read its JSON, people its sentences."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from softphones.models import AuditEvent, Membership, Owner, User
from tests.factories import make_owner, make_user
from tests.people.conftest import Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def grant_role(account, capsys):
    """Runs the command with --json; gives its one JSON object."""

    def run(*arguments):
        try:
            call_command("grant_role", *arguments, "--account=acme", "--json")
        except CommandError as error:
            return json.loads(capsys.readouterr().out) | {"failed": str(error)}
        return json.loads(capsys.readouterr().out)

    return run


def test_the_first_admin(grant_role, account):
    answer = grant_role("Admin@Acme.example", "--role=admin")
    assert answer == {
        "email": "admin@acme.example",
        "account": "acme",
        "role": "admin",
        "changed": True,
        "message": "admin@acme.example is now admin in acme.",
    }
    admin = Visitor("admin@acme.example")
    admin.signs_in()
    assert User.objects.get(pk=admin.user_id).memberships.get().role == "admin"
    event = AuditEvent.objects.get(act="role:granted")
    assert (event.account, event.data["role"], event.data["user"]) == (account, "admin", admin.user_id)


def test_a_role_given_twice_is_no_change(grant_role):
    grant_role("admin@acme.example", "--role=admin")
    again = grant_role("admin@acme.example", "--role=admin")
    assert again["changed"] is False
    assert AuditEvent.objects.count() == 1


def test_a_role_is_replaced(grant_role, bob):
    assert grant_role("bob@acme.example", "--role=helpdesk")["role"] == "helpdesk"
    assert Membership.objects.get(user=bob).role == "helpdesk"


def test_the_last_admin_is_not_replaced_without_a_word(grant_role):
    grant_role("admin@acme.example", "--role=admin")
    assert grant_role("admin@acme.example", "--role=helpdesk")["message"].endswith("acme has no admin now.")
    assert AuditEvent.objects.get(act="role:revoked").data["role"] == "admin"


def test_revoking_a_staff_role_leaves_a_user(grant_role):
    grant_role("admin@acme.example", "--role=admin")
    answer = grant_role("admin@acme.example", "--role=admin", "--revoke")
    assert answer["role"] == "user"
    assert answer["message"].endswith("acme has no admin now.")
    assert AuditEvent.objects.filter(act="role:revoked").count() == 1


def test_revoking_user_ends_access(grant_role, bob):
    assert grant_role("bob@acme.example", "--role=user", "--revoke")["role"] is None
    assert not bob.memberships.exists()


def test_revoking_what_nobody_has_is_done_already(grant_role):
    answer = grant_role("nobody@acme.example", "--role=admin", "--revoke")
    assert answer["changed"] is False
    assert "failed" not in answer
    assert not User.objects.exists()


def test_revoking_user_from_staff_fails_and_says_what_to_do(grant_role):
    grant_role("admin@acme.example", "--role=admin")
    answer = grant_role("admin@acme.example", "--role=user", "--revoke")
    assert answer["failed"] == answer["message"] == "admin@acme.example is admin in acme. Revoke that role first."
    assert Membership.objects.get().role == "admin"


def test_who_only_claimed_the_address_is_not_who_gets_the_role(grant_role):
    squatter = make_user("admin@acme.example", verified=False)
    grant_role("admin@acme.example", "--role=admin")
    assert not squatter.memberships.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["not an address", "--role=admin"], "'not an address' is not an e-mail address that codes can be mailed to."),
        (["boss@acme.example", "--role=admin", "--account=nope"], "There is no account 'nope'. There is: acme."),
    ],
)
def test_a_mistake_is_a_sentence(account, capsys, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("grant_role", *["--account=acme", *arguments], "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"email": None, "account": None, "role": None, "changed": False, "message": sentence}


def test_somebody_deactivated_is_not_made_admin(grant_role, account):
    make_user("alice@acme.example", is_active=False)
    assert "deactivated" in grant_role("alice@acme.example", "--role=admin")["failed"]
    assert not Membership.objects.exists()


def test_who_left_is_not_made_admin_and_the_answer_says_what_to_do(grant_role, account):
    """Their entry at Audian is off, so no staff page would open for them; another address recovers the desk."""
    make_user("alice@acme.example", account=account)
    make_owner(account, "alice@acme.example", enabled=False)
    failed = grant_role("alice@acme.example", "--role=admin")["failed"]
    assert "switched off or gone at Audian in acme" in failed
    assert "give the role to another address" in failed
    assert Membership.objects.get().role == "user"
    Membership.objects.update(role="admin")
    assert "switched off or gone" in grant_role("alice@acme.example", "--role=admin")["failed"]
    assert grant_role("alice.private@acme.example", "--role=admin")["changed"] is True


def test_who_was_taken_for_somebody_who_left_gets_the_role_back_once_that_is_said(grant_role, account):
    """Reception had the admin's address for a while, so the admin was linked to it; now it has another one, and is gone."""
    admin = make_user("boss@acme.example", account=account, role="admin")
    reception = make_owner(account, "reception@acme.example", name="Reception", last_user=admin, enabled=False)
    still_on = make_owner(account, "door@acme.example", name="Door", last_user=admin)
    failed = grant_role("boss@acme.example", "--role=admin")["failed"]
    assert "linked to Reception at Audian" in failed
    assert "--not-them" in failed
    answer = grant_role("boss@acme.example", "--role=admin", "--not-them")
    assert answer["changed"] is True
    assert "Somebody else: Reception." in answer["message"]
    assert "failed" not in grant_role("boss@acme.example", "--role=admin")
    reception.refresh_from_db()
    assert reception.last_user is None
    still_on.refresh_from_db()
    assert still_on.last_user == admin
    event = AuditEvent.objects.get(act="person:not_them")
    assert (event.owner, event.account, event.data["user"]) == (reception, account, admin.pk)


def test_who_left_under_their_own_address_is_not_somebody_else(grant_role, account):
    admin = make_user("boss@acme.example", account=account, role="admin")
    make_owner(account, "boss@acme.example", last_user=admin, enabled=False)
    assert "--not-them" not in grant_role("boss@acme.example", "--role=admin")["failed"]
    assert "switched off or gone" in grant_role("boss@acme.example", "--role=admin", "--not-them")["failed"]
    assert Owner.objects.get().last_user == admin


class TestFromAShell:
    """With an empty database: the commands answer even then."""

    def run(self, tmp_path, *arguments):
        kept = {name: os.environ[name] for name in ("PATH", "SECRET_KEY", "FIELD_ENCRYPTION_KEYS")}
        return subprocess.run(
            [sys.executable, "manage.py", "grant_role", *arguments],
            cwd=settings.BASE_DIR,
            env=kept | {"VAR_DIR": str(tmp_path), "DEBUG": "true"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_without_tables_it_says_to_migrate(self, tmp_path):
        ended = self.run(tmp_path, "a@acme.example", "--account=acme", "--role=admin", "--json")
        assert ended.returncode == 1
        assert "manage.py migrate" in json.loads(ended.stdout)["message"]
        assert "Traceback" not in ended.stderr

    def test_a_wrong_command_line_is_answered_too(self, tmp_path):
        ended = self.run(tmp_path, "a@acme.example", "--role=king", "--json")
        assert ended.returncode == 2
        assert "king" in json.loads(ended.stdout)["message"]
        assert "Traceback" not in ended.stderr

    def test_without_json_the_sentence_is_on_stderr_alone(self, tmp_path):
        ended = self.run(tmp_path, "a@acme.example", "--account=acme", "--role=admin")
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr == "The database can't be used. Check DATABASE_URL, then run manage.py migrate.\n"
