"""Creating, editing and deleting one softphone by hand."""

from functools import partial

import pytest
from django.utils import timezone

from softphones import changes, search
from softphones.models import AuditEvent, Change, SetupLink, Softphone
from tests.factories import make_owner, make_softphone, make_user
from tests.pages.conftest import HTMX, soup, words
from tests.staffing import signed_in_as_staff

NEW = "/acme/softphones/new/"


@pytest.fixture
def carla(account):
    owner = make_owner(account, "carla@acme.example", name="Carla Núñez", number="1007")
    search.add(account, [owner])
    return owner


def form_on(response) -> dict:
    """What the form of a page would send if nothing were changed."""
    form = {}
    for field in soup(response).select("main form[method=post] :is(input, select)[name]"):
        if field.get("type") in {"checkbox", "radio"} and not field.has_attr("checked"):
            continue
        form[field["name"]] = field.get("value", "on" if field.get("type") == "checkbox" else "")
    return form


def fill(client, address, **values):
    """Send the form of a page as it came, with these values."""
    return client.post(address, form_on(client.get(address)) | values)


class TestCreate:
    def test_a_name_that_nobody_can_see_is_refused(self, admin, account):
        assert "Only characters that can’t be seen are in this name." in words(fill(admin, NEW, name="\u200b"))
        assert not Change.objects.exists()

    def test_a_name_is_enough(self, admin):
        response = fill(admin, NEW, name="Reception")
        phone = Softphone.objects.get()
        change = phone.changes.get()
        assert response["Location"] == f"/acme/changes/{change.pk}/"
        assert (phone.name, phone.owner, phone.enabled, phone.audian_id) == ("Reception", None, True, None)
        assert phone.sip_username.startswith("user_")
        assert (change.kind, change.state, change.asked_by) == ("create", "queued", admin.user)

    def test_everything_can_be_given(self, admin, carla):
        values = {
            "caller_id_number": "1007",
            "caller_id_name": "Carla N.",
            "sip_username": "Carla.7",
        }
        fill(admin, NEW, name="Carla's tablet", owner=carla.pk, **values)
        phone = Softphone.objects.get()
        assert (phone.owner, phone.sip_username, phone.caller_id_number) == (carla, "Carla.7", "1007")
        assert len(phone.changes.get().password) == 20

    @pytest.mark.parametrize("password", ["s3c!x", "s3cret!x" * 4])
    def test_a_phone_of_nobody_can_have_the_password_that_its_app_has(self, admin, password):
        fill(admin, NEW, name="Door", sip_password=password)
        assert Softphone.objects.get().changes.get().password == password

    def test_nobody_chooses_the_password_of_somebodys_phone(self, admin, carla):
        assert "Leave it empty" in words(fill(admin, NEW, name="Tablet", owner=carla.pk, sip_password="s3cret!x"))
        assert not Softphone.objects.exists()

    def test_pressed_twice_it_is_one(self, admin):
        form = form_on(admin.get(NEW)) | {"name": "Reception"}
        first, second = admin.post(NEW, form), admin.post(NEW, form)
        assert first["Location"] == second["Location"]
        assert Softphone.objects.count() == 1

    def test_two_forms_are_two_phones(self, admin):
        fill(admin, NEW, name="Reception")
        fill(admin, NEW, name="Reception")
        assert Softphone.objects.count() == 2

    @pytest.mark.parametrize(
        ("values", "says"),
        [
            ({"name": " "}, "Give the softphone a name."),
            ({"name": "x" * 129}, "at most 128"),
            ({"caller_id_number": "ext 5"}, "An extension has digits"),
            ({"sip_username": "a b"}, "2 to 32 letters"),
            ({"sip_username": "TAKEN"}, "“Old phone” has this username already."),
            ({"sip_password": "shrt"}, "5 to 32 letters"),
            ({"sip_password": "x" * 33}, "5 to 32 letters"),
            ({"sip_password": "with space"}, "5 to 32 letters"),
            ({"owner": "999999"}, "no longer at Audian"),
        ],
    )
    def test_a_mistake_is_told_at_its_field_and_keeps_the_rest(self, admin, account, values, says):
        make_softphone(account, name="Old phone", sip_username="taken")
        response = fill(admin, NEW, **{"name": "Reception", "caller_id_name": "Front"} | values)
        assert says in words(response)
        assert soup(response).select_one("[name=caller_id_name]")["value"] == "Front"
        assert Softphone.objects.count() == 1

    def test_a_typed_password_is_never_sent_back(self, admin):
        response = fill(admin, NEW, name="", sip_password="s3cret!x")
        assert "s3cret!x" not in response.text

    def test_a_person_of_another_account_is_nobody(self, admin, mallory):
        stranger = make_owner(mallory.memberships.get().account, "m@evil.example")
        assert "no longer at Audian" in words(fill(admin, NEW, name="x", owner=stranger.pk))
        assert "M" not in words(soup(admin.get(f"{NEW}?owner={stranger.pk}")).select_one("#owners")).split()

    @pytest.mark.parametrize("owner", ["9" * 19, "9" * 20, "9" * 5000, "-1", "²"])
    def test_what_can_be_nobody_is_nobody(self, admin, owner):
        assert admin.get(NEW, {"owner": owner}).status_code == 200
        assert admin.get("/acme/owners/", {"owner": owner}, headers=HTMX).status_code == 200
        assert fill(admin, NEW, name="x", owner=owner, find="").status_code == 200
        assert fill(admin, NEW, name="x", owner=owner).status_code == 200
        assert not Softphone.objects.exists()

    def test_nobody_gives_a_phone_to_themselves(self, admin, account):
        linked = make_owner(account, "other@acme.example", user=admin.user)
        same_address = make_owner(account, "adam@acme.example")
        for owner in (linked, same_address):
            assert "Nobody gives a phone to themselves" in words(fill(admin, NEW, name="x", owner=owner.pk))
        assert not Softphone.objects.exists()

    def test_a_person_is_found_by_typing(self, admin, carla):
        found = admin.get("/acme/owners/?owner_text=nun", headers=HTMX)
        assert "Carla Núñez" in words(found)
        assert admin.get("/acme/owners/?owner_text=nun").status_code == 404

    def test_without_a_script_the_button_finds(self, admin, carla):
        response = fill(admin, NEW, name="Tablet", find="1", owner_text="carla")
        page = soup(response)
        assert page.select_one(f"input[name=owner][value='{carla.pk}']")
        assert page.select_one("[name=name]")["value"] == "Tablet"
        assert not page.select(".errorlist")
        assert not Softphone.objects.exists()

    def test_the_page_of_a_person_leads_here_with_them_chosen(self, admin, carla):
        page = soup(admin.get(f"{NEW}?owner={carla.pk}"))
        assert page.select_one("input[name=owner][checked]")["value"] == str(carla.pk)


