"""A spreadsheet is put into the form, and the page says what would happen to each row."""

import pytest

from tests.pages.conftest import soup, words

pytestmark = pytest.mark.django_db

DIRTY = "name,owner_email\nAlice - softphone,alice@acme.example\n,alice@acme.example\nLobby,nobody@acme.example\n"


def test_a_dirty_file_shows_its_errors_first_each_with_line_column_value_and_what_to_do(admin, upload, owner):
    batch = upload(DIRTY)
    page = soup(admin.get(f"/acme/imports/{batch.pk}/"))
    rows = [words(row) for row in page.select("#rows tbody tr")]
    assert "The name is empty" in rows[0]
    assert "nobody@acme.example" in rows[1]
    assert "Alice - softphone" in rows[2]
    assert "2 rows have errors" in words(page)
