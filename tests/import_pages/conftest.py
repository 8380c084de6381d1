"""An admin and somebody of the helpdesk at the pages of bulk work, and a strict eye on every template they see."""

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from softphones import imports
from softphones.models import Change, Import, Softphone, SyncRun
from tests.factories import make_owner, make_softphone
from tests.pages.conftest import soup, undefined_variables_fail, words  # noqa: F401
from tests.staffing import staff_browser

BULK = "/acme/imports/"


@pytest.fixture(autouse=True)
def eager(settings):
    """Who looks at many phones twice does not wait in between."""
    settings.LIGHT_LIST_EVERY = 0


@pytest.fixture
def account(account):
    """An account whose mirror has just been read."""
    now = timezone.now()
    SyncRun.objects.create(account=account, state=SyncRun.State.COMPLETE, started_at=now, finished_at=now)
    return account


@pytest.fixture
def admin(account):
    return staff_browser(account, "admin", "adam@acme.example", name="Adam Admin")


@pytest.fixture
def helpdesk(account):
    return staff_browser(account, "helpdesk", "helen@acme.example", name="Helen Desk")


@pytest.fixture
def owner(account):
    return make_owner(account, "alice@acme.example", name="Alice Smith")


@pytest.fixture
def upload(admin) -> Callable[..., Import]:
    """Put this file into the form; returns the import that it led to."""

    def upload(file: str | bytes, name: str = "phones.csv", **more) -> Import:
        response = admin.post(BULK, {"file": as_file(file, name)} | more)
        assert response.status_code == 302, response.content.decode()
        return Import.objects.get(pk=response["Location"].rstrip("/").rpartition("/")[2])

    return upload


@pytest.fixture
def started(admin, upload) -> Callable[..., Import]:
    """An import of so many softphones that was started, and of which nothing is sent yet."""

    def start(count: int = 3) -> Import:
        batch = upload("name\n" + "".join(f"Phone {number}\n" for number in range(count)))
        assert admin.post(f"{page_of(batch)}start/").status_code == 302
        batch.refresh_from_db()
        return batch

    return start


@pytest.fixture
def act(account, admin) -> Callable[..., Import]:
    """An act on so many softphones of people, checked; the first few are connected, and a few more belong to nobody."""

    def act(kind: str, count: int, *, connected: int = 0, ownerless: int = 0) -> Import:
        owners = [make_owner(account, f"{kind}{number}@acme.example") for number in range(count)] + [None] * ownerless
        now = timezone.now()
        phones = [
            make_softphone(account, owner, registered=place < connected, seen_at=now) for place, owner in enumerate(owners)
        ]
        return imports.act_on(account=account, softphones=phones, kind=kind, by=admin.user, now=now)

    return act


def ends(batch: Import, *, failed: int = 0) -> None:
    """As if Audian had answered all of it: the first so many with an error, the others as asked."""
    now = timezone.now()
    wishes = list(Change.objects.filter(batch=batch.batch).order_by("pk"))
    for number, wish in enumerate(wishes):
        error = {"state": "failed", "error": "Audian refused the name."} if number < failed else {"state": "done"}
        Change.objects.filter(pk=wish.pk).update(finished_at=now, **error)
        if number >= failed:
            Softphone.objects.filter(pk=wish.softphone_id).update(audian_id=f"{wish.pk:032x}")


def press(client, response, button: str, **fields):
    """Press the button with these words on the page, with what its form holds and these fields; returns where that leads."""
    [found] = [each for each in soup(response).select("form button") if words(each) == button]
    form = found.find_parent("form")
    held = {field["name"]: field.get("value", "") for field in form.select("input[type=hidden]")}
    return client.post(form["action"], held | fields, follow=True)


def page_of(batch: Import) -> str:
    return f"{BULK}{batch.pk}/"


def as_file(file: str | bytes, name: str = "phones.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, file.encode() if isinstance(file, str) else file)
