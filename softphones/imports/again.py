"""What failed of bulk work, or was not done, is checked once more: as the result file would be, without the detour."""

from datetime import datetime

from django.utils.translation import gettext as _

from softphones.imports.acting import act_on, mail_setup, undo
from softphones.imports.report import result_csv
from softphones.imports.starting import NotPossible
from softphones.imports.statuses import with_status
from softphones.imports.storing import check, from_people
from softphones.imports.undoing import undoes
from softphones.models import Import, User

NOT_DONE = ("failed", "cancelled")


def check_rest(*, batch: Import, by: User | None, now: datetime) -> Import:
    """The rows of `batch` that failed or were not done, checked, as bulk work of the same kind. See softphones.imports.

    Raises NotPossible if there are none. Not in a transaction: the lights may be asked.
    """
    rows = with_status(batch).filter(status__in=NOT_DONE)
    asked = {"by": by, "now": now}
    if not rows.exists():
        raise NotPossible(_("Nothing of it is left to be checked again."))
    if batch.parent:
        return undo(batch=batch.parent, **asked) if undoes(batch) else mail_setup(batch=batch.parent, **asked)
    asked["account"] = batch.account
    if batch.kind == Import.Kind.CREATE and batch.is_file:
        return check(file=_file(batch), name=batch.name, **asked)
    rows = rows.select_related("softphone", "owner").defer("cells", "password", "softphone__password").order_by("line")
    if batch.kind == Import.Kind.CREATE:
        return from_people(owners=[row.owner for row in rows if row.owner], **asked)
    return act_on(softphones=[row.softphone for row in rows if row.softphone], kind=batch.kind, **asked)


def _file(batch: Import) -> bytes:
    """Of the result file, the rows that are not done, each on the line that it had."""
    text, *lines = result_csv(batch)
    statuses = with_status(batch).order_by("line").values_list("line", "status")
    place = 1
    for line, (number, status) in zip(lines, statuses, strict=True):
        if status in NOT_DONE:
            text += "\n" * (number - place - 1) + line
            place = number
    return text.encode()
