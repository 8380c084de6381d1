"""The documents that Zoiper and Linphone fetch: read back by a parser, with hostile values in them."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from softphones.clients import linphone, zoiper
from tests.clients.factories import PASSWORD, make_settings, parsed

NAMES = [
    "Alice Smith",
    'Robert "Bob" O\'Neill',
    "<script>alert(1)</script>",
    "]]>&amp;<!--",
    "back\\slash\\",
    'ends with a quote"',
    "שלום \u202eمرحبا",
    "a\x00b\x1f\x7f\x85\ufffe\ud800",
    "two\r\nlines\u2028three",
    "漢" * 128,
    "",
]
EVERY_NAME = pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))


def zoiper_account(**changes):
    transport = changes.pop("told", "")
    document = zoiper.options_document(make_settings(**changes), transport=transport)
    root = parsed(document)
    assert root.tag == "options"
    (account,) = root.findall("accounts/account")
    return account


def linphone_sections(**changes):
    """The document as Linphone keeps it: `{section: {key: value}}`."""
    root = parsed(linphone.provisioning_document(make_settings(**changes)))
    space = f"{{{linphone.NAMESPACE}}}"
    assert root.tag == f"{space}config"
    entries = list(root.iter(f"{space}entry"))
    assert all(entry.get("overwrite") == "true" for entry in entries)
    return {
        section.get("name"): {entry.get("name"): entry.text or "" for entry in section}
        for section in root.findall(f"{space}section")
    }


def test_zoiper_gets_one_account_in_our_realm_through_our_server():
    account = zoiper_account()
    told = {element.tag: element.text for element in account if not len(element)}
    assert told == {
        "name": "Alice Smith",
        "protocol": "sip",
        "username": "user_8k3mq2xw7a",
        "password": PASSWORD,
        "authentication_username": "user_8k3mq2xw7a",
        "register_on_startup": "true",
        "SIP_domain": "acme.sip.audian.com",
        "SIP_use_outbound_proxy": "true",
        "SIP_outbound_proxy": "sip.audian.com:5060",
        "SIP_transport_type": "udp",
        "SIP_use_auth_username": "true",
        "SIP_auth_username": "user_8k3mq2xw7a",
        "SIP_callerId": "Alice Smith",
        "SIP_use_rport": "true",
        "SIP_srtp_mode": "none",
        "SIP_dtmf_style": "rfc_2833",
    }


def test_zoiper_counts_codecs_its_own_way_with_g711_first():
    codecs = [
        (codec.findtext("codec_id"), codec.findtext("priority"), codec.findtext("enabled"))
        for codec in zoiper_account().findall("codecs/codec")
    ]
    assert codecs[:2] == [("0", "0", "true"), ("6", "1", "true")]
    assert [priority for _, priority, _ in codecs] == [str(number) for number in range(len(codecs))]


@pytest.mark.parametrize(
    ("told", "srtp", "transport", "proxy", "mode"),
    [
        ("", True, "udp", "sip.audian.com:5060", "none"),
        ("tls", True, "tls", "sip.audian.com:5061", "sdes"),
        ("tls", False, "tls", "sip.audian.com:5061", "none"),
    ],
)
def test_zoiper_encrypts_media_only_over_tls(told, srtp, transport, proxy, mode):
    account = zoiper_account(told=told, srtp=srtp)
    assert account.findtext("SIP_transport_type") == transport
    assert account.findtext("SIP_outbound_proxy") == proxy
    assert account.findtext("SIP_srtp_mode") == mode


def test_zoiper_uses_stun_only_where_the_account_names_a_server():
    assert zoiper_account().findtext("stun/use_stun") == "disabled"
    assert zoiper_account().find("stun/stun_host") is None
    account = zoiper_account(stun_server="stun.acme.example", stun_port=3479)
    assert account.findtext("stun/use_stun") == "custom"
    assert account.findtext("stun/stun_host") == "stun.acme.example"
    assert account.findtext("stun/stun_port") == "3479"


@EVERY_NAME
def test_zoiper_reads_back_any_name_and_password(name):
    account = zoiper_account(display_name=name)
    assert account.findtext("password") == PASSWORD
    assert account.findtext("name")
    assert "\n" not in account.findtext("SIP_callerId")


def test_zoiper_is_told_an_error_in_its_own_form():
    root = parsed(zoiper.error_document('This link is <dead> & "gone"\x00'))
    assert (root.tag, root.get("code"), root.text) == ("error", "1", 'This link is <dead> & "gone"')


def test_an_error_may_be_a_translation_that_waits_for_its_language():
    assert parsed(zoiper.error_document(gettext_lazy("This code no longer works."))).text == "This code no longer works."


def test_the_address_of_zoipers_picture_holds_the_token_and_never_the_password():
    address = zoiper.provider_qr_url("https://oem.zoiper.com/qr.php", "0" * 32, "to/ken+&=", make_settings())
    assert address.startswith("https://oem.zoiper.com/qr.php?")
    assert parse_qs(urlsplit(address).query, keep_blank_values=True) == {
        "provider_id": ["0" * 32],
        "u": [""],
        "p": [""],
        "a": [""],
        "h": ["acme.sip.audian.com"],
        "o": ["sip.audian.com:5060"],
        "t": ["to/ken+&="],
        "tr": ["0"],
    }


@pytest.mark.parametrize(("preferred", "number"), [("udp", "0"), ("tcp", "1"), ("tls", "0")])
def test_zoipers_picture_names_a_transport_of_the_free_edition(preferred, number):
    address = zoiper.provider_qr_url("https://oem.zoiper.com/qr.php", "id", "t", make_settings(transport=preferred))
    assert parse_qs(urlsplit(address).query)["tr"] == [number]


def test_linphone_gets_one_account_in_our_realm_through_our_server():
    sections = linphone_sections()
    assert sections["proxy_0"] == {
        "reg_identity": '"Alice Smith" <sip:user_8k3mq2xw7a@acme.sip.audian.com>',
        "reg_proxy": "<sip:sip.audian.com:5061;transport=tls>",
        "reg_route": "<sip:sip.audian.com:5061;transport=tls;lr>",
        "realm": "acme.sip.audian.com",
        "reg_expires": "600",
        "reg_sendregister": "1",
        "publish": "0",
        "nat_policy_ref": "portal",
    }
    assert sections["auth_info_0"] == {
        "username": "user_8k3mq2xw7a",
        "passwd": PASSWORD,
        "realm": "acme.sip.audian.com",
        "domain": "acme.sip.audian.com",
    }
    assert sections["rtp"] == {"audio_rtp_port": "16384-32768"}
    assert sections["misc"] == {"transient_provisioning": "1"}


@pytest.mark.parametrize(("transport", "port"), [("udp", 5060), ("tcp", 5060), ("tls", 5061)])
def test_linphone_connects_over_the_accounts_transport(transport, port):
    account = linphone_sections(transport=transport)["proxy_0"]
    assert account["reg_proxy"] == f"<sip:sip.audian.com:{port};transport={transport}>"


@pytest.mark.parametrize(("srtp", "encryption"), [(False, "none"), (True, "srtp")])
def test_linphone_may_encrypt_media_but_never_must(srtp, encryption):
    sip = linphone_sections(srtp=srtp)["sip"]
    assert sip["media_encryption"] == encryption
    assert sip["media_encryption_mandatory"] == "0"


def test_linphone_uses_stun_only_where_the_account_names_a_server():
    assert linphone_sections()["nat_policy_0"] == {"ref": "portal"}
    policy = linphone_sections(stun_server="stun.acme.example", stun_port=3479)["nat_policy_0"]
    assert policy == {"ref": "portal", "protocols": "stun", "stun_server": "stun.acme.example:3479"}


def test_linphone_prefers_g711():
    sections = linphone_sections()
    assert [sections[f"audio_codec_{number}"]["mime"] for number in range(2)] == ["PCMU", "PCMA"]


@EVERY_NAME
def test_linphone_gets_a_well_formed_address_whatever_the_name(name):
    sections = linphone_sections(display_name=name)
    identity = sections["proxy_0"]["reg_identity"]
    assert sections["auth_info_0"]["passwd"] == PASSWORD
    assert identity.endswith("<sip:user_8k3mq2xw7a@acme.sip.audian.com>")
    assert identity.isprintable() or "\u202e" in identity
    assert_quoted(identity.removesuffix("<sip:user_8k3mq2xw7a@acme.sip.audian.com>").strip())


def assert_quoted(name):
    """The quoted-string of RFC 3261, 25.1: a bare quote or a lone backslash would end or break it."""
    assert name == "" or (name[0] == name[-1] == '"' and len(name) > 2)
    rest = name[1:-1].replace("\\\\", "").replace('\\"', "")
    assert '"' not in rest
    assert "\\" not in rest


def test_a_username_with_odd_characters_cannot_leave_its_address():
    identity = linphone_sections(username="a>b@c d")["proxy_0"]["reg_identity"]
    assert identity == '"Alice Smith" <sip:a%3Eb%40c%20d@acme.sip.audian.com>'


@limits(deadline=None)
@given(name=st.text(max_size=128), password=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=5))
def test_any_name_and_any_printable_password_are_read_back(name, password):
    changes = {"display_name": name, "password": password}
    assert zoiper_account(**changes).findtext("password") == password
    sections = linphone_sections(**changes)
    assert sections["auth_info_0"]["passwd"] == password
    assert_quoted(sections["proxy_0"]["reg_identity"].rpartition("<")[0].strip())


@pytest.mark.parametrize("document", [zoiper.options_document, linphone.provisioning_document])
def test_there_is_no_document_without_a_password(document):
    with pytest.raises(ValueError, match="needs the password"):
        document(make_settings(password=None))


@pytest.mark.parametrize(
    ("headers", "linphones", "zoipers"),
    [
        ({"User-Agent": "Linphone Desktop/4.4.10 (box) Debian"}, True, False),
        ({"User-Agent": "LinphoneAndroid/6.0.21 (Pixel 9)"}, True, False),
        ({"User-Agent": "Unknown", "X-Linphone-Provisioning": "1"}, True, False),
        ({"User-Agent": "Zoiper v2.10.20.2"}, False, True),
        ({"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/142.0.0.0"}, False, False),
        ({"User-Agent": "WhatsApp/2.24 A"}, False, False),
        ({}, False, False),
    ],
)
def test_a_softphone_is_told_from_a_browser(headers, linphones, zoipers):
    assert linphone.is_linphone(headers) is linphones
    assert zoiper.is_zoiper(headers.get("User-Agent", "")) is zoipers
