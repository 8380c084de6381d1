"""What only a browser can show: copying where browsers differ, live parts, lapsing codes, keyboard, zoom, no JavaScript."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from softphones.models import Softphone, SyncRun
from tests.e2e.conftest import Looks, becoming_hidden, newest_code, until
from tests.factories import make_softphone, make_user
from tests.staffing import signed_in_as_staff

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

NO_COPYING = """
    navigator.clipboard.writeText = () => Promise.reject(new DOMException("not now", "NotAllowedError"));
    document.execCommand = () => false;
"""


@pytest.fixture
def set_up(visitor, alices_phone):
    """Alice, on the set-up page of her phone."""

    def make(device="computer", app="zoiper-desktop", **options):
        alice = visitor(device, **options)
        alice.signs_in("alice@acme.example")
        alice.sets_up(app)
        return alice

    return make


def password_row(page):
    return page.locator(".reference [data-field=password]")


def test_a_tick_survives_a_reload_and_nothing_else_is_kept(set_up, alices_phone):
    alice = set_up()
    row = alice.page.locator(".reference [data-field=username]")
    row.get_by_role("button", name="Copy").click()
    password_row(alice.page).get_by_role("button", name="Show and copy").click()
    expect(password_row(alice.page).get_by_text("Copied")).to_be_visible()
    alice.page.reload()
    for ticked in (row, password_row(alice.page)):
        expect(ticked).to_have_class("field ticked" if ticked is row else "field secret ticked")
    kept = alice.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert "username" in kept
    assert alices_phone.password not in kept
    assert alices_phone.sip_username not in kept


def test_copying_works_without_https(visitor, live_server, settings, alices_phone):
    url = live_server.url.replace("localhost", "portal.localdomain")
    settings.PUBLIC_URL = url
    alice = visitor(url=url)
    alice.signs_in("alice@acme.example")
    alice.sets_up("zoiper-desktop")
    page = alice.page
    assert page.evaluate("window.isSecureContext") is False
    page.locator(".reference [data-field=server]").get_by_role("button", name="Copy").click()
    expect(page.locator("#say")).to_have_text("Server copied.")
    reader = alice.new_page()
    reader.goto(f"{live_server.url}/sign-in/")
    reader.get_by_label("Work e-mail address").press("Control+v")
    expect(reader.get_by_label("Work e-mail address")).to_have_value("sip.audian.com")


def test_where_a_browser_will_not_copy_after_a_request_the_first_press_shows_and_says_so(set_up, alices_phone):
    alice = set_up()
    page = alice.page
    page.evaluate(NO_COPYING)
    password_row(page).get_by_role("button", name="Show and copy").click()
    expect(password_row(page).locator("code")).to_have_text(alices_phone.password)
    expect(page.locator("#say")).to_have_text("Now press Copy.")
    urged = password_row(page).get_by_role("button", name="Copy")
    expect(urged).to_be_focused()
    urged.click()
    expect(page.locator("#say")).to_have_text("Selected. Copy it with your keyboard.")
    assert page.evaluate("getSelection().toString()") == alices_phone.password


def test_copy_all_shows_the_password_first_and_copies_every_line(set_up, alices_phone):
    alice = set_up(app="manual")
    alice.page.get_by_role("button", name="Show password and copy all").click()
    expect(alice.page.locator("#say")).to_have_text("All settings copied.")
    lines = alice.clipboard.splitlines()
    assert f"Password: {alices_phone.password}" in lines
    assert len(lines) == 7


def test_a_code_lapses_on_the_screen_and_a_new_one_is_one_press_away(set_up):
    page = set_up(app="linphone").page
    page.clock.install()
    page.reload()
    page.get_by_role("button", name="Show the code").click()
    expect(page.locator("#code.drawn svg[role=img]")).to_be_visible()
    page.clock.fast_forward("14:05")
    expect(page.locator("#say")).to_have_text("The code stops working in one minute.")
    assert page.locator("#code svg[role=img]").count() == 1
    page.clock.fast_forward("01:00")
    expect(page.get_by_text("This code no longer works.")).to_be_visible()
    assert page.locator("#code svg[role=img]").count() == 0
    page.get_by_role("button", name="New code").click()
    expect(page.locator("#code svg[role=img]")).to_be_visible()


def test_a_password_that_is_shown_does_not_stay_on_the_screen(set_up, alices_phone):
    alice = set_up()
    alice.page.clock.install()
    alice.page.reload()
    password_row(alice.page).get_by_role("button", name="Show").first.click()
    expect(password_row(alice.page).locator("code")).to_have_text(alices_phone.password)
    alice.page.clock.run_for(1_000)  # htmx settles what came in
    alice.page.clock.fast_forward("05:01")
    expect(password_row(alice.page).get_by_role("button", name="Show").first).to_be_visible()
    assert alices_phone.password not in alice.page.content()


def test_nobody_is_asked_while_the_page_is_hidden_and_at_once_when_it_is_seen_again(set_up):
    page = set_up().page
    looks = Looks(page)
    page.reload()
    expect(page.get_by_text("Waiting for your phone to connect…")).to_be_visible()
    looks.stand_still()
    with becoming_hidden(page):
        looks.pass_by(seconds=9)
        assert looks.count() == 0
    assert looks.count() == 1, "the clock stands still: only being seen again can have made it look"
    looks.pass_by(seconds=3)
    assert looks.count() == 2


def test_times_are_in_the_viewers_own_zone_with_its_name(visitor, portal, alices_phone):
    SyncRun.objects.update(started_at="2026-01-15T11:00Z", finished_at="2026-01-15T11:30Z")
    alice = visitor()
    alice.signs_in("alice@acme.example")
    expect(alice.page.locator(".note time")).to_have_text("15 Jan, 12:30 CET")
    plain = visitor(java_script_enabled=False)
    plain.signs_in("alice@acme.example")
    expect(plain.page.locator(".note time")).to_have_text("15 Jan, 03:30 PST")


def test_when_the_session_has_ended_a_press_leads_to_the_sign_in_page(set_up):
    page = set_up().page
    page.route("**/light/*", lambda route: route.abort())  # the page's own look would lead there by itself
    Session.objects.all().delete()
    password_row(page).get_by_role("button", name="Show", exact=False).first.click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_old_proof_asks_for_a_code_and_comes_back_to_the_same_app(set_up, alices_phone):
    page = set_up(app="bria").page
    session = SessionStore(Session.objects.get().session_key)
    session["proven_at"] = 0
    session.save()
    password_row(page).get_by_role("button", name="Show").first.click()
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    page.get_by_label("Code from the mail").fill(newest_code("alice@acme.example"))
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".choices a[href='?app=bria']").first).to_have_attribute("aria-current", "true")
    password_row(page).get_by_role("button", name="Show").first.click()
    expect(password_row(page).locator("code")).to_have_text(alices_phone.password)


def test_everything_but_the_live_parts_works_without_javascript(visitor, alices_phone):
    alice = visitor("phone", java_script_enabled=False)
    alice.signs_in("alice@acme.example")
    alice.sets_up("linphone")
    page = alice.page
    assert page.get_by_role("button", name="Copy").count() == 0, "what can't work is not offered"
    password_row(page).get_by_role("button", name="Show").click()
    expect(password_row(page).locator("code")).to_have_text(alices_phone.password)
    expect(password_row(page).locator("code")).to_be_in_viewport()
    password_row(page).get_by_role("link", name="Hide").click()
    expect(password_row(page).get_by_role("button", name="Show")).to_be_visible()
    assert alices_phone.password not in page.content()
    page.locator("details.beside summary").click()
    page.get_by_role("button", name="Show the code").click()
    expect(page.locator("#code svg[role=img]")).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_keyboard_reaches_everything_in_order_and_the_focus_is_seen(set_up):
    page = set_up().page
    page.reload()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        what = page.evaluate("""() => {
            const it = document.activeElement, style = getComputedStyle(it);
            return [it.innerText.trim().split("\\n")[0], style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
        }""")
        reached.append(what[0])
        assert what[1], f"no visible focus on {what[0]!r}"
        if what[0].startswith("Show password and copy all"):
            break
    for name in ("My softphones", "Zoiper 5", "Another app", "zoiper.com", "Show", "Copy"):
        assert any(each.startswith(name) for each in reached), f"{name} was not reached: {reached}"


def test_the_keyboard_goes_on_in_the_code_that_a_press_drew(set_up):
    page = set_up(app="linphone").page
    for name in ("Show the code", "New code"):
        page.get_by_role("button", name=name).press("Enter")
        expect(page.locator("#code.drawn")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="New code")).to_be_focused()


def test_a_press_that_fails_is_answered_on_the_screen_and_works_again_later(set_up, alices_phone):
    alice = set_up()
    page, line = alice.page, alice.page.locator("#say")
    show = password_row(page).get_by_role("button", name="Show").first
    page.route("**/password/", lambda route: route.abort())
    show.click()
    expect(line).to_have_text("That did not work. Check your connection and try again.")
    expect(line).to_be_in_viewport(ratio=1)
    page.unroute_all()
    show.click()
    expect(password_row(page).locator("code")).to_have_text(alices_phone.password)
    alice.forgets_faults("net::ERR_FAILED", "htmx:")


def test_a_page_that_no_longer_gets_answers_says_so_until_it_does(set_up):
    alice = set_up()
    page, line = alice.page, alice.page.locator("#say")
    looks = Looks(page)
    page.reload()
    expect(page.get_by_text("Waiting for your phone to connect…")).to_be_visible()
    looks.stand_still()
    page.route("**/light/**", lambda route: route.abort())
    looks.pass_by(seconds=3)
    assert looks.count() == 1
    assert line.text_content() == "", "one look may get lost"
    looks.pass_by(seconds=3)
    assert looks.count() == 2
    looks.pass_by(seconds=1)  # what is said is said a moment later
    expect(line).to_have_text("The portal does not answer. We keep trying.")
    expect(line).to_be_in_viewport(ratio=1)
    page.unroute_all()
    looks.pass_by(seconds=3)
    expect(line).to_have_text("")
    alice.forgets_faults("net::ERR_FAILED", "htmx:")


def test_a_light_that_comes_while_a_link_is_pressed_does_not_swallow_the_press(visitor, alices_phone):
    alice = visitor()
    page, waiting = alice.page, []
    page.route("**/lights/**", lambda route: waiting.append(route))
    looks = Looks(page, "/lights/")
    alice.signs_in("alice@acme.example")
    page.get_by_role("link", name="Set up").hover()
    until(page, lambda: waiting)
    page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))  # however long the press takes here, it is a short one
    page.mouse.down()
    for route in waiting:
        route.continue_()
    page.unroute_all()
    assert looks.count() >= 1
    page.mouse.up()
    expect(page.get_by_role("heading", name="Which app are you setting up?")).to_be_visible()


def test_every_column_of_the_staff_list_is_seen_on_a_computer(visitor, people, settings, live_server):
    sessions, _ = people
    long_ago = datetime(2026, 1, 15, 11, tzinfo=UTC)
    Softphone.objects.update(
        name="Hubert Blaine Wolfeschlegelsteinhausenbergerdorff - softphone", registered=True, seen_at=long_ago
    )
    helen = visitor()
    helen.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": sessions["helen"], "url": live_server.url}])
    helen.page.goto("/acme/softphones/")
    assert helen.page.locator(".table").evaluate("table => table.scrollWidth <= table.clientWidth")
    expect(helen.page.locator("thead th").last).to_be_in_viewport(ratio=1)


PAGES = {
    "sign in": (None, "/sign-in/"),
    "my softphones": ("alice", "/"),
    "set up": ("alice", "/softphones/{alice}/"),
    "set up, another app": ("alice", "/softphones/{alice}/?app=manual"),
    "switched off": ("alice", "/softphones/{off}/"),
    "password unknown": ("alice", "/softphones/{unknown}/"),
    "no phone": ("carla", "/"),
    "not linked": ("temp", "/"),
    "staff": ("helen", "/acme/"),
    "all softphones": ("helen", "/acme/softphones/"),
    "dead link": (None, "/s/nothing"),
    "not found": ("alice", "/softphones/999999/"),
}


@pytest.fixture
def people(portal, client, alices_phone, settings):
    """Sessions of people for every page in PAGES, by name, and the ids of phones in every state."""
    make_softphone(portal, alices_phone.owner, name="Off", enabled=False, audian_id="1" * 32)
    make_softphone(portal, alices_phone.owner, name="مكتب الاستقبال " + "Ж" * 90, password=None, audian_id="2" * 32)
    sessions = {}
    for name, role in {"alice": "user", "carla": "user", "temp": "user", "helen": "helpdesk"}.items():
        user = make_user(f"{name}@acme.example", account=portal, role=role, name=name.title())
        portal.owners.filter(email=user.email).update(user=user)
        if role == "user":
            client.logout()
            client.force_login(user)
            sessions[name] = client.session.session_key
        else:
            sessions[name] = signed_in_as_staff(user).session.session_key
    phones = dict(Softphone.objects.filter(owner__user__name="Alice").values_list("name", "pk"))
    ids = {"alice": alices_phone.pk, "off": phones["Off"], "unknown": max(phones.values())}
    return sessions, ids


TOO_SMALL = """() => [...document.querySelectorAll("button, .button, summary, nav a")]
    .filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 36)
    .map((each) => each.outerHTML)"""


@pytest.mark.parametrize(("device", "scheme"), [("computer", "dark"), ("phone", "light")])
def test_every_page_is_accessible_and_fits_any_width(visitor, people, settings, live_server, device, scheme):
    sessions, ids = people
    guest = visitor(device, scheme, reduced_motion="reduce")
    usual = guest.page.viewport_size
    for name, (who, address) in PAGES.items():
        guest.context.clear_cookies()
        if who:
            guest.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": sessions[who], "url": live_server.url}])
        guest.page.goto(address.format(**ids))
        assert guest.page.get_by_role("heading").first.is_visible(), name
        guest.is_accessible()
        guest.fits()
        assert guest.page.evaluate(TOO_SMALL) == [], name
        guest.page.set_viewport_size({"width": 320, "height": 256})  # 1280 px at 400 %
        guest.fits()
        guest.page.set_viewport_size(usual)
