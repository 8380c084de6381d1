"""What was checked, as rows: an Import and its ImportRows, until somebody starts them, a day at most."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from softphones.imports.checking import LONGEST_CALLER_ID, Checked, check_rows
from softphones.imports.columns import PASSWORD, Problem, shortened
from softphones.imports.known import people
from softphones.imports.reading import MOST_BYTES, Row, Table, read
from softphones.imports.settling import settle
from softphones.models import Account, Import, ImportRow, Owner, Softphone, User
from softphones.self_service import default_name

Verdict, State, Kind = ImportRow.Verdict, Import.State, Import.Kind

KEPT_FOR = timedelta(hours=24)
FORGETS_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Examined:
    """What a file comes to, without anything written. `problems`: of the whole file; those of rows are with the rows."""

    rows: list[Checked]
    problems: list[Problem]
    notices: list[Problem]
    count: int

    @property
    def errors(self) -> list[Problem]:
        """All of them, in the order of the file."""
        return self.problems + [problem for row in self.rows for problem in row.problems]

    @property
    def all_notices(self) -> list[Problem]:
        return self.notices + [notice for row in self.rows for notice in row.notices]

    def number(self, verdict: Verdict) -> int:
        return sum(row.verdict == verdict for row in self.rows)


def examine(*, file: bytes, account: Account, by: User | None, is_ours: bool = False) -> Examined:
    """Check a file and write nothing. Never raises for what is wrong with it. One that `is_ours` may be of any size."""
    table = read(file, most_bytes=None if is_ours else MOST_BYTES, people=partial(people, account))
    return _examined(table, account, by)


def check(*, file: bytes, name: str, account: Account, by: User | None, now: datetime, is_ours: bool = False) -> Import:
    """The import of this file, checked: the one that is unfinished, if there is one, else a new one. See softphones.imports."""
    settle(now=now, account=account)
    digest = sha256(file).hexdigest()
    asked = {"file": file, "account": account, "by": by, "is_ours": is_ours}
    return _checked(account, Kind.CREATE, digest, name, by, now, lambda: examine(**asked))


def unfinished(*, file: bytes, account: Account) -> Import | None:
    """The import of this file that was started and has not come to its end."""
    started = Import.objects.filter(account=account, kind=Kind.CREATE, sha256=sha256(file).hexdigest())
    return started.filter(state__in=(State.STARTING, State.STARTED, State.PAUSED)).select_related("account").first()


def from_people(*, account: Account, owners: Iterable[Owner], by: User | None, now: datetime) -> Import:
    """A softphone for each of these people, with their number and name as caller id. See softphones.imports."""
    settle(now=now, account=account)
    people = sorted({owner.pk: owner for owner in owners if owner.account_id == account.pk}.values(), key=lambda o: o.pk)
    digest = sha256(b"people:" + ",".join(str(owner.pk) for owner in people).encode()).hexdigest()
    name = ngettext("%(count)d person", "%(count)d people", len(people)) % {"count": len(people)}

    def examined() -> Examined:
        rows = [_row_of(owner, line) for line, owner in enumerate(people, 1)]
        found = _examined(Table(rows=rows, count=len(rows)), account, by)
        _one_each(found.rows, account)
        return found

    return _checked(account, Kind.CREATE, digest, name, by, now, examined, is_file=False)


def recheck(batch: Import, rows: list[ImportRow], by: User | None) -> list[Checked]:
    """The rows as they come out by now, in the order of `rows`."""
    read_again = [Row(row.line, row.values | {PASSWORD: row.password or ""}) for row in rows]
    checked, _notices = check_rows(batch.account, read_again, by)
    if not batch.is_file:
        _one_each(checked, batch.account)
    return checked


def _one_each(rows: Iterable[Checked], account: Account) -> None:
    """Who has a softphone already is no one to make one for."""
    owned = [row for row in rows if row.verdict == Verdict.WILL_CREATE and row.is_owned]
    phones = Softphone.objects.present().filter(account=account, owner__in=[row.owner for row in owned]).order_by("pk")
    phones = dict(phones.values_list("owner", "pk"))
    for row in owned:
        row.verdict, row.softphone, row.is_owned = Verdict.EXISTS, phones.get(row.owner.pk), False


def store(batch: Import, rows: Iterable[ImportRow]) -> None:
    """Replace the rows of an import that has not been started, and count them anew. In a transaction."""
    rows = list(rows)
    batch.rows.all().delete()
    ImportRow.objects.bulk_create(rows, batch_size=1000)
    count(batch, rows)


def rejudge(rows: Iterable[ImportRow]) -> None:
    """Save the verdicts of rows that are stored already, in a few statements."""
    fields = ["verdict", "is_owned", "owner", "softphone", "problems", "notices", "rank"]
    ImportRow.objects.bulk_create(rows, batch_size=1000, update_conflicts=True, unique_fields=["id"], update_fields=fields)


def count(batch: Import, rows: Iterable[ImportRow]) -> None:
    rows = list(rows)
    verdicts = Counter(row.verdict for row in rows)
    batch.will = verdicts[Verdict.WILL_CREATE] + verdicts[Verdict.WILL_DO]
    batch.exists, batch.errors = verdicts[Verdict.EXISTS], verdicts[Verdict.ERROR]
    batch.owned = sum(row.is_owned and row.verdict in ImportRow.WILL for row in rows)
    batch.save()


def as_row(batch: Import, row: Checked) -> ImportRow:
    cells = {column: text for column, text in row.cells.items() if column != PASSWORD}
    password = row.value(PASSWORD)
    stored = ImportRow(
        batch=batch, line=row.line, cells=json.dumps(cells), password=password or None, has_password=bool(password)
    )
    judge(stored, row)
    return stored


def judge(stored: ImportRow, row: Checked) -> None:
    """Write the verdict into the row, which is not saved."""
    stored.verdict, stored.is_owned, stored.owner = row.verdict, row.is_owned, row.owner
    stored.softphone_id = row.softphone or row.failed
    stored.problems = [problem.as_dict() for problem in row.problems]
    stored.notices = [notice.as_dict() for notice in row.notices]
    stored.rank = rank(stored)


def rank(row: ImportRow) -> int:
    """Errors first, then what somebody should look at, then what will be done, then the rest."""
    if row.verdict == Verdict.ERROR:
        return 0
    if row.verdict == Verdict.EXISTS:
        return 3
    return 1 if row.notices else 2


def forget_unstarted(*, now: datetime) -> None:
    """Drop what was checked a day ago and nobody started, with the passwords in it."""
    Import.objects.filter(state=State.CHECKED, created_at__lte=now - KEPT_FOR).delete()


def forget_ended(*, now: datetime) -> None:
    """Drop what a file said of rows that were wrong or there already, a day after the import came to its end.

    What was to be made stays with the report: the mirror says the same, or the result file does it again. Lines, verdicts,
    columns and numbers stay too. A few imports at a time; one of which nothing is left to drop has no fingerprint any more.
    """
    ended = Import.objects.filter(kind=Kind.CREATE, is_file=True, state__in=(State.FINISHED, State.CANCELLED))
    ended = ended.filter(finished_at__lte=now - KEPT_FOR).exclude(sha256="").order_by("finished_at")
    for batch in ended[:FORGETS_AT_ONCE]:
        with transaction.atomic():
            rows = batch.rows.exclude(verdict__in=ImportRow.WILL).select_related("softphone")
            rows = list(rows.defer("cells", "password", "softphone__password"))
            for row in rows:
                _forget(row)
            ImportRow.objects.bulk_update(rows, ["cells", "problems", "notices"], batch_size=500)
            Import.objects.filter(pk=batch.pk).update(sha256="")


def _forget(row: ImportRow) -> None:
    """Keep where the row stood and what became of it. A softphone that is there is told by what the mirror says, so that
    importing the result again finds it."""
    there, cells = row.softphone if row.verdict == Verdict.EXISTS else None, {}
    if there:
        cells = {"name": there.name, "owner_id": there.owner_audian_id, "sip_username": there.sip_username}
    text = _("What was wrong here is forgotten a day after the import. Check the row again from your own file.")
    row.cells, row.notices = json.dumps(cells), []
    row.problems = [problem | {"message": text} for problem in row.problems]


def _examined(table: Table, account: Account, by: User | None) -> Examined:
    rows, notices = check_rows(account, table.rows, by)
    return Examined(rows, table.problems, table.notices + notices, table.count)


def _checked(account, kind, digest, name, by, now, examine, is_file=True) -> Import:
    unfinished = Import.objects.filter(account=account, kind=kind, sha256=digest, state__in=Import.UNFINISHED)
    found = unfinished.first()
    if found and found.state != State.CHECKED:
        return found
    examined = examine()
    fresh = {"name": _name(name) or _pasted(examined.rows), "asked_by": by, "created_at": now, "is_file": is_file}
    try:
        with transaction.atomic():
            # Whoever comes second at the same moment waits here for the first.
            Account.objects.select_for_update(no_key=True).get(pk=account.pk)
            batch = unfinished.select_for_update(no_key=True).first()
            if batch and batch.state != State.CHECKED:
                return batch
            batch = batch or Import.objects.create(account=account, kind=kind, sha256=digest, **fresh)
            batch.rows_read = examined.count
            batch.problems = [problem.as_dict() for problem in examined.problems]
            batch.notices = [notice.as_dict() for notice in examined.notices]
            store(batch, [as_row(batch, row) for row in examined.rows])
    except IntegrityError:
        return unfinished.get()
    return batch


def _name(name: str) -> str:
    plain = "".join(letter for letter in name.replace("\\", "/").rpartition("/")[2] if letter.isprintable()).strip()
    return plain[:200]


def _pasted(rows: list[Checked]) -> str:
    """How a file without a name is called: after its first row."""
    if not rows:
        return _("Pasted rows")
    first, more = shortened(rows[0].value("name")) or "–", len(rows) - 1
    if not more:
        return _("Pasted: %(first)s") % {"first": first}
    return ngettext("Pasted: %(first)s and %(count)d more", "Pasted: %(first)s and %(count)d more", more) % {
        "first": first,
        "count": more,
    }


def _row_of(owner: Owner, line: int) -> Row:
    cells = {
        "name": default_name(owner, []),
        "owner_email": "",
        "owner_id": owner.audian_id,
        "extension": owner.number[:LONGEST_CALLER_ID],
        "caller_id_name": owner.name[:LONGEST_CALLER_ID].strip(),
        "sip_username": "",
        "enabled": "",
    }
    return Row(line, cells)
