"""`manage.py import_softphones`, as scripts use it."""

import io

import openpyxl
import pytest
from django.core.management import call_command
from django.utils import timezone

from softphones import changes
from softphones.models import Change, Import, Softphone
from tests.imports.conftest import softphones_of, table, writes

pytestmark = pytest.mark.django_db(transaction=True)
TWO = "name,owner_email,extension\nAlice - softphone,ALICE@acme.example,0042\nLobby,,\n"


def test_a_file_becomes_softphones_at_audian(command, sandbox, alice):
    code, answer = command(TWO)
    assert code == 0, answer
    assert (answer["rows"], answer["valid"], answer["created"], answer["exists"], answer["failed"]) == (2, 2, 2, 0, 0)
    assert answer["errors"] == []
    by_name = {device["name"]: device for device in softphones_of(sandbox)}
    assert by_name["Alice - softphone"]["caller_id"]["internal"]["number"] == "0042"
    assert by_name["Alice - softphone"]["owner_id"] == alice.audian_id
    assert set(Softphone.objects.values_list("audian_id", flat=True)) == {device["id"] for device in by_name.values()}


def test_the_same_file_again_makes_nothing(command, sandbox, alice):
    command(TWO)
    code, answer = command(TWO)
    assert (code, answer["created"], answer["exists"]) == (0, 0, 2)
    assert writes(sandbox) == ["PUT", "PUT"]


@pytest.mark.parametrize("more", ["", "Hall,,\n", "Door,nobody@acme.example,\n"], ids=["all", "one more", "one is wrong"])
def test_what_is_there_already_has_its_device_id_in_the_result(command, sandbox, alice, tmp_path, more):
    command(TWO)
    out = tmp_path / "out.csv"
    command(TWO + more, "--result", str(out))
    there = [row for row in table(out.read_text(encoding="utf-8")) if row["status"] == "exists"]
    assert {row["name"]: row["device_id"] for row in there} == {
        device["name"]: device["id"] for device in softphones_of(sandbox) if device["name"] != "Hall"
    }
    assert len(there) == 2


def test_what_only_waits_in_the_outbox_has_no_device_id_yet(command, account, tmp_path):
    changes.create(account=account, name="Lobby", by=None, now=timezone.now())
    out = tmp_path / "out.csv"
    command("name\nLobby\n", "--result", str(out), "--dry-run")
    [lobby] = table(out.read_text(encoding="utf-8"))
    assert (lobby["status"], lobby["device_id"], lobby["message"]) == ("exists", "", "Already there.")


def test_a_workbook_becomes_softphones_at_audian(command, sandbox):
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["Name", "Extension"])
    book.active.append(["Lobby", "0042"])
    book.save(out)
    code, answer = command(out.getvalue())
    assert (code, answer["rows"], answer["created"], answer["errors"]) == (0, 1, 1, [])
    assert [device["caller_id"]["internal"]["number"] for device in softphones_of(sandbox)] == ["0042"]


def test_notices_are_told_with_their_line_and_column(command):
    _code, answer = command("name,sip_password\nLobby,short1\n", "--dry-run")
    assert [(notice["line"], notice["column"]) for notice in answer["notices"]] == [(2, None), (2, "sip_password")]
    assert answer["notices"][1]["message"] == "The password is short. Leave it empty, and the portal makes a strong one."


@pytest.mark.parametrize("header", ["name,owner_email,extension,sip_password,enabled\n", ""], ids=["slipped", "no header"])
def test_a_password_stands_in_no_answer_and_no_line_of_the_command(command, tmp_path, header):
    out = tmp_path / "out.csv"
    code, answer = command(f"{header}Smith, John,,1001,s3cret-Word-77,yes\n", "--result", str(out))
    assert code == 1
    assert answer["errors"]
    assert command.said[-1].startswith(f"Line {answer['errors'][0]['line']}")
    assert "s3cret-Word-77" not in str(answer) + command.said[-1] + out.read_text(encoding="utf-8")


