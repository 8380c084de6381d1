"""The database itself refuses to change or remove what was recorded, whoever asks."""

# ruff: noqa: S608  (the statements are made of our own words)

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import ProtectedError

from softphones import audit
from softphones.models import AuditEvent, User

TABLE = "softphones_auditevent"
pytestmark = pytest.mark.django_db


@pytest.fixture
def event(alice, alices_phone):
    return audit.record(act="password:shown", actor=alice, softphone=alices_phone)


def refused(statement: str) -> None:
    with pytest.raises(DatabaseError, match="only ever added"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_changing_and_removing_are_refused(event):
    refused(f"UPDATE {TABLE} SET act = 'nothing:happened'")
    refused(f"UPDATE {TABLE} SET ip = NULL WHERE id = {event.pk}")
    refused(f"DELETE FROM {TABLE}")
    assert AuditEvent.objects.get().act == "password:shown"


@pytest.mark.django_db(transaction=True)  # PostgreSQL truncates nothing that the same transaction has written
def test_so_is_what_a_database_has_beside_them(event):
    if connection.vendor == "postgresql":
        refused(f"TRUNCATE {TABLE} CASCADE")
    else:
        columns = "id, at, actor_label, act, target_label, person_label, actor_words, whose_words, reason, outcome, data"
        values = f"{event.pk}, '2026-01-01', '', 'x:y', '', '', '', '', '', 'done', '{{}}'"
        refused(f"INSERT OR REPLACE INTO {TABLE} ({columns}) VALUES ({values})")
    assert AuditEvent.objects.get().act == "password:shown"


def test_new_events_are_taken(event, alice):
    audit.record(act="person:signed_in", actor=alice)
    assert AuditEvent.objects.count() == 2


def test_nobody_who_is_in_it_can_be_removed(event, alice, alices_phone, account):
    for row in (alice, alices_phone, alices_phone.owner, account):
        with pytest.raises(ProtectedError):
            row.delete()


def test_what_nothing_was_recorded_of_can_be_removed(event, bob):
    bob.delete()
    assert not User.objects.filter(email="bob@acme.example").exists()


class TestAfterAFlush:
    """The fixture that lets tests empty the tables puts the triggers back."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.mark.parametrize("time", ["first", "second"])
    def test_the_tables_are_empty_and_the_triggers_there(self, time, alice):
        assert not AuditEvent.objects.exists()
        audit.record(act="person:signed_in", actor=alice)
        refused(f"DELETE FROM {TABLE}")
