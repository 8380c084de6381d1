"""People who left while a phone of theirs still works, and closing what they leave."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from softphones import changes, setup_links
from softphones import helpdesk as room
from softphones.models import AuditEvent, Change, Membership, Owner, Softphone
from softphones.people import check_links
from tests.factories import make_account, make_owner, make_softphone
from tests.helpdesk.conftest import PASSWORD
from tests.pages.conftest import soup, words
from tests.staffing import staff_browser


def again(row):
    row.refresh_from_db()
    return row


@pytest.fixture
def alice_has_left(alices_owner, alices_phone):
    Owner.objects.filter(pk=alices_owner.pk).update(enabled=False)
    return again(alices_owner)


def test_disabled_gone_and_dangling_count_while_a_phone_works(account, alices_phone):
    assert not room.leavers(account).exists()
    off = make_softphone(account, make_owner(account, name="Off", enabled=False), name="1 off")
    gone = make_softphone(account, make_owner(account, name="Gone", gone_at=timezone.now()), name="2 gone")
    dangling = make_softphone(account, name="3 dangling", owner_audian_id="f" * 32)
    second = make_softphone(account, name="4 dangling too", owner_audian_id="f" * 32)
    make_softphone(account, name="nobody's")
    make_softphone(account, off.owner, name="switched off", enabled=False)
    make_softphone(account, off.owner, name="gone", gone_at=timezone.now())
    make_softphone(account, off.owner, name="never made", audian_id=None)
    assert set(room.leavers(account)) == {off, gone, dangling, second}
    assert room.people_leaving(account) == 3


def test_the_list_names_them_and_why(helpdesk, account, alice_has_left):
    make_softphone(account, name="Somebody's phone", owner_audian_id="f" * 32)
    rows = [words(row) for row in soup(helpdesk.get("/acme/leavers/")).select(".leaver")]
    assert sorted(rows) == [
        "Alice Smith switched off at Audian · 1 phone still works Close their phones…",
        "Somebody's phone names a person whom Audian does not have · 1 phone still works Close their phones…",
    ]


def names(page) -> list[str]:
    return [words(each) for each in soup(page).select(".leaver strong")]


def turned(browser, page, rel) -> list:
    """The pages that follow when *Next* or *Previous* is pressed until there is none."""
    pages = [page]
    while link := soup(pages[-1]).select_one(f"a[rel={rel}]"):
        pages.append(browser.get("/acme/leavers/" + link["href"]))
        assert len(pages) < 10
    return pages


def test_all_of_them_are_listed_a_page_at_a_time_and_as_many_as_the_overview_says(helpdesk, account):
    for number in range(130):
        make_softphone(account, make_owner(account, name=f"Leaver {number:03}", enabled=False))
    for number in range(75):
        for phone in range(2):
            make_softphone(account, name=f"Desk {number:03}{'ab'[phone]}", owner_audian_id=f"d{number:031x}")
    here = make_owner(account, name="Leaver 000 who is here")
    make_softphone(account, here)
    everybody = [f"Leaver {number:03}" for number in range(130)] + [f"Desk {number:03}a" for number in range(75)]
    forwards = turned(helpdesk, helpdesk.get("/acme/leavers/"), "next")
    assert [len(names(page)) for page in forwards] == [50, 50, 50, 50, 5]
    assert [name for page in forwards for name in names(page)] == everybody
    backwards = turned(helpdesk, forwards[-1], "prev")
    assert [names(page) for page in backwards] == [names(page) for page in reversed(forwards)]
    assert "205 leavers" in words(helpdesk.get("/acme/"))


def test_all_phones_of_a_person_are_counted(helpdesk, account):
    owner = make_owner(account, name="Anna", enabled=False)
    for left, number in ((owner, 201), (make_owner(account, name="Bert", enabled=False), 2)):
        for phone in range(number):
            make_softphone(account, left, name=f"Phone {phone}")
    for phone in range(3):
        make_softphone(account, name=f"Phone {phone}", owner_audian_id="f" * 32)
    rows = [words(row) for row in soup(helpdesk.get("/acme/leavers/")).select(".leaver")]
    assert [re.search(r"\d+ phones still work", row)[0] for row in rows] == [
        "201 phones still work",
        "2 phones still work",
        "3 phones still work",
    ]


def test_the_list_costs_as_many_queries_for_two_as_for_many(helpdesk, account):
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert helpdesk.get("/acme/leavers/").status_code == 200
        return len(found)

    def leave(number):
        make_softphone(account, make_owner(account, name=f"Leaver {number}", enabled=False))
        make_softphone(account, name=f"Phone {number}", owner_audian_id=f"d{number:031x}")

    leave(1)
    queries()
    before = queries()
    for number in range(2, 12):
        leave(number)
    assert queries() == before


def test_nobody_left_says_so(helpdesk, alices_phone):
    assert "Nobody left a phone behind" in words(helpdesk.get("/acme/leavers/"))


@pytest.fixture
def two_pages(helpdesk, account):
    """51 leavers, and the pages that list them."""
    for number in range(51):
        make_softphone(account, make_owner(account, name=f"Leaver {number:03}", enabled=False))
    return turned(helpdesk, helpdesk.get("/acme/leavers/"), "next")


def address_of(page) -> str:
    return f"{page.request['PATH_INFO']}?{page.request['QUERY_STRING']}"


def closed(*which) -> None:
    Softphone.objects.filter(owner__name__in=[f"Leaver {number:03}" for number in which]).update(enabled=False)


def test_where_all_of_the_last_page_are_closed_the_others_are_shown(helpdesk, two_pages):
    closed(50)
    page = helpdesk.get(address_of(two_pages[-1]), follow=True)
    assert names(page) == [f"Leaver {number:03}" for number in range(50)]


def test_where_all_before_a_page_are_closed_previous_shows_the_others(helpdesk, two_pages):
    closed(*range(50))
    back = soup(two_pages[-1]).select_one("a[rel=prev]")["href"]
    assert names(helpdesk.get(f"/acme/leavers/{back}", follow=True)) == ["Leaver 050"]
    closed(50)
    assert "Nobody left a phone behind" in words(helpdesk.get(f"/acme/leavers/{back}", follow=True))


@pytest.mark.parametrize("odd", ["a/b", "..", "a?b", "%2F", "a\nb", "new"])
def test_whatever_a_phone_calls_its_person_the_list_is_there_and_they_are_closed(helpdesk, account, odd):
    make_softphone(account, name="Odd", owner_audian_id=odd)
    second = make_softphone(account, name="Odd too", owner_audian_id=odd)
    make_softphone(account, name="Another", owner_audian_id="f" * 32)
    make_softphone(account, name="Nobody's")
    address = soup(helpdesk.get("/acme/leavers/")).select(".leaver a.button")[-1]["href"]
    assert "Close 2 phones" in words(helpdesk.get(address))
    assert "2 phones are being closed." in words(helpdesk.post(address, {"key": "one"}, follow=True))
    assert set(Change.objects.values_list("softphone__name", flat=True)) == {"Odd", second.name}


def test_one_whose_last_phone_is_switched_off_while_the_list_is_read_is_not_on_it(helpdesk, account):
    phone = make_softphone(account, name="Lobby", owner_audian_id="f" * 32)

    def off_meanwhile(execute, sql, *args):
        found = execute(sql, *args)
        if "MIN(" in sql:  # who they are has been read; their phones have not
            Softphone.objects.filter(pk=phone.pk).update(enabled=False)
        return found

    with connection.execute_wrapper(off_meanwhile):
        assert names(helpdesk.get("/acme/leavers/")) == []


def test_closing_says_first_what_it_ends(helpdesk, alice_has_left):
    page = helpdesk.get(f"/acme/people/{alice_has_left.pk}/close/")
    assert "Close the phones of Alice Smith?" in words(page)
    assert "Alice's laptop" in words(page)
    assert "They are signed out of the portal everywhere." in words(page)
    assert not Change.objects.exists()


def test_closing_ends_phones_passwords_links_and_sessions(
    helpdesk, signed_in, alice, alice_has_left, alices_phone, audian_is_told, sandbox
):
    browser = signed_in(alice)
    assert browser.get("/").status_code == 200
    drawn = setup_links.draw(softphone=alices_phone, user=alice, ip=None, now=timezone.now())
    data = {"key": "one", "reason": "Left"}
    done = helpdesk.post(f"/acme/people/{alice_has_left.pk}/close/", data, follow=True)
    assert "1 phone is being closed. 1 session was ended." in words(done)
    assert again(drawn.link).revoked_at  # so that it stays dead, should she come back
    assert browser.get("/").status_code == 302
    assert helpdesk.get("/acme/people/").status_code == 200
    audian_is_told()
    device = sandbox.device(alices_phone.audian_id)
    assert device["enabled"] is False
    assert device["sip"]["password"] != PASSWORD
    assert not room.leavers(alices_phone.account).exists()
    event = AuditEvent.objects.get(act="person:closed")
    assert (event.actor, event.reason, event.data["count"]) == (helpdesk.user, "Left", 1)


@pytest.fixture
def second(plant, alices_owner, alices_phone):
    """Alice's second phone, before she leaves."""
    return plant(alices_owner, "Alice's mobile", "user_alice_2")


