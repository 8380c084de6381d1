"""What a file said is kept for a day; what became of it stays."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from softphones import imports, tasks
from softphones.models import Import, ImportRow
from tests.factories import make_softphone
from tests.imports.conftest import everything_stored, table, verdicts

pytestmark = pytest.mark.django_db(transaction=True)

FILE = (
    "name,owner_email,caller_id_name\n"
    "Lobby,,Front desk\n"
    "Hall,nobody@amce.example,Sidedoor\n"
    "Roof,alice@acme.example,Upstairs\n"
    "Alice - mobile,alice@acme.example,Alice\n"
)


@pytest.fixture
def ended(check, start, send, account, alice) -> Import:
    """One row made, one wrong, one of a softphone that is there, and one that was left out since Alice has one."""
    make_softphone(account, alice, name="Roof", sip_username="roof", caller_id_name="Roof", audian_id="a" * 32)
    batch = start(check(FILE), skip_errors=True, skip_owned=True)
    send()
    batch.refresh_from_db()
    assert batch.state == Import.State.FINISHED
    return batch


def sweep_after(**time) -> None:
    with time_machine.travel(timezone.now() + timedelta(**time), tick=False):
        tasks.sweep()


def kept(batch: Import) -> list[str]:
    return [row.cells for row in batch.rows.order_by("line")]


def test_a_file_that_nobody_started_is_gone_after_a_day(check):
    check("name,sip_password\nLobby,a-long-password\n")
    sweep_after(hours=23)
    assert Import.objects.count() == 1
    sweep_after(hours=25)
    assert (Import.objects.count(), ImportRow.objects.count()) == (0, 0)


def test_what_was_not_to_be_made_is_forgotten_a_day_after_the_end(ended, alice):
    before = kept(ended)
    sweep_after(hours=23)
    assert kept(ended) == before
    sweep_after(hours=25)
    lobby, hall, roof, left_out = kept(ended)
    assert (lobby, left_out) == (before[0], before[3]), "the report tells them, and the result does them again"
    assert (hall, json.loads(roof)) == ("{}", {"name": "Roof", "owner_id": alice.audian_id, "sip_username": "roof"})
    assert "nobody@amce" not in everything_stored()
    ended.refresh_from_db()
    assert ended.sha256 == "", "not even whether it was this file"


def test_the_report_stays_as_true_as_it_was(ended):
    before, numbers = table(imports.result_csv(ended)), imports.counts(ended)
    sweep_after(hours=25)
    after = table(imports.result_csv(ended))
    assert imports.counts(ended) == numbers
    assert [(row["status"], row["device_id"]) for row in after] == [(row["status"], row["device_id"]) for row in before]
    assert after[0] == before[0]
    assert after[1]["message"] == (
        "Line 3: owner_email: What was wrong here is forgotten a day after the import. Check the row again from your own file."
    )
    assert [(each["line"], each["column"]) for each in imports.problems(ended)] == [(3, "owner_email")]
    assert after[2]["name"] == "Roof"


def test_the_result_imported_again_makes_nothing_twice(ended, check):
    sweep_after(hours=25)
    again = check("".join(imports.result_csv(ended)), name="result.csv")
    assert verdicts(again) == ["exists", "error", "exists", "will_create"]


def test_an_import_under_way_keeps_what_it_has_to_do(check, start):
    batch = start(check(FILE), skip_errors=True)
    before = kept(batch)
    sweep_after(hours=200)
    assert kept(batch) == before


def test_what_is_forgotten_once_is_not_looked_at_again(ended, django_assert_max_num_queries):
    later = timezone.now() + timedelta(hours=25)
    imports.forget_ended(now=later)
    with django_assert_max_num_queries(1):
        imports.forget_ended(now=later)


def test_the_same_file_can_be_imported_again_after_it_is_forgotten(ended, check):
    sweep_after(hours=25)
    again = check(FILE)
    assert again != ended
    assert verdicts(again) == ["exists", "error", "exists", "will_create"]