def test_a_dry_run_writes_and_sends_nothing(command, sandbox, alice):
    code, answer = command(TWO, "--dry-run")
    assert (code, answer["valid"], answer["created"]) == (0, 2, 0)
    assert (sandbox.calls, Import.objects.count(), Softphone.objects.count()) == ([], 0, 0)


def test_one_error_stops_the_whole_file(command, sandbox):
    code, answer = command("name,enabled\nLobby,yes\nDoor,perhaps\n")
    assert code == 1
    [error] = answer["errors"]
    assert (error["line"], error["column"]) == (3, "enabled")
    assert "perhaps" in error["message"]
    assert (answer["valid"], answer["created"], sandbox.calls) == (1, 0, [])


def test_errors_are_skipped_on_demand(command, sandbox):
    code, answer = command("name,enabled\nLobby,yes\nDoor,perhaps\n", "--skip-errors")
    assert (code, answer["created"], len(answer["errors"])) == (0, 1, 1)
    assert [device["name"] for device in softphones_of(sandbox)] == ["Lobby"]


def test_enqueue_leaves_the_sending_to_the_worker(command, sandbox, alice):
    code, answer = command(TWO, "--enqueue")
    assert (code, answer["created"], sandbox.calls) == (0, 0, [])
    assert Change.objects.filter(state="queued").count() == 2


def test_the_same_file_goes_on_where_it_was(command, sandbox, alice):
    command(TWO, "--enqueue")
    code, answer = command(TWO)
    assert (code, answer["created"]) == (0, 2)
    assert len(softphones_of(sandbox)) == 2


def test_the_result_can_be_imported_again_and_makes_only_what_is_missing(command, sandbox, alice, tmp_path):
    sandbox.add_device(name="Somebody", device_type="sip_device", sip={"username": "lobby1", "password": "theirs"})
    out = tmp_path / "out.csv"
    file = "name,owner_email,sip_username,sip_password\nAlice,alice@acme.example,,a-secret-word\nLobby,,lobby1,another-secret\n"
    code, answer = command(file, "--result", str(out))
    assert (code, answer["created"], answer["failed"]) == (1, 1, 1)
    made, failed = table(out.read_text(encoding="utf-8"))
    assert (made["status"], failed["status"]) == ("made", "failed")
    assert made["device_id"] == Softphone.objects.get(name="Alice").audian_id
    assert "taken" in failed["message"]
    assert "secret" not in out.read_text()
    code, answer = command(out.read_text().replace("lobby1", "lobby2"))
    assert (code, answer["created"], answer["exists"]) == (0, 1, 1)
    assert sorted(device["name"] for device in softphones_of(sandbox)) == ["Alice", "Lobby"]


@pytest.fixture
def interrupted(check):
    """An import whose process died right after its start was committed."""
    batch = check("name\nLobby\nDoor\n")
    Import.objects.filter(pk=batch.pk).update(state=Import.State.STARTING, started_at=timezone.now())
    return batch


def test_a_start_that_was_interrupted_is_finished_by_whoever_sends(interrupted, sandbox):
    call_command("push_changes", "--json")
    assert sorted(device["name"] for device in softphones_of(sandbox)) == ["Door", "Lobby"]


def test_a_start_that_was_interrupted_is_finished_before_the_next_file(interrupted, command, sandbox):
    code, answer = command("name\nLobby\nGate\n")
    assert (code, answer["created"], answer["exists"]) == (0, 1, 1)
    assert sorted(device["name"] for device in softphones_of(sandbox)) == ["Door", "Gate", "Lobby"]


@pytest.mark.parametrize("file", ["", "name\n", "nome\nLobby\n", b"\x00\xff" * 3_000_000, "name,name\na,b\n"])
def test_a_file_that_is_none_is_a_sentence(command, file):
    code, answer = command(file)
    assert (code, answer["created"]) == (1, 0)
    assert answer["errors"][0]["line"] == 1
    assert answer["errors"][0]["message"].endswith((".", "?"))