def test_all_their_phones_are_closed(helpdesk, second, alice_has_left, alices_phone, audian_is_told, sandbox):
    done = helpdesk.post(f"/acme/people/{alice_has_left.pk}/close/", {"key": "one"}, follow=True)
    assert "2 phones are being closed." in words(done)
    audian_is_told()
    for phone in (alices_phone, second):
        device = sandbox.device(phone.audian_id)
        assert device["enabled"] is False
        assert device["sip"]["password"] != PASSWORD


def test_one_that_is_being_deleted_does_not_keep_the_others_open(
    helpdesk, second, alice_has_left, alices_phone, audian_is_told, sandbox
):
    changes.delete(softphone=alices_phone, by=helpdesk.user, now=timezone.now())
    done = helpdesk.post(f"/acme/people/{alice_has_left.pk}/close/", {"key": "one"}, follow=True)
    assert "1 phone is being closed." in words(done)
    audian_is_told()
    assert sandbox.device(alices_phone.audian_id) is None
    assert sandbox.device(second.audian_id)["enabled"] is False


def test_closing_twice_by_accident_happens_once(helpdesk, alice_has_left, alices_phone, audian_is_told):
    for _press in range(2):
        helpdesk.post(f"/acme/people/{alice_has_left.pk}/close/", {"key": "one"})
        audian_is_told()
    assert Change.objects.filter(softphone=alices_phone).count() == 2
    assert AuditEvent.objects.filter(act="person:closed").count() == 1


