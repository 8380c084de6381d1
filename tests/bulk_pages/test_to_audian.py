"""Each act on softphones that were ticked, from the list to Audian and to the page that says it is finished. With a sandbox."""

import pytest
from django.core import mail as outbox
from django.utils import timezone

from softphones import imports, mail, search
from softphones.models import Softphone
from tests.bulk_pages.test_selection import BULK, LIST, chosen_in
from tests.factories import make_owner
from tests.import_pages.conftest import page_of, press
from tests.imports.conftest import account, plant, sandbox, send, short_limits, softphones_of  # noqa: F401
from tests.pages.conftest import soup, words

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = ["alice@acme.example", "bob@acme.example"]


@pytest.fixture
def planted(account, sandbox, plant):  # noqa: F811
    """Softphones of three people, at Audian and in the list; `enabled` or not."""

    def plant_all(*, enabled: bool) -> list[Softphone]:
        found = []
        for name in ("Alice", "Bob", "Carol"):
            owner = make_owner(account, f"{name.lower()}@acme.example", name=name)
            phone = plant(f"{name} - softphone", f"user_{name.lower()}")
            sandbox.change_device(phone.audian_id, owner_id=owner.audian_id, enabled=enabled)
            known = {"owner": owner, "owner_audian_id": owner.audian_id, "enabled": enabled}
            Softphone.objects.filter(pk=phone.pk).update(**known)
            found.append(phone)
        search.add(account, found)
        return found

    return plant_all


def at_audian(sandbox) -> dict[str, tuple]:  # noqa: F811
    """What Audian has of each softphone: whether it is enabled, and its password."""
    return {each["name"].split()[0]: (each["enabled"], each["sip"]["password"]) for each in softphones_of(sandbox)}


def switched_to(enabled: bool):
    def check(before: dict, after: dict, mailed: list[str]) -> None:
        assert after == before | {name: (enabled, before[name][1]) for name in ("Alice", "Bob")}
        assert before["Carol"][0] is not enabled

    return check


def were_reset(before: dict, after: dict, mailed: list[str]) -> None:
    assert {name for name in before if before[name] != after[name]} == {"Alice", "Bob"}
    assert all(enabled for enabled, _password in after.values())
    assert mailed == PEOPLE, "they have to set up their app again"


def were_mailed(before: dict, after: dict, mailed: list[str]) -> None:
    assert (after, mailed) == (before, PEOPLE)


def are_gone(before: dict, after: dict, mailed: list[str]) -> None:
    assert after == {"Carol": before["Carol"]}


#: The button that starts it, what the result calls it, and what Audian and the people have got by then.
ENDS = {
    "enable": ("Switch on 2 softphones", "switched on", switched_to(True)),
    "disable": ("Switch off 2 softphones", "switched off", switched_to(False)),
    "reset": ("Reset 2 passwords", "reset", were_reset),
    "send_links": ("Send 2 mails", "mailed", were_mailed),
    "delete": ("Delete 2 softphones", "deleted", are_gone),
}


@pytest.mark.parametrize("kind", ENDS)
def test_an_act_on_ticked_softphones_is_done(admin, planted, the_import, sandbox, send, kind):  # noqa: F811
    button, done, came_to = ENDS[kind]
    phones = planted(enabled=kind != "enable")
    before = at_audian(sandbox)
    sent = chosen_in(soup(admin.get(LIST)))
    batch = the_import(admin.post(BULK, sent | {"pick": [phone.pk for phone in phones[:2]], "kind": kind}))
    press(admin, admin.get(page_of(batch)), button)
    assert "Under way" in words(admin.get(page_of(batch)))
    send()
    mail.send_due(timezone.now())
    imports.settle(now=timezone.now())
    came_to(before, at_audian(sandbox), sorted(address for each in outbox.outbox for address in each.to))
    page = soup(admin.get(page_of(batch)))
    assert words(page.select_one("#live h2")) == "Finished"
    assert [words(each) for each in page.select("#live .facts > div")] == [f"{done} 2", "failed 0"]
