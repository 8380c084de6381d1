"""Trouble of the account ends as a failed run with a sentence, never as an error, and never as a loss."""

import pytest
from django.utils import timezone

from softphones import mirror
from softphones.models import ApiToken
from tests.factories import make_account
from tests.mirror.conftest import account_on, look, phone, plant_person, plant_phone, plant_phones, present

SENTENCES = {
    "403": "does not let these credentials",
    "423": "locked",
    "429": "takes no more calls",
    "500": "could not answer the portal's question (HTTP 500)",
    "503": "out of order",
    "html_502": "out of order",
    "html_200": "did not come from the Audian API",
    "empty_body_200": "did not come from the Audian API",
    "truncated_body": "cut",
    "cut_before": "cut off",
    "cut_after": "cut off",
}


@pytest.mark.parametrize(("fault", "words"), SENTENCES.items(), ids=SENTENCES.keys())
@pytest.mark.parametrize("where", ["/users", "/devices"])
def test_each_kind_of_trouble_is_a_sentence_and_changes_nothing(account, sandbox, fault, words, where):
    device = plant_phone(sandbox, owner=plant_person(sandbox))
    look(account)
    sandbox.faults.add(fault, times=None, match=f"GET {where}")
    run = look(account)
    assert run.state == "failed"
    assert words in run.message
    assert run.finished_at
    assert present() == {device}
    sandbox.faults.clear()
    assert look(account).state == "complete"


def test_an_api_that_is_down_from_the_start_is_a_sentence(db):
    run = look(make_account(api_url="http://127.0.0.1:9/v2"))
    assert run.state == "failed"
    assert run.message == "Audian cannot be reached. Check the network connection; the portal keeps trying."


def test_an_api_that_dies_in_the_middle_leaves_what_was_read(account, sandbox, settings):
    settings.API_PAGE_SIZE = 2
    planted = plant_phones(sandbox, 6)
    pages = iter(range(1, 100))

    def die_at_the_third_page(method, path):
        if path.endswith("/devices") and next(pages) == 3:
            sandbox.faults.add("cut_before", times=None)

    sandbox.on_request(die_at_the_third_page)
    run = look(account)
    assert (run.state, run.created) == ("failed", 4)
    sandbox.faults.clear()
    assert look(account).created == 2
    assert present() == set(planted)


def test_an_answer_that_drips_is_given_up_in_time(account, sandbox, settings):
    settings.API_DEADLINE = 0.5
    plant_phone(sandbox)
    sandbox.faults.add("drip", seconds=0.2, match="GET /devices")
    run = look(account)
    assert run.state == "failed"
    assert "did not answer within 0.5 seconds" in run.message


def test_a_wrong_account_id_is_said_after_one_new_log_in(db, sandbox):
    run = look(account_on(sandbox, audian_id="f" * 32))
    assert run.state == "failed"
    assert "account id" in run.message
    assert [call.method for call in sandbox.calls].count("PUT") == 2


def test_a_wrong_key_is_said(db, sandbox):
    wrong = "0" * 64
    run = look(account_on(sandbox, api_key=wrong))
    assert run.state == "failed"
    assert "API key" in run.message
    assert wrong not in run.message


def test_an_account_without_credentials_is_said(db, sandbox):
    run = look(account_on(sandbox, api_key=""))
    assert (run.state, run.message) == ("failed", "There is no API key for Acme Dental. Set AUDIAN_API_KEY.")


def test_an_address_that_can_not_be_used_is_said(db):
    run = look(make_account(api_url="http://audian.example/v2"))
    assert run.state == "failed"
    assert "https://" in run.message


def test_a_static_token_does_as_well(db, sandbox):
    device = plant_phone(sandbox)
    assert look(account_on(sandbox, api_key="", static_token=sandbox.static_token)).state == "complete"
    assert present() == {device}


def test_a_token_that_expires_in_the_middle_is_renewed_once(account, sandbox, settings):
    settings.API_PAGE_SIZE = 2
    planted = plant_phones(sandbox, 6)
    pages = iter(range(1, 100))

    def expire_at_the_second_page(method, path):
        if path.endswith("/devices") and next(pages) == 2:
            sandbox.expire_tokens()

    sandbox.on_request(expire_at_the_second_page)
    assert look(account).state == "complete"
    assert present() == set(planted)
    assert [call.method for call in sandbox.calls].count("PUT") == 2


def test_a_listing_that_repeats_itself_fails_and_removes_nothing(account, sandbox, settings):
    settings.API_PAGE_SIZE = 2
    planted = plant_phones(sandbox, 6)
    look(account)
    sandbox.remove_device(planted[0])
    sandbox.faults.add("repeated_page_key", times=None, match="GET /devices")
    run = look(account)
    assert run.state == "failed"
    assert "repeats itself" in run.message
    assert present() == set(planted)


def test_the_last_good_state_stays_while_the_api_is_down(account, sandbox):
    device = plant_phone(sandbox)
    look(account)
    sandbox.faults.add("503", times=None)
    for _ in range(3):
        assert look(account).state == "failed"
    assert phone(device).password == "wP7kq3hTz9mB"


def test_no_secret_is_in_a_message_or_a_log(account, sandbox, caplog):
    plant_phone(sandbox)
    for fault in SENTENCES:
        sandbox.faults.add(fault, match="GET /devices")
        run = look(account)
        assert sandbox.api_key not in run.message
    token = ApiToken.objects.get().token
    assert sandbox.api_key not in caplog.text
    assert token not in caplog.text
    assert "wP7kq3hTz9mB" not in caplog.text


def test_a_fault_of_the_portal_is_raised_and_leaves_a_finished_run(account, sandbox, monkeypatch):
    monkeypatch.setattr("softphones.people.check_links", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        mirror.run(account, timezone.now())
    assert account.runs.get().state == "failed"
    assert account.runs.get().finished_at