def test_nobody_is_mailed_about_the_password_of_a_closed_phone(helpdesk, alice_has_left, alices_phone, audian_is_told):
    helpdesk.post(f"/acme/people/{alice_has_left.pk}/close/", {"key": "one"})
    audian_is_told()
    assert Change.objects.filter(softphone=alices_phone, state="done").count() == 2
    assert not alices_phone.messages.exists()


class TestSomebodyWhoHasNotLeft:
    """They could sign in and set a phone up again, so closing would promise what it does not keep."""

    @pytest.mark.parametrize("visit", ["get", "post"])
    def test_is_not_closed_and_the_page_says_what_to_do_first(self, helpdesk, alices_owner, alices_phone, visit):
        page = getattr(helpdesk, visit)(f"/acme/people/{alices_owner.pk}/close/", {"key": "one"})
        assert "Alice Smith has not left" in words(page)
        assert "Switch them off at Audian first" in words(page)
        [off] = soup(page).select("main a.button[href*='/off/']")
        assert words(off) == "Switch off Alice's laptop…"
        assert not soup(page).select("main form[method=post]")
        assert not Change.objects.exists()
        assert not AuditEvent.objects.filter(act="person:closed").exists()

    def test_nor_is_one_who_came_back_since_the_page_was_opened(self, helpdesk, alice_has_left, alices_phone):
        address = f"/acme/people/{alice_has_left.pk}/close/"
        assert "Close 1 phone" in words(helpdesk.get(address))
        left = room.one_leaving(alice_has_left)
        Owner.objects.update(enabled=True)
        assert "has not left" in words(helpdesk.post(address, {"key": "one"}))
        with pytest.raises(room.NotLeft):
            room.close(leaver=left, by=helpdesk.user, reason="", key="", ip=None, now=timezone.now())
        assert not Change.objects.exists()

    def test_their_page_says_how_to_close_their_phones_once_they_leave(self, helpdesk, alices_owner, alices_phone):
        page = helpdesk.get(f"/acme/people/{alices_owner.pk}/")
        assert "Does this person leave? Switch them off at Audian" in words(page)
        assert not soup(page).select("a[href*='/close/']")

    def test_one_who_left_and_whose_phones_are_off_can_still_be_closed(self, helpdesk, alice_has_left, alices_phone):
        Softphone.objects.update(enabled=False)
        page = helpdesk.get(f"/acme/people/{alice_has_left.pk}/")
        assert "This person has left, and none of their phones works." in words(page)
        address = soup(page).select_one("a[href*='/close/']")["href"]
        assert "1 phone is being closed." in words(helpdesk.post(address, {"key": "one"}, follow=True))


