"""Owners: the users of the account at Audian."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from softphones.audian.documents import Page, UserDocument
from softphones.mirror.table import Table
from softphones.models import Owner
from softphones.people import fold

LONGEST_NAME = 256
LONGEST_ADDRESS = 254
LONGEST_NUMBER = 64


class Owners(Table):
    model = Owner
    counted = False

    def pages(self) -> Iterator[Page]:
        return self.client.user_pages(settings.API_PAGE_SIZE)

    def document(self, audian_id: str) -> UserDocument:
        return self.client.user(audian_id)

    def is_one(self, document: UserDocument) -> bool:
        return True

    def columns(self, document: UserDocument, row: Owner | None, context: Any) -> dict[str, Any]:
        columns = {"name": document.name[:LONGEST_NAME], "gone_at": None} | _address(document, row)
        columns["number"] = document.presence_id if _is_number(document.presence_id) else ""
        if document.enabled is not None:
            columns["enabled"] = document.enabled
        elif row is None:
            # Not in the row of a list. Until the whole document says otherwise, nobody gets in.
            columns["enabled"] = False
        return columns


def _address(document: UserDocument, row: Owner | None) -> dict[str, str]:
    """The address, and a hold where it is another than the one that this owner had: an admin has to look."""
    email = document.email.strip()
    if len(email) > LONGEST_ADDRESS:
        email = ""
    columns = {"email": email, "email_folded": fold(email)}
    if row is not None and row.email and row.email.casefold() != email.casefold():
        columns["hold"] = Owner.Hold.ADDRESS_CHANGED
    return columns


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER
