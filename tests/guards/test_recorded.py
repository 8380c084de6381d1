"""Every act is on record with who did it, when and from where: each address that writes is given its form, and posts it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from softphones import charges, imports, setup_links
from softphones.forms import sign_seen
from softphones.models import Account, AuditEvent, Change, Import, Owner, Softphone, SyncRun, User
from tests.factories import make_user
from tests.guards.rules import ADMIN, RULES, STAFF
from tests.pages.conftest import IPHONE, soup, words
from tests.people.conftest import newest_code, the_worker_runs
from tests.staffing import app_code, enrolled_app, signed_in_as_staff, staff_browser

pytestmark = pytest.mark.django_db
STRONG, ONCE = "seven-green-owls-9", {"key": "k"}


@dataclass
class Scene:
    """Who posts, and what there is. `path` is the address; what is prepared for a post may lead it elsewhere."""

    client: Client
    actor: User | None
    account: Account
    phone: Softphone
    settings: Any
    path: str = ""

    def form_on(self, path: str) -> dict[str, str]:
        fields = soup(self.client.get(path)).select("form[method=post] input[name], form[method=post] textarea[name]")
        return {each["name"]: each.get("value", "") for each in fields if each.get("type") != "checkbox"}


@dataclass(frozen=True)
class Recorded:
    """What a post of `form` leaves on record. `form` may prepare the scene first."""

    act: str
    form: dict | Callable[[Scene], dict] = field(default_factory=dict)
    outcome: str = "done"


def _mailed_code(scene: Scene, *posts: tuple[str, dict]) -> dict:
    for path, form in posts:
        scene.client.post(path, form)
    the_worker_runs()
    return {"code": newest_code("alice@acme.example")}


def _code_to_sign_in(scene: Scene) -> dict:
    scene.client = Client()
    return _mailed_code(scene, ("/sign-in/", {"email": "alice@acme.example"}))


def _password_to_sign_in(scene: Scene) -> dict:
    scene.client = Client()
    scene.actor.set_password(STRONG)
    scene.actor.save()
    return {"email": "alice@acme.example", "password": STRONG}


def _code_to_confirm(scene: Scene) -> dict:
    scene.client = Client()
    scene.client.force_login(scene.actor)
    return _mailed_code(scene, ("/confirm/", {}))


def _link(path: str) -> Callable[[Scene], dict]:
    """Whoever holds the link is nobody that the portal knows."""

    def form(scene: Scene) -> dict:
        token = setup_links.draw(softphone=scene.phone, user=scene.actor, ip=None, now=timezone.now()).token
        scene.client, scene.actor, scene.path = Client(), None, path + token
        return {}

    return form


def _tap_link(scene: Scene) -> dict:
    scene.settings.PUBLIC_URL = "https://phones.acme.example"
    scene.client.defaults["HTTP_USER_AGENT"] = IPHONE
    return {"app": "linphone"}


def _second_factor(scene: Scene) -> dict:
    scene.actor = make_user("new@acme.example", account=scene.account, role="helpdesk")
    scene.client = Client()
    scene.client.force_login(scene.actor)
    return {"code": app_code(enrolled_app(scene.actor))}


def _second_factor_app(scene: Scene) -> dict:
    Authenticator.objects.filter(user=scene.actor).delete()
    secret = words(soup(scene.client.get(scene.path)).select_one("#value-secret")).replace(" ", "")
    return {"code": app_code(secret)}


def _one_factor_too_many(scene: Scene) -> dict:
    other = Authenticator.objects.create(user=scene.actor, type="webauthn", data={})
    scene.path = reverse("second_factor_remove", args=[other.pk])
    return {}


def _all(model, **fields) -> Callable[[Scene], dict]:
    """There is but one of each."""

    def form(scene: Scene) -> dict:
        model.objects.update(**fields)
        return ONCE

    return form


def _one_more(scene: Scene) -> dict:
    Account.objects.update(quota=2)
    SyncRun.objects.update(state=SyncRun.State.COMPLETE)
    return ONCE | {"owner": scene.phone.owner_id}


def _what_would_go(scene: Scene) -> dict:
    SyncRun.objects.update(removals=[scene.phone.pk], finished_at=timezone.now())
    return {}


def _new_name(scene) -> dict:
    return ONCE | {"name": "My laptop", "seen": sign_seen(scene.phone, scene.phone.name)}


def _charges(scene: Scene) -> dict:
    quote = {"devices": {"softphone": {"quantity": 1, "rate": 2.0}}}
    Change.objects.update(quote=quote)
    return {"seen": charges.offer(Change.objects.get()).mark}


def _edited(scene: Scene) -> dict:
    return scene.form_on(scene.path) | {"name": "Another name"}


def _checked(scene: Scene) -> dict:
    asked = {"account": scene.account, "by": scene.actor, "now": timezone.now()}
    batch = imports.check(file=b"name\nLobby\n", name="phones.csv", **asked)
    scene.path = reverse("import_start", args=["acme", batch.pk])
    return {}


ACTS = {
    # People, by themselves
    "sign_in_code": Recorded("person:signed_in", _code_to_sign_in),
    "sign_in_password": Recorded("person:signed_in", _password_to_sign_in),
    "account_logout": Recorded("person:signed_out"),
    "prove": Recorded("person:confirmed", _code_to_confirm),
    "set_password": Recorded("person:password_set", {"new_password1": STRONG, "new_password2": STRONG}),
    "second_factor_ask": Recorded("second_factor:shown", _second_factor),
    "second_factor_app": Recorded("second_factor:enrolled", _second_factor_app),
    "second_factor_codes": Recorded("second_factor:codes_made"),
    "second_factor_remove": Recorded("second_factor:removed", _one_factor_too_many),
    # Reveals
    "password_shown": Recorded("password:shown"),
    "code": Recorded("link:made"),
    "app_link": Recorded("link:made", _tap_link),
    "setup_link": Recorded("link:opened", _link("/s/")),
    "zoiper": Recorded("link:opened", _link("/zoiper?id=")),
    # One's own softphones
    "get_softphone": Recorded("softphone:created", _one_more, "asked"),
    "rename": Recorded("softphone:changed", _new_name, "asked"),
    "replace": Recorded("password:reset", ONCE, "asked"),
    "change_again": Recorded("change:tried_again", _all(Change, state="failed", kind="reset_password")),
    # Helpdesk
    "staff_change_again": Recorded("change:tried_again", _all(Change, state="failed")),
    "close_person": Recorded("person:closed", _all(Owner, enabled=False)),
    "close_dangling": Recorded("person:closed", _all(Softphone, owner=None, owner_audian_id="f" * 32)),
    "send_link": Recorded("mail:asked"),
    "reset_password": Recorded("password:reset", ONCE, "asked"),
    "switch_off": Recorded("softphone:changed", ONCE, "asked"),
    "switch_on": Recorded("softphone:changed", _all(Softphone, enabled=False), "asked"),
    "revoke_links": Recorded("link:revoked"),
    "history_export": Recorded("history:exported"),
    "mail_again": Recorded("mail:tried_again"),
    # Admins
    "run_start": Recorded("sync:asked"),
    "run_release": Recorded("sync:released", _what_would_go),
    "charges_accept": Recorded("charges:accepted", _charges),
    "charges_decline": Recorded("charges:declined", _charges),
    "confirm_person": Recorded("person:linked_by", _all(Owner, user=None, hold=Owner.Hold.LINK_FELL)),
    "unlink_person": Recorded("person:unlinked"),
    "member_role": Recorded("role:granted", {"role": "helpdesk"}),
    "member_remove": Recorded("role:revoked"),
    "softphone_create": Recorded("softphone:created", {"name": "Lobby"}, "asked"),
    "softphone_edit": Recorded("softphone:changed", _edited, "asked"),
    "softphone_delete": Recorded("softphone:deleted", lambda scene: {"typed": scene.phone.name}, "asked"),
    "import_start": Recorded("import:started", _checked),
    "import_pause": Recorded("bulk:paused", _all(Import, state=Import.State.STARTED)),
    "import_resume": Recorded("bulk:resumed", _all(Import, state=Import.State.PAUSED)),
    "import_cancel": Recorded("bulk:cancelled", _all(Import, state=Import.State.STARTED)),
}
PREVIEW = "what would be done is only shown; its start is on record"
NOT_ON_RECORD = {
    "account_login": "anybody may ask for a code; who came in with it is on record",
    "second_factor_passkey": "no browser here has one: tests/e2e/test_staff.py looks",
    "imports": PREVIEW,
    "import_again": PREVIEW,
    "import_undo": PREVIEW,
    "import_mails": PREVIEW,
    "from_people": PREVIEW,
    "bulk": PREVIEW,
}


@pytest.fixture
def scene(account, alice, alices_phone, address, signed_in, settings):
    def of(name: str) -> Scene:
        staff = RULES[name] in (STAFF, ADMIN) or name.startswith("second_factor")
        client = staff_browser(account, "admin", "adam@acme.example") if staff else signed_in(alice)
        actor = client.user if staff else alice
        return Scene(client, actor, account, alices_phone, settings, address(name))

    return of


@pytest.mark.parametrize("name", sorted(ACTS))
def test_who_did_it_when_and_from_where_is_on_record(name, scene):
    stage, expected = scene(name), ACTS[name]
    form = expected.form(stage) if callable(expected.form) else expected.form
    known, begun = set(AuditEvent.objects.values_list("pk", flat=True)), timezone.now()
    stage.client.post(stage.path, form)
    new = AuditEvent.objects.exclude(pk__in=known)
    # Beside it, what others had asked for may have come to its end: that is theirs.
    told = [each for each in new if each.act == expected.act or each.actor == stage.actor]
    assert (expected.act, expected.outcome) in {(each.act, each.outcome) for each in told}
    for each in told:
        assert (each.actor, each.ip, each.account) == (stage.actor, "127.0.0.1", stage.account), each.act
        assert begun <= each.at <= timezone.now()


@pytest.mark.parametrize("name", sorted(RULES.keys() - ACTS.keys() - NOT_ON_RECORD.keys()))
def test_whatever_else_there_is_takes_no_form(name, address, alice, account):
    """An address that begins to write needs an entry above."""
    client = staff_browser(account, "admin") if RULES[name] in (STAFF, ADMIN) else signed_in_as_staff(alice)
    assert client.post(address(name)).status_code in {404, 405}


def test_each_entry_is_an_address():
    assert {*ACTS, *NOT_ON_RECORD} <= RULES.keys()
    assert not ACTS.keys() & NOT_ON_RECORD.keys()