def test_phones_of_a_person_unknown_at_audian_are_closed_too(helpdesk, plant, audian_is_told, sandbox):
    phone = plant(None, owner_id="f" * 32)
    assert phone.owner is None
    page = soup(helpdesk.get(f"/acme/softphones/{phone.pk}/"))
    address = page.select_one(".note.bad a")["href"]
    helpdesk.post(address, {"key": "one"})
    audian_is_told()
    assert sandbox.device(phone.audian_id)["enabled"] is False


def test_a_phone_whose_person_audian_has_by_now_leads_to_them(helpdesk, account, alices_owner, alices_phone):
    address = f"/acme/softphones/{alices_phone.pk}/close/"
    assert helpdesk.post(address, {"key": "one"}).headers["Location"] == f"/acme/people/{alices_owner.pk}/close/"
    assert helpdesk.get(f"/acme/softphones/{make_softphone(account).pk}/close/").status_code == 404
    assert not Change.objects.exists()


def test_a_person_without_phones_has_nothing_to_close(helpdesk, account):
    owner = make_owner(account, enabled=False)
    assert helpdesk.get(f"/acme/people/{owner.pk}/close/").status_code == 404
    assert helpdesk.get("/acme/people/0/close/").status_code == 404
    assert Softphone.objects.count() == 0


@pytest.fixture
def hugo(account, plant):
    """A colleague at the helpdesk with a phone of their own: the browser; `.owner` is who they are at Audian."""
    browser = staff_browser(account, "helpdesk", "hugo@acme.example", name="Hugo Desk")
    browser.owner = make_owner(account, "hugo@acme.example", user=browser.user, name="Hugo Desk")
    plant(browser.owner, "Hugo's laptop", "user_hugo")
    return browser


def leaves(owner, how):
    """Switched off at Audian; gone, and so without a link; or given another address before they were switched off."""
    if how == "renamed, then off":
        Owner.objects.filter(pk=owner.pk).update(email="left@acme.example", email_folded="left@acme.example")
        Owner.objects.filter(pk=owner.pk).update(hold=Owner.Hold.ADDRESS_CHANGED)
    Owner.objects.filter(pk=owner.pk).update(**{"gone_at": timezone.now()} if how == "gone" else {"enabled": False})
    check_links(owner.account, timezone.now())


HOW = pytest.mark.parametrize("how", ["off", "gone", "renamed, then off"])


