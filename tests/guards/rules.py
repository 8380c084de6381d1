"""Every address, and the one rule that says who may come in."""

import re

import pytest
from django.urls import get_resolver

PUBLIC, SIGNED_IN, OWN_PHONE, OWN_CHANGE = "public", "signed in", "the phone's own person", "who asked for the change"
STAFF, ADMIN = "staff, with a second factor", "admins, with a second factor"
RULES = {
    "healthz": PUBLIC,
    "readyz": PUBLIC,
    "metrics": PUBLIC,  # with the operator's token; else it does not exist
    "demo_mail": PUBLIC,  # of the demo alone; else it does not exist
    "account_login": PUBLIC,
    "sign_in_code": PUBLIC,
    "sign_in_password": PUBLIC,
    "account_logout": PUBLIC,
    "setup_link": PUBLIC,
    "zoiper": PUBLIC,
    "softphones": SIGNED_IN,
    "lights": SIGNED_IN,
    "prove": SIGNED_IN,
    "set_password": SIGNED_IN,
    "setup": OWN_PHONE,
    "password_shown": OWN_PHONE,
    "code": OWN_PHONE,
    "app_link": OWN_PHONE,
    "light": OWN_PHONE,
    "get_softphone": SIGNED_IN,
    "rename": OWN_PHONE,
    "replace": OWN_PHONE,
    "change": OWN_CHANGE,
    "change_again": OWN_CHANGE,
    "second_factor": SIGNED_IN,
    "second_factor_ask": SIGNED_IN,
    "second_factor_app": SIGNED_IN,
    "second_factor_passkey": SIGNED_IN,
    "second_factor_codes": SIGNED_IN,
    "second_factor_remove": SIGNED_IN,
    "staff_home": STAFF,
    "staff_softphones": STAFF,
    "staff_change": STAFF,
    "staff_change_again": STAFF,
    "people": STAFF,
    "person": STAFF,
    "leavers": STAFF,
    "close_person": STAFF,
    "close_dangling": STAFF,
    "desk_phone": STAFF,
    "phone_state": STAFF,
    "send_link": STAFF,
    "reset_password": STAFF,
    "switch_off": STAFF,
    "switch_on": STAFF,
    "revoke_links": STAFF,
    "history": STAFF,
    "history_export": STAFF,
    "mails": STAFF,
    "mail_again": STAFF,
    "runs": STAFF,
    "run": STAFF,
    "charges": STAFF,
    "run_start": ADMIN,
    "run_release": ADMIN,
    "charges_accept": ADMIN,
    "charges_decline": ADMIN,
    "confirm_person": ADMIN,
    "unlink_person": ADMIN,
    "members": ADMIN,
    "member_role": ADMIN,
    "member_remove": ADMIN,
    "owners": ADMIN,
    "softphone_create": ADMIN,
    "softphone_edit": ADMIN,
    "softphone_delete": ADMIN,
    "imports": ADMIN,
    "import_template": ADMIN,
    "import": ADMIN,
    "import_start": ADMIN,
    "import_pause": ADMIN,
    "import_resume": ADMIN,
    "import_cancel": ADMIN,
    "import_again": ADMIN,
    "import_undo": ADMIN,
    "import_mails": ADMIN,
    "import_csv": ADMIN,
    "import_handouts": ADMIN,
    "from_people": ADMIN,
    "bulk": ADMIN,
}


def names() -> list[str]:
    return [pattern.name for pattern, *_rest in walk(get_resolver())]


def walk(resolver):
    for each in resolver.url_patterns:
        if hasattr(each, "url_patterns"):
            yield from walk(each)
        else:
            yield (each,)


def with_rule(*rules):
    return pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule in rules])


def parameters(name: str) -> list[str]:
    """What an address of this name takes."""
    return next(re.findall(r"<\w+:(\w+)>", str(each.pattern)) for each, *_rest in walk(get_resolver()) if each.name == name)
