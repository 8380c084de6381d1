"""What a person reads: each app has its own path, words and transport."""

import pytest

from softphones.clients import app_for, apps, as_text, generic_fields, platform_of, recommended
from tests.clients.factories import PASSWORD, make_settings

EVERY_APP = pytest.mark.parametrize("app", apps(), ids=lambda app: app.slug)
SETTINGS = {
    "realm of its own": make_settings(),
    "realm is the server": make_settings(realm="sip.audian.com"),
    "UDP preferred": make_settings(transport="udp"),
    "TCP preferred": make_settings(transport="tcp"),
    "unusual ports": make_settings(realm="sip.audian.com", udp_port=15060, tls_port=15061),
    "no display name": make_settings(display_name=""),
    "unknown password": make_settings(password=None),
}
EVERY_SETTING = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"
ANDROID = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36"
ANDROID_TABLET = "Mozilla/5.0 (Linux; Android 16; SM-X910) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15"


def rendered(app, settings, *, has_code):
    """All the steps of an app as a person reads them."""
    return [(str(step.title), str(step.text), step.fields) for step in app.steps(settings, has_code=has_code)]


def values(app, settings):
    return {field.key: field.value for field in app.fields(settings)}


def test_the_apps_come_in_the_order_of_the_pages():
    assert [app.slug for app in apps()] == [
        "zoiper",
        "zoiper-desktop",
        "linphone",
        "linphone-desktop",
        "bria",
        "manual",
    ]


@EVERY_APP
def test_an_app_is_found_by_its_slug_and_says_where_it_runs(app):
    assert app_for(app.slug) is app
    assert str(app.name)
    assert str(app.platforms)
    assert app.kinds


def test_an_unknown_slug_is_a_key_error():
    with pytest.raises(KeyError):
        app_for("skype")


@EVERY_SETTING
@pytest.mark.parametrize("has_code", [True, False])
def test_no_two_apps_show_the_same_steps(settings, has_code):
    # Nor the same but for the app's name: the part between "install" and "microphone" alone tells them apart.
    middles = [rendered(app, settings, has_code=has_code)[1:-2] for app in apps()]
    assert all(middles.count(middle) == 1 for middle in middles)


@EVERY_APP
@EVERY_SETTING
def test_the_path_is_install_then_enter_then_microphone_then_look(app, settings):
    kinds = [step.kind for step in app.steps(settings, has_code=False)]
    assert kinds[0] == "install"
    assert set(kinds[1:-2]) == {"enter"}
    assert kinds[-2:] == ["microphone", "look"]


@EVERY_APP
def test_with_a_code_only_an_app_that_imports_it_scans_instead_of_typing(app):
    kinds = {step.kind for step in app.steps(make_settings(), has_code=True)}
    assert ("scan" in kinds) is (app.imports_qr is not None)
    assert ("enter" in kinds) is (app.imports_qr is None)


@EVERY_APP
def test_with_a_link_only_linphone_is_set_up_by_a_tap(app):
    kinds = {step.kind for step in app.steps(make_settings(), has_code=True, has_link=True)}
    assert ("open" in kinds) is (app.family == "linphone")
    assert kinds.isdisjoint({"scan", "enter"}) is (app.family == "linphone")


@EVERY_APP
@EVERY_SETTING
def test_every_field_is_entered_in_exactly_one_step_in_the_apps_order(app, settings):
    entered = [key for step in app.steps(settings, has_code=False) for key in step.fields]
    fields = [field.key for field in app.fields(settings)]
    assert sorted(entered) == sorted(fields)
    assert len(set(fields)) == len(fields)
    if app.slug != "manual":
        assert entered == fields


@EVERY_APP
def test_steps_speak_of_connecting_not_registering(app):
    for has_code in (True, False):
        for step in app.steps(make_settings(), has_code=has_code):
            words = f"{step.title} {step.text}".replace("“Register with domain and receive calls”", "")
            assert "regist" not in words.casefold()


@EVERY_APP
@EVERY_SETTING
def test_only_the_password_is_secret_and_an_unknown_one_cannot_be_copied(app, settings):
    secret = [field for field in app.fields(settings) if field.secret]
    assert [field.key for field in secret] == ["password"]
    assert secret[0].value == (settings.password or "")
    assert secret[0].copy is (settings.password is not None)


@pytest.mark.parametrize("slug", ["zoiper", "zoiper-desktop"])
@pytest.mark.parametrize(("preferred", "told"), [("tls", "udp"), ("udp", "udp"), ("tcp", "tcp")])
def test_free_zoiper_is_told_a_transport_that_it_has(slug, preferred, told):
    settings = make_settings(transport=preferred)
    fields = {field.key: field for field in app_for(slug).fields(settings)}
    assert app_for(slug).transport(settings) == told
    assert fields["transport"].value == f"SIP {told.upper()}"
    assert fields["outbound_proxy"].value == "sip.audian.com:5060"
    assert ("TLS" in fields["transport"].note) is (preferred == "tls")


@pytest.mark.parametrize("slug", ["linphone", "linphone-desktop", "bria", "manual"])
@pytest.mark.parametrize("preferred", ["tls", "udp", "tcp"])
def test_other_apps_are_told_the_transport_of_the_account(slug, preferred):
    settings = make_settings(transport=preferred)
    assert app_for(slug).transport(settings) == preferred
    assert values(app_for(slug), settings)["transport"] == preferred.upper()