class TestStaffWhoLeft:
    @HOW
    def test_lose_the_desk_at_the_next_request(self, hugo, alices_phone, how):
        assert hugo.get("/acme/").status_code == 200
        leaves(hugo.owner, how)
        assert hugo.get("/acme/").status_code == 404
        assert hugo.post(f"/acme/softphones/{alices_phone.pk}/reset/", {"key": "one"}).status_code == 404
        assert "/acme/" not in hugo.get("/").content.decode()
        assert not Change.objects.exists()

    def test_keep_it_where_they_have_another_entry_that_is_on(self, hugo, account):
        leaves(hugo.owner, "gone")
        make_owner(account, "hugo@acme.example", name="Hugo Desk")
        assert hugo.get("/acme/").status_code == 200

    def test_lose_it_though_somebody_new_was_given_their_address_until_an_admin_confirms_that_it_is_them(
        self, admin, hugo, account
    ):
        leaves(hugo.owner, "gone")
        new = make_owner(account, "hugo@acme.example", name="Hugo Newman", hold=Owner.Hold.ADDRESS_CHANGED)
        assert hugo.get("/acme/").status_code == 404
        admin.post(f"/acme/people/{new.pk}/confirm/")
        assert hugo.get("/acme/").status_code == 200

    def test_lose_it_though_they_are_on_in_another_company(self, hugo):
        other = make_account(slug="other")
        make_owner(other, "hugo@acme.example", user=hugo.user)
        leaves(hugo.owner, "off")
        assert hugo.get("/acme/").status_code == 404

    def test_keep_it_where_they_only_claimed_the_address_of_somebody_who_left(self, account):
        browser = staff_browser(account, "helpdesk", "helga@acme.example")
        EmailAddress.objects.create(user=browser.user, email="left@acme.example", verified=False)
        make_owner(account, "left@acme.example", enabled=False)
        assert browser.get("/acme/").status_code == 200

    def test_keep_it_in_another_company(self, hugo):
        other = make_account(slug="other")
        Membership.objects.create(user=hugo.user, account=other, role="helpdesk")
        leaves(hugo.owner, "off")
        assert hugo.get("/other/").status_code == 200

    @HOW
    def test_closing_them_ends_their_role_and_sessions_too(self, admin, hugo, how):
        leaves(hugo.owner, how)
        [row] = soup(admin.get("/acme/leavers/")).select(".leaver")
        assert "has the role helpdesk here, which closing ends" in words(row)
        address = row.select_one("a.button")["href"]
        assert "They also have the role helpdesk here. It ends." in words(admin.get(address))
        closed = words(admin.post(address, {"key": "one"}, follow=True))
        assert "1 phone is being closed. 1 session was ended. Their staff role was ended." in closed
        assert hugo.user.memberships.get().role == "user"
        assert hugo.get("/").status_code == 302
        event = AuditEvent.objects.get(act="role:revoked")
        assert (event.actor, event.data["user"], event.data["role"]) == (admin.user, hugo.user.pk, "helpdesk")

    def test_closing_them_ends_nothing_in_another_company(self, admin, hugo):
        other = make_account(slug="other")
        Membership.objects.create(user=admin.user, account=other, role="admin")
        Membership.objects.create(user=hugo.user, account=other, role="helpdesk")
        make_owner(other, "hugo@acme.example", user=hugo.user)  # nor does an entry there keep them here
        leaves(hugo.owner, "off")
        closed = words(admin.post(f"/acme/people/{hugo.owner.pk}/close/", {"key": "one"}, follow=True))
        assert "Their staff role was ended." in closed
        assert {each.account.slug: each.role for each in hugo.user.memberships.all()} == {"acme": "user", "other": "helpdesk"}

    def test_one_who_is_on_under_another_entry_keeps_role_and_session(self, admin, hugo, account):
        leaves(hugo.owner, "gone")
        make_owner(account, "hugo@acme.example", name="Hugo Desk")
        closed = words(admin.post(f"/acme/people/{hugo.owner.pk}/close/", {"key": "one"}, follow=True))
        assert "1 phone is being closed." in closed
        assert "session was ended" not in closed
        assert "role was ended" not in closed
        assert hugo.get("/acme/").status_code == 200

    def test_a_role_that_whoever_closes_may_not_end_stays_and_the_page_says_so(self, admin, hugo):
        leaves(hugo.owner, "off")

        def meanwhile(execute, sql, *args):
            if sql.startswith("INSERT") and "softphones_change" in sql:  # another admin ends the role of this one
                admin.user.memberships.update(role="helpdesk")
            return execute(sql, *args)

        with connection.execute_wrapper(meanwhile):
            page = admin.post(f"/acme/people/{hugo.owner.pk}/close/", {"key": "one"}, follow=True)
        assert "Their role did not end: You are no longer an admin." in words(page)
        assert hugo.user.memberships.get().role == "helpdesk"
        assert Change.objects.exists()

    def test_nor_does_a_recycled_address_keep_them_from_being_closed(self, admin, hugo, account):
        leaves(hugo.owner, "gone")
        make_owner(account, "hugo@acme.example", name="Hugo Newman", hold=Owner.Hold.ADDRESS_CHANGED)
        admin.post(f"/acme/people/{hugo.owner.pk}/close/", {"key": "one"})
        assert hugo.user.memberships.get().role == "user"

    def test_are_still_nobody_whom_helpdesk_closes(self, helpdesk, hugo):
        leaves(hugo.owner, "renamed, then off")
        [row] = soup(helpdesk.get("/acme/leavers/")).select(".leaver")
        assert "For an administrator" in words(row)
        assert helpdesk.post(f"/acme/people/{hugo.owner.pk}/close/", {"key": "one"}).status_code == 404

    def test_are_named_among_the_members(self, admin, hugo):
        assert "opens nothing" not in words(admin.get("/acme/members/"))
        leaves(hugo.owner, "gone")
        assert "hugo@acme.example · switched off or gone at Audian: the role opens nothing" in words(
            admin.get("/acme/members/")
        )
