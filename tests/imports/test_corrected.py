"""A row that could not be made, corrected and imported again: it is made as the file says now."""

import pytest
from django.utils import timezone

from softphones import changes
from softphones.models import Change, Softphone
from tests.factories import make_owner
from tests.imports.conftest import again, softphones_of


@pytest.mark.parametrize("edited", ["caller_id_number", "owner_id"])
def test_an_edit_of_before_does_not_come_back(check, start, send, sandbox, account, admin, alice, settings, edited):
    settings.CHANGE_ATTEMPTS = 1
    bob = make_owner(account, "bob@acme.example", name="Bob Jones")
    start(check("name,owner_email,extension\nLobby,alice@acme.example,100\n"))
    wanted = {"caller_id_number": "999", "owner_id": bob.audian_id}[edited]
    asked = {"softphone": Softphone.objects.get(), "by": admin, "now": timezone.now()}
    edit = changes.update(**asked, values={edited: wanted}, seen={})
    sandbox.faults.add("500", method="PUT", path="/devices", times=1)
    send()
    assert again(edit).state == Change.State.FAILED
    start(check("name,owner_email,extension\nLobby,alice@acme.example,200\n"))
    send()
    [made] = softphones_of(sandbox)
    assert (made["caller_id"]["internal"]["number"], made["owner_id"]) == ("200", alice.audian_id)
    assert (again(edit).state, edit.error, edit.folded_into) == (Change.State.REPLACED, "", None)
