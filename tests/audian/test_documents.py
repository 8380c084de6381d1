"""Documents as operators, other versions and strangers left them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from softphones.audian.documents import (
    AccountDocument,
    DeviceDocument,
    DeviceStatus,
    Registration,
    UserDocument,
    charge_lines,
    moment,
    with_changes,
)

ODD = [None, "", 0, 5, True, [], {}, ["x"], {"x": 1}, "text", 1e400]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_value_of_a_wrong_type_never_breaks_a_document(odd):
    device = {
        "id": "1", "name": odd, "device_type": odd, "owner_id": odd, "enabled": odd, "sip": odd, "caller_id": odd,
        "flags": odd, "username": odd, "registered": odd,
    }  # fmt: skip
    read = DeviceDocument.from_json(device, complete=True)
    assert isinstance(read.name, str)
    assert isinstance(read.flags, tuple)
    inner = {"sip": dict.fromkeys(("username", "password", "realm", "method"), odd), "caller_id": {"internal": odd}}
    assert isinstance(DeviceDocument.from_json({"id": "1"} | inner, complete=True).method, str)
    assert isinstance(UserDocument.from_json(dict.fromkeys(("first_name", "email", "enabled"), odd), complete=True).name, str)
    assert isinstance(AccountDocument.from_json({"id": odd, "realm": odd}).realm, str)
    assert isinstance(Registration.from_json(dict.fromkeys(("contact_port", "expires", "event_timestamp"), odd)).ip, str)
    assert DeviceStatus.from_status_route({"registered": odd}).registered in (True, None)
    assert isinstance(charge_lines({"devices": odd, "x": {"y": odd}, "z": {"y": {"rate": odd, "quantity": odd}}}), tuple)


def test_a_device_without_a_sip_block_or_password_is_read_as_such():
    device = DeviceDocument.from_json({"id": "1", "name": "Bare"}, complete=True)
    assert (device.username, device.password, device.realm, device.method) == ("", None, None, "password")
    assert device.enabled is True, "the default of the schema"


def test_a_row_that_does_not_tell_leaves_it_open():
    device = DeviceDocument.from_json({"id": "1", "name": "Row"}, complete=False)
    assert (device.enabled, device.registered, device.password) == (None, None, None)


def test_what_a_list_says_of_a_device_that_cannot_register_means_nothing():
    assert DeviceDocument.from_json({"id": "1", "registrable": False, "registered": False}, complete=False).registered is None
    assert DeviceDocument.from_json({"id": "1", "registrable": True, "registered": False}, complete=False).registered is False


def test_names_lose_what_no_database_stores_and_keep_all_else():
    name = "Zoë <b>“O'Brien”</b> عليّ 😀"
    assert DeviceDocument.from_json({"id": "1", "name": f"\0{name}\ud800"}, complete=True).name == name


def test_a_number_where_text_belongs_is_kept():
    device = DeviceDocument.from_json({"id": "1", "caller_id": {"internal": {"number": 1001}}}, complete=True)
    assert device.caller_id_number == "1001"


def test_a_person_without_a_name_is_called_by_username_or_address():
    assert UserDocument.from_json({"id": "1", "username": "alice", "email": "a@b.example"}, complete=True).name == "alice"
    assert UserDocument.from_json({"id": "1", "email": "a@b.example"}, complete=True).name == "a@b.example"


@pytest.mark.parametrize(
    "value",
    [63937434600, "63937434600", 63937434600.0, "2026-02-04T14:30:00Z", "2026-02-04T14:30:00", "2026-02-04T15:30:00+01:00"],
)
def test_gregorian_seconds_and_iso_text_are_the_same_moment(value):
    assert moment(value) == datetime(2026, 2, 4, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "", "yesterday", 0, -5, True, 10**30, [], 1_767_225_600])
def test_what_is_no_gregorian_moment_is_none(value):
    assert moment(value) is None


def test_charges_are_read_line_by_line_and_totals_are_not_lines():
    quote = {
        "devices": {"softphone": {"category": "devices", "item": "softphone", "quantity": 3, "rate": 2.1}},
        "activation_charges": 1.0,
    }
    (line,) = charge_lines(quote)
    assert (line.item, line.quantity, line.rate, line.activation) == ("softphone", 3, Decimal("2.1"), Decimal(0))


def test_changes_leave_the_document_they_were_made_from_alone():
    document = {"id": "1", "sip": {"username": "alice"}, "_read_only": {"x": 1}}
    changed = with_changes(document, {"username": "bob", "caller_id_name": "Bob"})
    assert changed == {"id": "1", "sip": {"username": "bob"}, "caller_id": {"internal": {"name": "Bob"}}}
    assert document == {"id": "1", "sip": {"username": "alice"}, "_read_only": {"x": 1}}


def test_only_known_attributes_can_be_changed():
    with pytest.raises(KeyError):
        with_changes({"id": "1"}, {"device_type": "sip_device"})
