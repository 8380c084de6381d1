"""What failed of bulk work, or was not done, is checked once more: as the result file would be, without the detour."""

from datetime import datetime

from django.utils.translation import gettext as _

from softphones.imports import statuses
from softphones.imports.acting import act_on, mail_setup, undo
from softphones.imports.report import result_csv
from softphones.imports.starting import NotPossible
from softphones.imports.storing import check, from_people
from softphones.imports.undoing import undoes
from softphones.models import Import, User


def check_rest(*, batch: Import, by: User | None, now: datetime) -> Import:
    """The rows of `batch` that failed or were not done, checked, as bulk work of the same kind. See softphones.imports.

    Raises NotPossible if there are none. Not in a transaction: the lights may be asked.
    """
    rows = statuses.rest(batch)
    asked = {"by": by, "now": now}
    if not rows.exists():
        raise NotPossible(_("Nothing of it is left to be checked again."))
    if batch.parent:
        return undo(batch=batch.parent, **asked) if undoes(batch) else mail_setup(batch=batch.parent, **asked)
    asked["account"] = batch.account
    if batch.kind == Import.Kind.CREATE and batch.is_file:
        return check(file=_file(batch), name=batch.name, is_ours=True, **asked)
    rows = rows.select_related("softphone", "owner").defer("cells", "password", "softphone__password")
    if batch.kind == Import.Kind.CREATE:
        return from_people(owners=[row.owner for row in rows], **asked)
    return act_on(softphones=[row.softphone for row in rows], kind=batch.kind, **asked)


def _file(batch: Import) -> bytes:
    """Of the result file, the rows that are not done, each on the line that it had."""
    text, *lines = result_csv(batch)
    wanted, place = set(statuses.rest(batch).values_list("line", flat=True)), 1
    numbers = batch.rows.order_by("line").values_list("line", flat=True)
    for line, number in zip(lines, numbers, strict=True):
        if number in wanted:
            text += "\n" * (number - place - 1) + line
            place = number
    return text.encode()
