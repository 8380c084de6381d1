"""Tests with real transactions empty every table when they end, which the audit's triggers refuse. For that moment alone
they are lifted."""

import pytest
from django.db import connection

TABLE = "softphones_auditevent"


@pytest.fixture(autouse=True, scope="session")
def lift_for_flushes():
    operations = type(connection.ops)
    flush = operations.execute_sql_flush

    def lifted(self, sql_list):
        lift, restore = _statements()
        return flush(self, [*lift, *sql_list, *restore])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "execute_sql_flush", lifted)
        yield


def _statements() -> tuple[list[str], list[str]]:
    if connection.vendor == "postgresql":
        return [f"ALTER TABLE {TABLE} DISABLE TRIGGER USER"], [f"ALTER TABLE {TABLE} ENABLE TRIGGER USER"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE])
        triggers = cursor.fetchall()
    return [f"DROP TRIGGER {name}" for name, _sql in triggers], [sql for _name, sql in triggers]