class TestEdit:
    @pytest.fixture
    def address(self, alices_phone):
        return f"/acme/softphones/{alices_phone.pk}/edit/"

    def test_only_what_was_changed_is_asked_for(self, admin, alices_phone, address):
        response = fill(admin, address, name="Alice's laptop")
        change = alices_phone.changes.get()
        assert response["Location"] == f"/acme/changes/{change.pk}/"
        assert change.values == {"name": "Alice's laptop"}
        assert change.seen == {"name": "Alice Smith - softphone"}
        assert change.password is None

    def test_nothing_changed_says_so_and_asks_audian_for_nothing(self, admin, alices_phone, address):
        answer = fill(admin, address)
        assert answer["Location"] == address
        assert "Nothing changed: it is as you want it already." in words(admin.get(address))
        assert not alices_phone.changes.exists()
        assert not AuditEvent.objects.filter(act="softphone:changed").exists()

    def test_pressed_twice_it_is_asked_for_once(self, admin, alices_phone, carla, address):
        form = form_on(admin.get(address)) | {"owner": carla.pk}
        first, second = admin.post(address, form), admin.post(address, form)
        assert first["Location"] == second["Location"]
        assert alices_phone.changes.count() == 1

    def test_switching_off_takes_the_tick_away(self, admin, alices_phone, address):
        form = form_on(admin.get(address))
        del form["enabled"]
        admin.post(address, form)
        assert alices_phone.changes.get().values == {"enabled": False}

    def test_another_person_means_a_new_password_and_no_link_works(self, admin, alice, alices_phone, carla, address):
        now = timezone.now()
        link = SetupLink.objects.create(softphone=alices_phone, made_by=alice, token_hash="x", expires_at=now, made_at=now)
        fill(admin, address, owner=carla.pk)
        change = alices_phone.changes.get()
        assert change.values == {"owner_id": carla.audian_id}
        assert len(change.password) == 20
        link.refresh_from_db()
        assert link.revoked_at

    def test_what_the_visitor_saw_counts_and_not_what_is_there_now(self, admin, alices_phone, address):
        form = form_on(admin.get(address)) | {"name": "Mine"}
        Softphone.objects.filter(pk=alices_phone.pk).update(name="Somebody else's")
        admin.post(address, form)
        assert alices_phone.changes.get().seen == {"name": "Alice Smith - softphone"}

    def test_what_was_seen_can_not_be_made_up(self, admin, alices_phone, address):
        assert "Open the page anew" in words(fill(admin, address, seen="made up"))
        assert not alices_phone.changes.exists()

    def test_what_was_seen_of_another_phone_does_not_count(self, admin, account, address):
        other = make_softphone(account, name="Lobby")
        seen = form_on(admin.get(f"/acme/softphones/{other.pk}/edit/"))["seen"]
        assert "Open the page anew" in words(fill(admin, address, seen=seen))

    def test_what_is_on_its_way_is_shown_and_can_be_taken_back(self, admin, alices_phone, carla, address):
        was = alices_phone.name
        fill(admin, address, name="Lobby", owner=carla.pk)
        form = form_on(admin.get(address))
        assert (form["name"], form["owner"]) == ("Lobby", str(carla.pk))
        admin.post(address, form | {"name": was, "owner": str(alices_phone.owner_id)})
        back = alices_phone.changes.order_by("pk").last()
        assert back.values == {"name": was, "owner_id": alices_phone.owner_audian_id}

    def test_nobody_takes_or_gives_away_their_own_phone(self, admin, account, carla, alices_phone, address):
        me = make_owner(account, "adam@acme.example", user=admin.user)
        assert "Nobody gives a phone to themselves" in words(fill(admin, address, owner=me.pk))
        mine = make_softphone(account, me)
        own = f"/acme/softphones/{mine.pk}/edit/"
        assert "Nobody gives away their own phone" in words(fill(admin, own, owner=carla.pk))
        assert "Nobody gives away their own phone" in words(fill(admin, own, owner=""))
        assert fill(admin, own, name="My laptop").status_code == 302

    def test_nobody_keeps_a_phone_that_another_admin_gives_away(self, admin, account, carla):
        me = make_owner(account, "adam@acme.example", user=admin.user)
        mine = make_softphone(account, me)
        own = f"/acme/softphones/{mine.pk}/edit/"
        changes.update(softphone=mine, values={"owner_id": carla.audian_id}, seen={}, by=None, now=timezone.now())
        assert "Nobody gives a phone to themselves" in words(fill(admin, own, owner=me.pk))
        fill(admin, own, name="Carla's laptop")
        assert mine.changes.order_by("pk").last().values == {"name": "Carla's laptop"}

    @pytest.mark.parametrize("linked", [True, False])
    def test_nobody_tries_again_what_would_give_a_phone_to_themselves(self, admin, account, carla, alices_phone, linked):
        me = make_owner(account, "adam@acme.example", user=admin.user if linked else None)
        wish = partial(changes.update, softphone=alices_phone, by=None, now=timezone.now())
        to_me, to_carla = wish(values={"owner_id": me.audian_id}, seen={}), wish(values={"owner_id": carla.audian_id}, seen={})
        Change.objects.update(state="failed", folded_into=None)
        assert self.tries_again(admin, to_carla)
        assert not self.tries_again(admin, to_me)

    @pytest.mark.parametrize("linked", [True, False])
    def test_nobody_tries_again_to_give_away_their_own_phone(self, admin, account, carla, linked):
        mine = make_softphone(account, make_owner(account, "adam@acme.example", user=admin.user if linked else None))
        wish = changes.update(softphone=mine, values={"owner_id": carla.audian_id}, seen={}, by=None, now=timezone.now())
        Change.objects.update(state="failed")
        assert not self.tries_again(admin, wish)

    @pytest.mark.parametrize("linked", [True, False])
    def test_nobody_tries_again_to_make_a_phone_for_themselves_but_one_that_they_got_by_themselves(
        self, admin, account, linked
    ):
        me = make_owner(account, "adam@acme.example", user=admin.user if linked else None)
        wish = partial(changes.create, account=account, owner=me, now=timezone.now())
        of_others, own = wish(name="Of others", by=None), wish(name="Own", by=admin.user)
        Change.objects.update(state="failed")
        assert not self.tries_again(admin, of_others)
        assert self.tries_again(admin, own)

    def tries_again(self, admin, change) -> bool:
        """Whether the page offers it; and then that the press does as the page says."""
        address = f"/acme/changes/{change.pk}/"
        offered = "Try again" in words(admin.get(address))
        assert admin.post(f"{address}again/").status_code == (302 if offered else 404)
        return offered

    def test_a_person_whom_audian_does_not_have_stays(self, admin, account):
        phone = make_softphone(account, owner_audian_id="f" * 32)
        fill(admin, f"/acme/softphones/{phone.pk}/edit/", name="New name")
        assert phone.changes.get().values == {"name": "New name"}

    def test_a_phone_that_is_being_deleted_is_not_changed(self, admin, alices_phone, address):
        form = form_on(admin.get(address)) | {"name": "Too late"}
        changes.delete(softphone=alices_phone, by=admin.user, now=timezone.now())
        assert "is being deleted" in words(admin.post(address, form, follow=True))


