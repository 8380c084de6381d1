"""What every page has around it, the error pages, and the rules that hold for all templates and vendored files."""

import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template
from django.test import Client

from tests.factories import make_account
from tests.pages.conftest import HTMX, PASSWORD, soup, words

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted(path.relative_to(ROOT / "templates").as_posix() for path in (ROOT / "templates").rglob("*.*"))
#: Templates that Django finds by their name.
BY_NAME = {"400.html", "403.html", "403_csrf.html", "404.html", "500.html"}


def test_a_page_names_the_company_who_is_signed_in_and_the_helpdesk(signed_in, alice, alices_phone):
    page = soup(signed_in(alice).get("/"))
    assert words(page.select_one(".brand")) == "Acme Dental"
    assert words(page.select_one(".who .name")) == "Alice Smith"
    assert page.select_one("form[action='/sign-out/'][method=post] button")
    assert page.select_one("footer a[href='mailto:helpdesk@acme.example']")
    assert page.select_one("footer a[href='tel:+15550100']")
    assert page.title.get_text() == "My softphones · Acme Dental"
    assert page.select_one("body > a.skip")["href"] == "#content"


def test_before_sign_in_the_one_company_is_named_but_not_one_of_several(client, account):
    assert words(soup(client.get("/sign-in/")).select_one(".brand")) == "Acme Dental"
    make_account(company_name="Other")
    page = words(client.get("/sign-in/"))
    assert "Acme Dental" not in page
    assert "helpdesk@acme.example" not in page


def test_htmx_keeps_no_copies_of_pages_and_evaluates_nothing(client, account):
    config = soup(client.get("/sign-in/")).select_one("meta[name=htmx-config]")["content"]
    assert '"allowEval": false' in config
    assert '"historyCacheSize": 0' in config
    assert '"selfRequestsOnly": true' in config


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_needs_what_the_content_security_policy_forbids(name):
    text = (ROOT / "templates" / name).read_text()
    if not name.startswith("mail/"):
        assert not re.search(r"\sstyle=|\son\w+=|hx-on|javascript:|js:|<style|<script(?![^>]*\bsrc=)", text), name


def test_every_template_is_used():
    sources = [*(ROOT / "templates").rglob("*.*"), *(ROOT / "softphones").rglob("*.py"), *(ROOT / "portal").rglob("*.py")]
    said = "".join(path.read_text() for path in sources)
    unused = [name for name in TEMPLATES if name not in BY_NAME and f"{name}" not in said and not name.startswith("mail/")]
    assert not unused


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name.endswith(".html")])
def test_every_template_compiles(name):
    get_template(name)


def test_a_page_that_is_not_there_says_so_in_the_portals_own_words(signed_in, alice):
    response = signed_in(alice).get("/softphones/123456/")
    assert response.status_code == 404
    assert "There is nothing here" in words(response)
    assert "+1 555 0100" in words(response)


def test_a_form_that_was_open_for_too_long_is_refused_with_advice(account):
    response = Client(enforce_csrf_checks=True).post("/sign-in/", {"email": "alice@acme.example"})
    assert response.status_code == 403
    assert "This page had been open for too long" in words(response)
    assert "+1 555 0100" in words(response)


def test_a_sign_in_page_left_open_in_another_tab_goes_on_to_where_it_wanted(account, alice):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)  # in one tab
    for page in ("/sign-in/", "/sign-in/code/", "/sign-in/password/"):
        response = browser.post(page, {"email": "alice@acme.example", "next": "/account/password/"})  # in the other
        assert (response.status_code, response["Location"]) == (302, "/account/password/")


def test_a_button_on_a_page_from_before_another_sign_in_loads_the_page_anew(alice, alices_phone):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    response = browser.post(f"/softphones/{alices_phone.pk}/password/", {"app": "linphone"}, headers=HTMX)
    assert response.status_code == 403
    assert response["HX-Refresh"] == "true"
    assert PASSWORD not in response.text


def test_an_error_of_ours_is_a_page_that_needs_no_database(signed_in, alice, monkeypatch):
    from softphones.views import me

    def broken(*args, **kwargs):
        raise RuntimeError("the database is gone")

    monkeypatch.setattr(me, "accounts_of", broken)
    client = signed_in(alice)
    client.raise_request_exception = False
    response = client.get("/")
    assert response.status_code == 500
    assert "Something went wrong on our side" in words(response)
    assert "database is gone" not in response.text


def test_a_damaged_request_is_refused_with_a_page():
    response = Client().get("/", headers={"Host": "somewhere.else.example"})
    assert response.status_code == 400
    assert "That request made no sense to us" in words(response)


def test_what_is_vendored_is_what_the_list_says():
    folder = ROOT / "static" / "vendor"
    listed = re.findall(r"^([0-9a-f]{64})  (\S+)$", (folder / "README.md").read_text(), re.MULTILINE)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"README.md"}
    assert {name for _, name in listed} == there
    for sha256, name in listed:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256, name


def test_our_own_stylesheet_stays_small():
    assert (ROOT / "static" / "portal.css").stat().st_size <= 56_000


def test_a_change_of_our_stylesheet_can_be_read_line_by_line():
    lines = (ROOT / "static" / "portal.css").read_text().splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > 128] == []
