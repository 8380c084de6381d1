"""What undoing an import leaves alone: every softphone that somebody uses, as far as the portal saw."""

from django.utils.translation import gettext as _

from softphones.models import Import, ImportRow

Verdict = ImportRow.Verdict


def undoes(batch: Import) -> bool:
    """Whether it deletes what another import has made."""
    return batch.kind == Import.Kind.DELETE and batch.parent_id is not None


def keep(row: ImportRow, why: str) -> None:
    """Write into the row, which is not saved, that its softphone stays, and why (one of changes.WHY_KEPT)."""
    row.verdict, row.rank = Verdict.EXISTS, 3
    row.notices = [{"line": row.line, "column": None, "message": _(why)}]
