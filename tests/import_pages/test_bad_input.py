"""Whatever somebody puts into the form, the page says in a sentence what is wrong with it, and nothing breaks."""

import io
import random
import zipfile

import openpyxl
import pytest
from django.core.files.uploadedfile import TemporaryUploadedFile

from portal.uploads import MOST_BYTES
from softphones.models import Change, Import, Softphone
from tests.factories import make_owner, make_softphone
from tests.import_pages.conftest import BULK, as_file, ends, page_of
from tests.pages.conftest import soup, words

pytestmark = pytest.mark.django_db

MEGABYTE = 1024 * 1024


def workbook(rows: list[list]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def bomb() -> bytes:
    """A workbook of 100 kB that unpacks to 100 MB."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (100 * MEGABYTE))
    return kept.getvalue()


NOISE = random.Random(7)
FILES = {
    "nothing in it": (b"", "The file is empty. Start with the template."),
    "blanks alone": (b" \r\n \n", "The file is empty. Start with the template."),
    "a header alone": (b"name,owner_email\n", "there is nothing below the header. Write one for each softphone."),
    "two megabytes of noise": (NOISE.randbytes(2 * MEGABYTE - 1), "Save"),
    "a bomb": (bomb(), "This workbook unpacks to far more than a list of softphones."),
    "a zip archive": (bomb()[:2000], "This workbook is damaged or cut off."),
    "a hundred thousand columns": (b",".join([b"name"] + [b"x"] * 99_999) + b"\nLobby\n", "The file has 100000 columns"),
    "a column twice": (b"name,Name\nLobby,Hall\n", "The column name stands there twice."),
    "an open quotation mark": (b'name\n"Lobby\nHall\n', "Close them"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(200), "This is a PNG file, not a spreadsheet."),
    "six thousand rows": (b"name\n" + b"x\n" * 6000, "The file has more than 5000 rows. Split it."),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_none_ends_in_a_sentence_and_a_place_for_the_next_one(admin, kind):
    file, sentence = FILES[kind]
    response = admin.post(BULK, {"file": as_file(file)}, follow=True)
    page = soup(response)
    assert response.status_code == 200
    assert "The file can’t be used as it is" in words(page)
    assert sentence in words(page.select_one(".faults"))
    assert page.select_one("input[type=file]")
    assert not page.select("form[action$='/start/']")


def test_ten_megabytes_are_refused_with_their_size_and_not_stored(admin):
    response = admin.post(BULK, {"file": as_file(NOISE.randbytes(10 * MEGABYTE))})
    assert "The file has 10.0 MB; at most 2 MB are read. Split it." in words(soup(response).select_one(".errorlist"))
    assert not Import.objects.exists()


def test_what_is_larger_than_any_form_takes_is_refused_before_it_is_written_to_a_disk(admin, monkeypatch):
    written = []
    monkeypatch.setattr(TemporaryUploadedFile, "__init__", lambda self, *args, **kwargs: written.append(args))
    response = admin.post(BULK, {"file": as_file(bytes(MOST_BYTES + 1))})
    assert response.status_code == 413
    assert "may have 2 MB" in words(response)
    assert written == []
    assert soup(response).select_one(f"main a[href='{BULK}']"), "back to where the form is"


def test_far_too_many_pasted_rows_are_refused_with_a_sentence(admin):
    response = admin.post(BULK, {"text": "name\n" + "x" * 3 * MEGABYTE})
    assert response.status_code == 413
    assert "may have 2 MB" in words(response)


@pytest.mark.parametrize("forged", ["x", "0", "9" * 30])
def test_a_forged_mark_of_the_check_that_is_replaced_is_answered_with_a_sentence(admin, forged):
    response = admin.post(BULK, {"text": "name\nLobby\n", "instead_of": forged})
    assert "The page that this came from is not known. Choose the file again." in words(response)
    assert not soup(response).select("[name=instead_of]")
    assert not Import.objects.exists()


ROWS = {
    "a formula": ("name\n=cmd|' /C calc'!A0\n", None, "Will be created"),
    "a formula in every cell": (
        "name,owner_email,owner_id,extension,caller_id_name,sip_username,sip_password,enabled\n"
        + ",".join(["=cmd|x"] * 8)
        + "\n",
        "owner_email",
        "Audian has nobody with the address that stands here",
    ),
    "an apostrophe": ("name\n't Hooft\n", None, "'t Hooft"),
    "a NUL byte": ("name\nLob\0by\n", "name", "“Lob�by” holds a character that can’t be seen"),
    "too many cells": ("name,extension\nLobby,1,2,3\n", None, "This row has 4 cells, but the header names 2 columns."),
    "too few cells": ("name,extension,caller_id_name\nLobby\n", None, "This row ends early: extension, caller_id_name"),
    "a name of 129 characters": ("name\n" + "n" * 129 + "\n", "name", "has 129 characters; at most 128 are possible"),
    "a password of 4 characters": ("name,sip_password\nLobby,abcd\n", "sip_password", "The password has 4 characters"),
    "a password of 33 characters": ("name,sip_password\nLobby," + "p" * 33 + "\n", "sip_password", "The password has 33"),
    "an extension with zeros": ("name,extension\nLobby,0042\n", None, "0042"),
}


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_that_is_wrong_says_in_which_column_and_what_to_do(admin, kind):
    file, column, sentence = ROWS[kind]
    response = admin.post(BULK, {"file": as_file(file)}, follow=True)
    row = soup(response).select_one("#rows tbody tr")
    assert sentence in words(row)
    if column:
        assert column in [words(name) for name in row.select(".verdict p code")]


def test_a_nul_that_is_pasted_is_told_with_its_line_like_one_in_a_file(admin):
    response = admin.post(BULK, {"text": "name\nHall\nLob\0by\n"}, follow=True)
    first = words(soup(response).select_one("#rows tbody tr"))
    assert first.startswith("Line 3")
    assert "“Lob�by” holds a character that can’t be seen (shown as �). Type it anew." in first


def test_text_that_is_not_utf8_is_shown_as_it_is_meant_with_a_notice(admin):
    response = admin.post(BULK, {"file": as_file("name,extension\nJosé Müller,1001\n".encode("cp1252"))}, follow=True)
    page = soup(response)
    assert "José Müller" in words(page.select_one("#rows tbody tr"))
    notice = "The file is not UTF-8; it was read as Windows-1252. Check that names with accents are right."
    assert notice in [words(each) for each in page.select(".note")]


def test_usernames_that_differ_in_case_alone_are_one(admin):
    response = admin.post(BULK, {"file": as_file("name,sip_username\nLobby,Desk.1\nHall,desk.1\n")}, follow=True)
    first = words(soup(response).select_one("#rows tbody tr"))
    assert first.startswith("Line 3 Hall")
    assert "The username “desk.1” stands in line 2 already. Choose another." in first


def test_a_workbook_keeps_the_zeros_that_it_shows(admin):
    response = admin.post(
        BULK, {"file": as_file(workbook([["name", "extension"], ["Lobby", "0042"]]), "phones.xlsx")}, follow=True
    )
    assert "0042" in words(soup(response).select_one("#rows tbody tr"))


def test_a_name_that_is_html_is_text(admin):
    response = admin.post(BULK, {"file": as_file("name\n<script>alert(1)</script>\n", "<b>x</b>.csv")}, follow=True)
    assert b"<script>alert" not in response.content
    assert b"<b>x" not in response.content


def test_a_file_name_may_be_anything(admin):
    for name in ("../../etc/passwd", "a" * 300 + ".csv", "новые.csv", "x\u202evsc.exe"):
        response = admin.post(BULK, {"file": as_file(f"name\n{len(name)}\n", name)}, follow=True)
        assert response.status_code == 200
        assert "\u202e" not in words(soup(response).h1)


def test_the_same_file_again_after_mending_three_rows_makes_those_three_alone(admin, upload, account):
    owners = [make_owner(account, f"p{number}@acme.example", name=f"P {number}") for number in range(6)]
    right = [f"{owner.name},{owner.email}" for owner in owners]
    wrong = [row.replace("@acme", "@amce") if number < 3 else row for number, row in enumerate(right)]
    first = upload("name,owner_email\n" + "\n".join(wrong) + "\n")
    admin.post(f"{page_of(first)}start/", {"skip_errors": "on"})
    ends(first)
    second = upload("name,owner_email\n" + "\n".join(right) + "\n")
    assert (second.will, second.exists, second.errors) == (3, 3, 0)
    admin.post(f"{page_of(second)}start/")
    assert Change.objects.filter(batch=second.batch).count() == 3
    assert sorted(Softphone.objects.values_list("name", flat=True)) == [owner.name for owner in owners]


def test_numbers_in_the_address_that_no_row_has_are_not_found(admin):
    assert admin.get(f"{BULK}999999999/").status_code == 404
    assert admin.post(f"{BULK}999999999/start/").status_code == 404
    assert admin.get(f"{BULK}{'9' * 40}/").status_code == 404


def test_marks_of_pages_that_are_not_ours_count_as_none(admin, upload):
    address = page_of(upload("name\nLobby\n"))
    for mark in ("x", "1:2:3", "%00"):
        assert "Lobby" in words(admin.get(f"{address}?after={mark}&before={mark}"))


def test_a_second_start_of_the_same_import_starts_nothing_more(admin, upload, account):
    make_softphone(account)
    batch = upload("name\nLobby\nHall\n")
    for _press in range(2):
        assert admin.post(f"{page_of(batch)}start/").status_code == 302
    assert Change.objects.filter(batch=batch.batch).count() == 2
