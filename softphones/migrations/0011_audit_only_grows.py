"""The database itself refuses to change or remove audit events, whoever asks.

A later migration that makes SQLite build the table anew (most changes of a column do) drops the triggers with it: it must
run `refuse` again. A test fails where that was forgotten.
"""

from django.db import migrations

SENTENCE = "Audit events are only ever added."
TABLE = "softphones_auditevent"

REFUSE = {
    "sqlite": [
        f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON {TABLE} BEGIN SELECT RAISE(ABORT, '{SENTENCE}'); END",
        f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON {TABLE} BEGIN SELECT RAISE(ABORT, '{SENTENCE}'); END",
        # INSERT OR REPLACE removes a row without asking the trigger above (https://sqlite.org/lang_conflict.html).
        f"CREATE TRIGGER audit_no_replace BEFORE INSERT ON {TABLE} WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id)"
        f" BEGIN SELECT RAISE(ABORT, '{SENTENCE}'); END",
    ],
    "postgresql": [
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" RAISE EXCEPTION '{SENTENCE}' USING ERRCODE = 'restrict_violation'; END $$",
        f"CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE}"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()",
    ],
}
ALLOW = {
    "sqlite": [f"DROP TRIGGER audit_no_{act}" for act in ("update", "delete", "replace")],
    "postgresql": [f"DROP TRIGGER audit_only_grows ON {TABLE}", "DROP FUNCTION audit_only_grows()"],
}


def refuse(apps, schema_editor):
    for statement in REFUSE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def allow(apps, schema_editor):
    for statement in ALLOW[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("softphones", "0010_mails_and_audit")]

    operations = [migrations.RunPython(refuse, allow)]
