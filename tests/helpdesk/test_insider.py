"""Somebody of the staff who wants a colleague's password, and does whatever the portal lets them do, in any order."""

import random
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from django.core import mail as outbox
from django.urls import get_resolver
from django.utils import timezone

from softphones import changes, mail
from softphones.models import AuditEvent, Message, Owner, Softphone
from tests.factories import make_owner
from tests.pages.conftest import HTMX, soup

STEPS = 150
#: Where a walk does not go: out of the portal's session.
SHUT = ("/sign-out/", "/account/", "/confirm/", "/sign-in/")


class Insider:
    """A browser of staff that remembers everything it was ever told."""

    def __init__(self, client, alices_phone, sandbox):
        self.client, self.phone, self.sandbox = client, alices_phone, sandbox
        self.told, self.secrets = [], set()
        self.learn()

    def learn(self) -> None:
        """Let Audian and the mails follow; the passwords that the phone has had are what must not be told."""
        changes.drain(account=self.phone.account, seconds=3)
        mail.send_due(timezone.now())
        device = self.sandbox.device(self.phone.audian_id)
        self.secrets |= {device["sip"]["password"]} if device else set()
        assert not Softphone.objects.visible_to(self.client.user).filter(pk=self.phone.pk).exists()

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
        return not [secret for secret in self.secrets for text in heard if secret in text]


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
    parts = {"slug": "acme", "audian_id": phone.owner.audian_id}
    own = Owner.objects.get(name="Former entry")
    for pattern in get_resolver("softphones.urls").url_patterns:
        route = str(pattern.pattern)
        if not route.startswith("<slug:slug>/"):
            continue
        for pk in {phone.pk, phone.owner_id, own.pk}:
            yield "/" + route.replace("<slug:slug>", "acme").replace("<str:audian_id>", parts["audian_id"]).replace(
                "<int:pk>", str(pk)
            )


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


@pytest.mark.parametrize("seed", [1, 2])
def test_no_walk_through_the_portal_leads_to_a_password(insider, seed, caplog):
    chance = random.Random(seed)
    address = "/acme/people/"
    for step in range(STEPS):
        response = insider.get(address)
        if response.status_code == 302:
            address = response["Location"].partition("#")[0]
            continue
        ways = list(_ways(response, address)) if response.status_code == 200 else []
        if not ways or step % 20 == 19:
            address = chance.choice(["/acme/", f"/acme/people/{insider.phone.owner_id}/", "/"])
            continue
        kind, target, fields = chance.choice(ways)
        if kind == "post":
            answer = insider.post(target, {name: _chosen(name, options, insider, chance) for name, options in fields.items()})
            target = answer["Location"].partition("#")[0] if answer.status_code == 302 else address
        address = target
    assert insider.was_never_told(caplog)


def _ways(response, address: str) -> Iterator[tuple[str, str, dict]]:
    """The links and forms of a page: how, where to, and which values each field offers. None in a file."""
    if response.streaming:
        return
    page = soup(response)
    for link in page.select("a[href]"):
        target = urljoin(address, link["href"]).partition("#")[0]
        if target.startswith("/") and not target.startswith(SHUT):
            yield "get", target, {}
    for form in page.select("form[method=post]"):
        target = urljoin(address, form.get("action") or address)
        if target.startswith(SHUT):
            continue
        fields: dict[str, list] = {}
        for field in form.select("input[name], select[name], button[name]"):
            options = [each.get("value", "") for each in field.select("option")] or [field.get("value", "")]
            fields.setdefault(field["name"], []).extend(options)
        yield "post", target, fields


def _chosen(name: str, options: list[str], insider: Insider, chance: random.Random) -> str:
    if name == "owner":
        return str(chance.choice(list(Owner.objects.values_list("pk", flat=True))))
    if name == "typed":
        return chance.choice([insider.phone.name, "x"])
    return chance.choice(options) or "x"