class TestDelete:
    @pytest.fixture
    def address(self, alices_phone):
        return f"/acme/softphones/{alices_phone.pk}/delete/"

    def test_it_ends_when_its_name_is_typed(self, admin, alices_phone, address):
        response = fill(admin, address, typed=" alice smith -  Softphone ")
        change = alices_phone.changes.get()
        assert (change.kind, response["Location"]) == ("delete", f"/acme/changes/{change.pk}/")
        assert AuditEvent.objects.filter(act="softphone:deleted", outcome="asked", actor=admin.user).count() == 1

    @pytest.mark.parametrize("typed", ["", "Alice Smith", "yes"])
    def test_anything_else_typed_ends_nothing(self, admin, alices_phone, address, typed):
        response = fill(admin, address, typed=typed)
        assert "Error" in soup(response).title.text
        assert not alices_phone.changes.exists()

    def test_the_page_says_what_is_connected_since_when(self, admin, alices_phone, address):
        now = timezone.now()
        seen = {"registered": True, "registered_since": now, "registered_agent": "Zoiper 5", "seen_at": now, "watched_at": now}
        Softphone.objects.filter(pk=alices_phone.pk).update(**seen)
        assert "Zoiper 5 is connected with it since" in words(admin.get(address))

    def test_a_get_deletes_nothing(self, admin, alices_phone, address):
        admin.get(address)
        assert not alices_phone.changes.exists()


@pytest.mark.parametrize("act", ["edit", "delete"])
def test_a_phone_elsewhere_or_gone_is_not_found(admin, account, mallory, act):
    elsewhere = make_softphone(mallory.memberships.get().account)
    gone = make_softphone(account, gone_at=timezone.now())
    for phone in (elsewhere, gone):
        assert admin.get(f"/acme/softphones/{phone.pk}/{act}/").status_code == 404


def test_only_admins_of_this_account_do_any_of_it(helpdesk, alices_phone, mallory):
    elsewhere = signed_in_as_staff(make_user("a@evil.example", account=mallory.memberships.get().account, role="admin"))
    pages = [NEW, "/acme/owners/", *(f"/acme/softphones/{alices_phone.pk}/{act}/" for act in ("edit", "delete"))]
    for client in (helpdesk, elsewhere):
        for page in pages:
            assert client.get(page, headers=HTMX).status_code == 404
            assert client.post(page, {"name": "x", "typed": alices_phone.name}).status_code in {404, 405}
    assert not Change.objects.exists()
