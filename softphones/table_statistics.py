"""What the database knows of how full its tables are."""

from django.db import connection
from django.db.models import Model


def refresh(*models: type[Model]) -> None:
    """Have PostgreSQL look at the tables of these models, after much was written into them at once.

    It looks by itself a minute or so later. Until then it plans as if they were nearly empty, and a query that takes
    milliseconds takes seconds. SQLite plans without.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE " + ", ".join(connection.ops.quote_name(model._meta.db_table) for model in models))