@pytest.mark.parametrize(
    ("slug", "proxy"),
    [
        ("zoiper", "sip.audian.com:5060"),
        ("zoiper-desktop", "sip.audian.com:5060"),
        ("linphone", "sip:sip.audian.com:5061;transport=tls"),
        ("linphone-desktop", "sip:sip.audian.com:5061;transport=tls"),
        ("bria", "sip.audian.com:5061"),
    ],
)
def test_the_domain_is_the_realm_and_the_outbound_proxy_is_the_server(slug, proxy):
    told = values(app_for(slug), make_settings())
    assert told["domain"] == "acme.sip.audian.com"
    assert told["outbound_proxy"] == proxy


@pytest.mark.parametrize("slug", ["zoiper", "zoiper-desktop", "linphone", "linphone-desktop", "bria"])
def test_no_outbound_proxy_is_asked_for_where_the_realm_is_the_server(slug):
    assert "outbound_proxy" not in values(app_for(slug), make_settings(realm="SIP.audian.com"))
    assert "outbound_proxy" in values(app_for(slug), make_settings(realm="sip.audian.com", udp_port=1, tls_port=2))


def test_the_labels_are_the_words_of_each_app():
    def labels(slug):
        return [str(field.label) for field in app_for(slug).fields(make_settings())]

    assert labels("zoiper")[0] == "Username @ PBX/VoIP provider"
    assert labels("zoiper-desktop")[0] == "Username / Login"
    assert "SIP proxy server URL" in labels("linphone")
    assert "Outbound SIP Proxy URI" in labels("linphone-desktop")
    assert "Authorization name" in labels("bria")


def test_the_generic_fields_are_those_of_the_vendors_page():
    fields = {field.key: field.value for field in generic_fields(make_settings())}
    assert fields == {
        "server": "sip.audian.com",
        "port_tls": "5061",
        "port_udp": "5060",
        "transport": "TLS",
        "username": "user_8k3mq2xw7a",
        "password": PASSWORD,
        "realm": "acme.sip.audian.com",
    }


def test_copy_all_is_one_line_for_each_field():
    assert as_text(make_settings()).splitlines() == [
        "Server: sip.audian.com",
        "Port (TLS): 5061",
        "Port (UDP): 5060",
        "Transport: TLS",
        "Username: user_8k3mq2xw7a",
        f"Password: {PASSWORD}",
        "Realm: acme.sip.audian.com",
    ]


def test_copy_all_leaves_an_unknown_password_out():
    assert "Password" not in as_text(make_settings(password=None))


def test_no_repr_shows_the_password():
    settings = make_settings(password="canary-password")
    shown = repr(settings) + "".join(repr(app.fields(settings)) for app in apps())
    assert "canary-password" not in shown


@EVERY_APP
def test_a_hostile_display_name_is_shown_on_one_line_without_control_characters(app):
    name = 'Zoë "<script>"\x00\r\n\u2028\ud800 ' + "漢" * 128
    shown = values(app, make_settings(display_name=name)).get("display_name", "")
    assert shown in ("", 'Zoë "<script>" ' + "漢" * 20)


@pytest.mark.parametrize(
    ("agent", "platform", "slug"),
    [
        (IPHONE, "mobile", "zoiper"),
        (ANDROID, "mobile", "zoiper"),
        (ANDROID_TABLET, "mobile", "zoiper"),
        (WINDOWS, "desktop", "zoiper-desktop"),
        (MAC, "desktop", "zoiper-desktop"),
        ("", "desktop", "zoiper-desktop"),
    ],
)
def test_zoiper_for_this_machine_is_recommended(agent, platform, slug):
    assert platform_of(agent) == platform
    assert recommended(agent).slug == slug


@pytest.mark.parametrize(
    ("agent", "hidden", "preferred", "slug"),
    [
        (IPHONE, (), "linphone", "linphone"),
        (MAC, (), "linphone", "linphone-desktop"),
        (IPHONE, (), "linphone-desktop", "linphone"),
        (MAC, (), "bria", "bria"),
        (MAC, ["linphone-desktop"], "linphone", "zoiper-desktop"),
        (IPHONE, ["zoiper"], "", "linphone"),
        (IPHONE, ["zoiper", "linphone", "bria"], "zoiper", "manual"),
        (IPHONE, [app.slug for app in apps()], "", "manual"),
        (IPHONE, (), "an app of yesterday", "zoiper"),
    ],
)
def test_the_accounts_choice_is_kept_where_it_can_be(agent, hidden, preferred, slug):
    assert recommended(agent, hidden, preferred).slug == slug


ADDRESS = "https://phones.acme.example/s/abc"


@pytest.mark.parametrize(
    ("slug", "platform", "url", "link"),
    [
        ("linphone", "mobile", ADDRESS, f"linphone-config:{ADDRESS}"),
        ("linphone", "desktop", ADDRESS, None),
        ("linphone-desktop", "desktop", ADDRESS, "linphone-config://phones.acme.example/s/abc"),
        ("linphone-desktop", "mobile", ADDRESS, None),
        ("linphone", "mobile", "http://127.0.0.1:8000/s/abc", None),
        ("linphone-desktop", "desktop", "http://127.0.0.1:8000/s/abc", None),
        ("zoiper", "mobile", ADDRESS, None),
        ("zoiper-desktop", "desktop", ADDRESS, None),
        ("bria", "mobile", ADDRESS, None),
        ("manual", "mobile", ADDRESS, None),
    ],
)
def test_only_linphone_has_a_tap_link_and_only_in_the_form_that_works_there(slug, platform, url, link):
    assert app_for(slug).tap_link(url, platform) == link


@EVERY_APP
def test_install_links_lead_to_the_makers_over_https(app):
    install = app.steps(make_settings(), has_code=False)[0]
    assert install.links == app.install_links
    assert all(link.url.startswith("https://") for link in app.install_links)
    assert bool(app.install_links) is (app.slug != "manual")
