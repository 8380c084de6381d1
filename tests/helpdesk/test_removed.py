"""Somebody whom an admin removed from the members, while their phone stays: what is said of it, and the way back."""

import pytest

from softphones.models import Message
from tests.pages.conftest import words

WHY = "Alice Smith was removed from the members, so they see no phone here. Ask an admin to let them in again."


@pytest.fixture
def removed(alice, alices_phone):
    alice.memberships.get().delete()
    return alices_phone


def test_no_link_is_mailed_to_where_it_leads_nowhere(helpdesk, removed):
    assert WHY in words(helpdesk.post(f"/acme/softphones/{removed.pk}/send/", follow=True))
    assert not Message.objects.exists()
    assert f"No mail can go out: {WHY}" in words(helpdesk.get(f"/acme/softphones/{removed.pk}/reset/"))


def test_their_page_says_so_and_they_read_it_too(helpdesk, removed, alice, signed_in):
    assert "removed from the members" not in words(helpdesk.get("/acme/people/"))
    page = words(helpdesk.get(f"/acme/people/{removed.owner_id}/"))
    assert "This person was removed from the members: they see no phone here. An administrator can let them in again." in page
    assert "Your access was ended" in words(signed_in(alice).get("/"))


def test_an_admin_lets_them_in_again_as_the_page_says(admin, removed, alice, signed_in):
    address = f"/acme/people/{removed.owner_id}/"
    assert "unlink them under “Who stands behind this person”, then confirm them" in words(admin.get(address))
    admin.post(f"{address}unlink/")
    assert "Confirm this person" in words(admin.get(address))
    admin.post(f"{address}confirm/")
    assert "was removed" not in words(admin.get(address))
    assert signed_in(alice).get(f"/softphones/{removed.pk}/").status_code == 200
