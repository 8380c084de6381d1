"""What the database knows of how full its tables are."""

import logging

from django.db import DatabaseError, connection, transaction
from django.db.models import Model

logger = logging.getLogger(__name__)


def refresh(*models: type[Model]) -> None:
    """Have PostgreSQL look at the tables of these models, after much was written into them at once.

    It looks by itself a minute or so later. Until then it plans as if they were nearly empty, and a query that takes
    milliseconds takes seconds. SQLite plans without. Never raises: a table that somebody else works on is left out.
    """
    if connection.vendor != "postgresql":
        return
    tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in models)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"ANALYZE (SKIP_LOCKED) {tables}")
    except DatabaseError:
        logger.warning("PostgreSQL could not look at its tables. It will by itself.", exc_info=True)
