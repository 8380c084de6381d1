"""An admin at the lists from which bulk work begins."""

import pytest

from softphones.models import Import
from tests.pages.conftest import mirrored, undefined_variables_fail  # noqa: F401
from tests.staff.conftest import admin, helpdesk  # noqa: F401


@pytest.fixture
def the_import():
    """Where an answer leads to: the import whose page it is."""

    def find(response) -> Import:
        assert response.status_code == 302
        return Import.objects.get(pk=int(response["Location"].rstrip("/").rpartition("/")[2]))

    return find


def names(batch: Import) -> list[str]:
    """What stands in its rows."""
    return [row.values["name"] for row in batch.rows.order_by("line")]
