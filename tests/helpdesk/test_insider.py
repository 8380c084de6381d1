"""Somebody of the staff who wants a colleague's password, and does whatever the portal lets them do, in any order."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin

import pytest
from django.core import mail as outbox
from django.urls import Resolver404, get_resolver, resolve
from django.utils import timezone

from softphones import changes, imports, mail, setup_links
from softphones.models import AuditEvent, Change, Import, Message, Owner, Softphone, SyncRun
from tests.factories import make_owner
from tests.guards.rules import ADMIN, RULES, STAFF
from tests.guards.test_recorded import ACTS, NOT_ON_RECORD
from tests.pages.conftest import HTMX, soup

MOST_STEPS = 600
_number = itertools.count(1)
#: Where a walk does not go: out of the portal's session.
SHUT = ("/sign-out/", "/account/", "/confirm/", "/sign-in/")


class Insider:
    """A browser of staff that remembers everything it was ever told."""

    def __init__(self, client, alices_phone, sandbox):
        self.client, self.phone, self.sandbox = client, alices_phone, sandbox
        self.told, self.secrets, self.their_own, self.had, self.rounds = [], set(), set(), set(), 0
        self.learn()

    def learn(self) -> None:
        """Let Audian and the mails follow, or now and then fail. No password of a phone that is not theirs may be told."""
        self.rounds += 1
        account, now = self.phone.account, timezone.now()
        own = set(Softphone.objects.visible_to(self.client.user).values_list("pk", flat=True))
        if self.rounds % 4 == 0:
            self._colleagues_draw_links(own, now)
        drawn = Change.objects.filter(password__isnull=False).exclude(softphone__in=own)
        self.secrets |= {change.password for change in drawn}
        if self.rounds % 3:  # else it is seen as it waits
            if self.rounds % 5 == 0:
                self.sandbox.faults.add("500", match="POST /devices")
            imports.catch_up(account=account, now=now)
            changes.drain(account=account, seconds=3)
            self.sandbox.faults.clear()
            mail.send_due(now)
        own_devices = set(Softphone.objects.filter(pk__in=own).values_list("audian_id", flat=True))
        for each in self.sandbox.devices():
            (self.their_own if each["id"] in own_devices else self.secrets).add(each["sip"]["password"])
        if device := self.sandbox.device(self.phone.audian_id):
            self.had.add(device["sip"]["password"])
        colleagues = Softphone.objects.visible_to(self.client.user).exclude(owner__email_folded=self.client.user.email)
        assert not colleagues.exists()

    def _colleagues_draw_links(self, own: set[int], now) -> None:
        phones = Softphone.objects.present().filter(owner__user__isnull=False, password__isnull=False).exclude(pk__in=own)
        for phone in phones.select_related("owner__user"):
            drawn = setup_links.draw(softphone=phone, user=phone.owner.user, ip=None, now=now)
            self.secrets.add(drawn.token)

    def get(self, address: str, **headers):
        return self._heard(self.client.get(address, headers=headers))

    def post(self, address: str, data: dict):
        answer = self._heard(self.client.post(address, data))
        self.learn()
        return answer

    def _heard(self, response):
        content = response.getvalue() if response.streaming else response.content
        self.told += [content.decode("utf-8", "replace"), str(response.headers)]
        return response

    def was_never_told(self, caplog) -> bool:
        mails = [f"{each.subject} {each.body} {each.alternatives}" for each in outbox.outbox]
        audit, messages = str(list(AuditEvent.objects.values())), str(list(Message.objects.values()))
        heard = [*self.told, *mails, caplog.text, audit, messages]
        # What they knew while the phone was theirs, they know for ever; a newer password of it they don't.
        return not [secret for secret in self.secrets - self.their_own for text in heard if secret in text]


@pytest.fixture(params=["helpdesk", "admin"])
def insider(request, account, alices_phone, sandbox, plant):
    """Has a phone of their own, and an old entry at Audian with their address."""
    client = request.getfixturevalue(request.param)
    own = {"username": "user_own", "password": "theirOwnSecret7", "method": "password"}
    plant(make_owner(account, client.user.email, user=client.user, name=client.user.name), "My own phone", sip=own)
    make_owner(account, client.user.email, name="Former entry", hold=Owner.Hold.LINK_FELL)
    return Insider(client, alices_phone, sandbox)


def staff_addresses(phone: Softphone) -> Iterator[str]:
    """Every address of the staff pages, about Alice and her phone."""
    own = Owner.objects.get(name="Former entry")
    for pattern in get_resolver("softphones.urls").url_patterns:
        route = str(pattern.pattern)
        if not route.startswith("<slug:slug>/"):
            continue
        for pk in {phone.pk, phone.owner_id, own.pk}:
            yield "/" + route.replace("<slug:slug>", "acme").replace("<int:pk>", str(pk))


def test_no_address_of_the_staff_tells_a_password(insider, caplog):
    own = Owner.objects.get(name="Former entry")
    tried = {
        "owner": own.pk,
        "name": "Mine",
        "enabled": "on",
        "typed": "x",
        "role": "admin",
        "reason": "x",
        "key": "k",
        "to": "me@evil.example",
    }
    for address in sorted(set(staff_addresses(insider.phone))):
        insider.get(address)
        insider.get(address, **HTMX)
        insider.post(address, tried)
    assert len(insider.secrets) > 1
    assert insider.was_never_told(caplog)


def test_the_set_up_of_a_colleague_is_closed_to_staff(insider):
    for address in ("", "password/", "code/", "link/", "light/"):
        path = f"/softphones/{insider.phone.pk}/{address}"
        assert insider.get(path).status_code in {404, 405}
        assert insider.post(path, {}).status_code in {404, 405}


# The walk: whatever their role lets somebody do, one thing after the other.

#: Hangs on how far an import is at that moment.
LUCK = {"import_pause", "import_resume", "import_cancel", "import_undo", "import_again", "import_mails"}
WRITING = {name for name in {*ACTS, *NOT_ON_RECORD} if RULES[name] in (STAFF, ADMIN)} - LUCK
ALLOWED = {"helpdesk": {name for name in WRITING if RULES[name] == STAFF}, "admin": WRITING}


@pytest.fixture
def company(account, alice, bob, insider, plant, settings):
    """The insider, and more to act on: people who left, a colleague, a phone of nobody; removals, charges, a failed mail."""
    settings.CHANGE_ATTEMPTS, settings.RESET_AGAIN_AFTER, settings.HELPDESK_RESETS = 1, 0, 1000
    now = timezone.now()
    plant(make_owner(account, "carl@acme.example", name="Carl Gone", enabled=False), "Carl's phone", "user_carl")
    plant(None, "Phone of somebody unknown", "user_unknown", owner_id="f" * 32)
    bobs = plant(make_owner(account, "bob@acme.example", user=bob, name="Bob Jones"), "Bob's phone", "user_bob")
    lobby = plant(None, "Lobby", "user_lobby")
    SyncRun.objects.create(account=account, state="held", started_at=now, finished_at=now, removals=[lobby.pk])
    for phone in (bobs, lobby):
        asked = changes.update(softphone=phone, values={"caller_id_number": "7"}, seen={}, by=None, now=now)
        Change.objects.filter(pk=asked.pk).update(state="held", quote={"devices": {"softphone": {"quantity": 1, "rate": 2.0}}})
    mail.ask(kind="setup_link", account=account, softphone=bobs, now=now)
    Message.objects.update(state="failed", error="The address is unknown.")
    return insider


@pytest.mark.parametrize("seed", [1])
def test_no_walk_through_the_portal_leads_to_a_password(company, account, seed, caplog):
    walk, user = Walk(company, random.Random(seed)), company.client.user
    role = user.memberships.get().role
    wanted = {ACTS[name].act for name in ALLOWED[role] if name in ACTS}
    for _step in range(MOST_STEPS):
        walk.step()
        left, on_record = ALLOWED[role] - walk.posted, AuditEvent.objects.filter(actor=user)
        if not left and len(company.had) > 2 and wanted <= set(on_record.values_list("act", flat=True)):
            break
    assert not left, "not everything that the role allows was done"
    assert wanted <= set(on_record.values_list("act", flat=True)), "not everything that was done came to anything"
    assert len(company.had) > 2, "the passwords that Alice's phone had at Audian"
    assert company.was_never_told(caplog)


class Walk:
    """Does next what was done least: a link or a button, by the name of its address."""

    def __init__(self, insider: Insider, chance: random.Random) -> None:
        self.insider, self.chance = insider, chance
        person, phone = insider.phone.owner_id, insider.phone.pk
        starts = [
            f"/acme/people/{person}/",
            f"/acme/softphones/{phone}/reset/",
            "/acme/members/?role=user",
            "/acme/",
            f"/acme/softphones/{phone}/edit/",
        ]
        self.starts = itertools.cycle([*starts, "/acme/leavers/", "/acme/softphones/", "/acme/imports/"])
        self.address, self.posted, self.used, self.steps = next(self.starts), set(), Counter(), 0

    def step(self) -> None:
        response = self.insider.get(self.address)
        if response.status_code == 302:
            self.address = response["Location"].partition("#")[0]
            return
        ways = list(_ways(response, self.address)) if response.status_code == 200 else []
        ways = [way for way in ways if not (_is_own(way.target) and self.used[way.key])]
        self.steps += 1
        if not ways or self.steps % 10 == 0:
            self.address = next(self.starts)
            return
        self._go(min(ways, key=lambda way: (self.used[way.key], self.chance.random())))

    def _go(self, way: "Way") -> None:
        self.used[way.key] += 1
        self.address = way.target
        if way.button is None:
            return
        if way.button != "find":
            self.posted.add(way.name)
        fields = {field: self._filled(way, field, options) for field, options in way.fields.items()}
        answer = self.insider.post(way.target, {field: value for field, value in fields.items() if value is not None})
        if answer.status_code == 302:
            self.address = answer["Location"].partition("#")[0]

    def _filled(self, way: "Way", field: str, options: list) -> str | None:
        """As somebody would fill it in who means it; None: not ticked."""
        if field == "owner":
            return str(self.chance.choice([*Owner.objects.values_list("pk", flat=True), ""]))
        if field == "typed" and way.name == "softphone_delete":
            return Softphone.objects.get(pk=way.pk).name if way.pk != self.insider.phone.pk else "x"  # Alice's is needed
        if field == "kind":
            return self.chance.choice([option for option in options if option != "delete"] or options)
        if field == "typed":
            return str(Import.objects.get(pk=way.pk).will)
        if field == "text":
            return f"name,owner_email\nNew {next(_number)},alice@acme.example\nAnother {next(_number)},\n"
        if field == "name":
            return f"Phone {next(_number)}"
        if field in ("sip_password", "sip_username", "owner_text"):
            return ""
        return self.chance.choice(options)


@dataclass(frozen=True)
class Way:
    """A link, or (with a `button`) a form, and which values each of its fields offers; None for a box that is not ticked."""

    target: str
    button: str | None = None
    fields: dict[str, list] = field(default_factory=dict)

    @property
    def name(self) -> str:
        try:
            return resolve(self.target.partition("?")[0]).url_name
        except Resolver404:
            return self.target

    @property
    def key(self) -> tuple:
        return self.name, self.button

    @property
    def pk(self) -> int:
        return resolve(self.target).kwargs["pk"]


def _is_own(target: str) -> bool:
    """Of the insider's own phones, where nothing has to be hidden."""
    return target.startswith(("/softphones/", "/changes/"))


def _ways(response, address: str) -> Iterator[Way]:
    """The links and forms of a page, none in a file."""
    if response.streaming:
        return
    page = soup(response)
    for link in page.select("a[href]"):
        target = urljoin(address, link["href"]).partition("#")[0]
        if target.startswith("/") and not target.startswith(SHUT):
            yield Way(target)
    for form in page.select("form[method=post]"):
        target = urljoin(address, form.get("action") or address)
        if target.startswith(SHUT):
            continue
        fields: dict[str, list] = {}
        for each in form.select("input[name], select[name], textarea[name]"):
            options = [option.get("value", "") for option in each.select("option")] or [each.get("value", "")]
            ticked = [None] if each.get("type") == "checkbox" and each["name"] != "pick" else []
            fields.setdefault(each["name"], []).extend(options + ticked)
        for button in form.select("button[type=submit], button:not([type])"):
            pressed = {button["name"]: [button.get("value", "")]} if button.get("name") else {}
            yield Way(target, button.get("name", ""), fields | pressed)
