"""An admin and somebody of the helpdesk at the pages of bulk work, and a strict eye on every template they see."""

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from softphones.models import Import, SyncRun
from tests.factories import make_owner
from tests.pages.conftest import undefined_variables_fail  # noqa: F401
from tests.staffing import staff_browser


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
        response = admin.post("/acme/imports/", {"file": as_file(file, name)} | more)
        assert response.status_code == 302, response.content.decode()
        return Import.objects.get(pk=response["Location"].rstrip("/").rpartition("/")[2])

    return upload


def as_file(file: str | bytes, name: str = "phones.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, file.encode() if isinstance(file, str) else file)
