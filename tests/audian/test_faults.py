"""Everything that can go wrong at the other end: which error it becomes, and whether a write may have happened."""

import pickle

import pytest

from softphones.audian import errors
from softphones.audian.documents import NewDevice

ROW, ACCOUNT = errors.RowError, errors.AccountTrouble
# fault, error, family, whether a write that meets it is doubtful
FAULTS = [
    ("403", errors.Forbidden, ACCOUNT, False),
    ("409", errors.Conflict, ROW, False),
    ("423", errors.Locked, ACCOUNT, False),
    ("429", errors.TooMany, ACCOUNT, False),
    ("500", errors.ServerFault, ROW, True),
    ("503", errors.BadGateway, ACCOUNT, True),
    ("html_502", errors.BadGateway, ACCOUNT, True),
    ("html_200", errors.NotOurAnswer, ACCOUNT, True),
    ("empty_body_200", errors.NotOurAnswer, ACCOUNT, True),
    ("truncated_body", errors.NotOurAnswer, ACCOUNT, True),
    ("cut_before", errors.CutOff, ACCOUNT, True),
    ("cut_after", errors.CutOff, ACCOUNT, True),
]


@pytest.mark.parametrize(("fault", "error", "family", "doubtful"), FAULTS, ids=[row[0] for row in FAULTS])
def test_a_write_that_meets_trouble_says_what_and_whether_it_is_doubtful(
    sandbox, client, plant, fault, error, family, doubtful
):
    device = plant()
    sandbox.faults.add(fault, method="DELETE")
    with pytest.raises(error) as caught:
        client.delete_device(device)
    assert isinstance(caught.value, family)
    assert caught.value.doubtful is doubtful
    assert str(caught.value).endswith(".")
    client.delete_device(device)
    assert not client.exists(device), "the next try goes through"


@pytest.mark.parametrize(("fault", "error", "family", "doubtful"), FAULTS, ids=[row[0] for row in FAULTS])
def test_a_read_that_meets_trouble_is_never_doubtful(sandbox, client, plant, fault, error, family, doubtful):
    device = plant()
    if fault == "409":
        return
    sandbox.faults.add(fault, method="GET")
    with pytest.raises(error) as caught:
        client.device(device)
    assert caught.value.doubtful is False


def test_a_write_cut_off_after_it_was_done_is_done(sandbox, client, plant):
    device = plant()
    sandbox.faults.add("cut_after", method="DELETE")
    with pytest.raises(errors.CutOff):
        client.delete_device(device)
    assert not client.exists(device)


def test_a_create_cut_off_after_it_was_done_is_found_by_its_username(sandbox, client):
    sandbox.faults.add("cut_after", method="PUT", path="/devices")
    with pytest.raises(errors.CutOff) as caught:
        client.create_device(NewDevice("Alice", "alice", "long-enough", flags=("portal:17",)))
    assert caught.value.doubtful
    (found,) = client.find_by_username("alice")
    assert found.flags == ("portal:17",)


def test_a_create_that_is_not_answered_in_time_is_doubtful(sandbox, client):
    client.account()
    sandbox.faults.add("slow", method="PUT", path="/devices", seconds=60)
    with client.within(1), pytest.raises(errors.TimedOut) as caught:
        client.create_device(NewDevice("Alice", "alice", "long-enough"))
    assert caught.value.doubtful


def test_a_listing_that_drips_is_cut_at_the_deadline(sandbox, client, plant):
    plant()
    client.account()
    sandbox.faults.add("drip", path="/devices", seconds=0.05)
    with client.within(0.5), pytest.raises(errors.TimedOut):
        client.device_page()


def test_a_list_over_the_servers_limit_is_too_large(sandbox, client):
    sandbox.faults.add("416")
    with pytest.raises(errors.TooLarge):
        client.device_page()


def test_an_account_in_bad_standing_is_not_asked_to_accept_charges(sandbox, client):
    sandbox.faults.add("402_standing", times=None)
    with pytest.raises(errors.PaymentRequired):
        client.create_device(NewDevice("Alice", "alice", "long-enough"), accept_charges=True)


def test_an_account_of_somebody_else_is_forbidden(sandbox, make_client):
    foreign = sandbox.state.foreign_account_id
    with pytest.raises(errors.Forbidden):
        make_client(account_id=foreign).account()


def test_an_unknown_device_is_not_found(client):
    with pytest.raises(errors.NotFound) as caught:
        client.device("b" * 32)
    assert caught.value.status == 404


NOT_GONE = [
    ('{"data": {"message": "faulty request"}, "error": "404", "message": "faulty_request", "status": "error"}', ROW),
    ('{"data": {"message": "not found"}, "error": "404", "message": "not_found", "status": "error"}', errors.NoSuchRoute),
    ('{"data": {}, "error": "404", "message": "something_new", "status": "error"}', errors.FaultyRequest),
    ('{"data": {"message": "bad identifier", "cause": "another id"}, "message": "bad_identifier", "status": "error"}', ROW),
    ("<html>404 Not Found</html>", errors.NotOurAnswer),
    ("", errors.NotOurAnswer),
]


@pytest.mark.parametrize(("body", "error"), NOT_GONE)
def test_a_404_that_does_not_say_bad_identifier_about_this_id_never_means_gone(answered, body, error):
    client = answered(404, body)
    with pytest.raises(error) as caught:
        client.exists("b" * 32)
    assert not isinstance(caught.value, errors.NotFound)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, '{"data": {"message": "parse error"}, "message": "parse_error", "status": "error"}', errors.Invalid),
        (400, '{"data": {"name": {"required": "Field is required"}}, "status": "error"}', errors.Invalid),
        (400, "<html>400</html>", errors.NotOurAnswer),
        (401, "", errors.Unauthorised),
        (402, "{}", errors.NotOurAnswer),
        (405, "", errors.FaultyRequest),
        (413, "", errors.FaultyRequest),
        (415, "", errors.FaultyRequest),
        (418, '{"data": {}, "status": "error"}', errors.FaultyRequest),
        (500, "", errors.ServerFault),
        (500, "<html>500</html>", errors.NotOurAnswer),
        (501, "", errors.FaultyRequest),
        (504, "<html>504</html>", errors.BadGateway),
        (522, "", errors.BadGateway),
    ],
)
def test_every_other_status_becomes_an_error_of_ours(answered, status, body, error):
    client = answered(status, body)
    with pytest.raises(error) as caught:
        client.update_device("b" * 32, {"name": "Renamed"})
    assert caught.value.status == status


def test_a_dotted_name_in_a_validation_error_is_read(answered):
    body = '{"data": {"call_failover%2Enumber": {"invalid": {"message": "Not a number", "cause": "x"}}}, "status": "error"}'
    client = answered(400, body)
    with pytest.raises(errors.Invalid) as caught:
        client.account()
    assert caught.value.field_errors == {"call_failover.number": ["was refused: Not a number"]}


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("999999", 300.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None)])
def test_a_time_to_wait_is_believed_up_to_five_minutes(answered, header, seconds):
    client = answered(429, "", headers=f"Retry-After: {header}\r\n")
    with pytest.raises(errors.TooMany) as caught:
        client.account()
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    "error",
    [
        errors.TimedOut(status=None, request_id="r", doubtful=True),
        errors.Invalid({"sip.username": ["is already in use"]}, rules={"sip.username": ["unique"]}),
        errors.ChargesToAccept({"devices": {}}),
        errors.Conflict(changed={"name": ("a", "b")}),
    ],
)
def test_errors_can_be_sent_to_another_process(error):
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
