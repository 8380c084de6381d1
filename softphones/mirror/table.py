"""What owners and softphones have in common: a listing is compared with rows page by page, and what differs is written."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, ClassVar, NamedTuple

from django.db import IntegrityError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from softphones import search
from softphones.audian.client import AudianClient
from softphones.audian.documents import DeviceDocument, Page, UserDocument
from softphones.audian.errors import AudianError, NotFound, RowError
from softphones.mirror.ahead import read_ahead
from softphones.mirror.seen import Seen
from softphones.mirror.work import Work
from softphones.models import Owner, Softphone

Row = Owner | Softphone
Document = UserDocument | DeviceDocument

LONGEST_ID = 64
AT_ONCE = 200  # rows
DETAILS_AT_ONCE = 25
LONGEST_UNCHECKED = 100


class Counts(NamedTuple):
    created: int
    updated: int
    unchanged: int


class Table(ABC):
    """One kind of row. Subclasses say how it is listed, read and compared.

    Of the rows seen only their numbers are kept, so that memory does not grow with the size of the rows.
    """

    model: ClassVar[type[Row]]
    counted: ClassVar[bool]  # in the numbers of the run

    def __init__(self, work: Work, client: AudianClient) -> None:
        self.work, self.client = work, client
        self.account = work.account
        self.seen = Seen()
        self.listed = 0
        self._honoured: set[bool] = set()

    # What a subclass knows

    @abstractmethod
    def pages(self) -> Iterator[Page]:
        """The whole listing."""

    @abstractmethod
    def document(self, audian_id: str) -> Document:
        """The whole document. Raises NotFound."""

    @abstractmethod
    def is_one(self, document: Document) -> bool:
        """Whether this document is of our kind at all."""

    @abstractmethod
    def columns(self, document: Document, row: Row | None, context: Any) -> dict[str, Any]:
        """What the row's columns should hold, as far as the document tells."""

    def fault_of(self, document: Document) -> str:
        """Why this document can't be mirrored, as a sentence without its stop; "" if it can."""
        return ""

    def context(self, documents: Iterable[Document]) -> Any:
        """What `columns` has to know besides the document: one query for all of them."""
        return None

    def left_alone(self, ids: Iterable[int]) -> set[int]:
        """Those of these rows that this run must not touch."""
        return set()

    def adopt(self, documents: dict[str, Document]) -> set[int]:
        """Give unknown documents to rows that wait for them, and take them out of `documents`. Returns those rows."""
        return set()

    def end_links(self, changes: dict[int, dict[str, Any]]) -> int:
        """End the set-up links that these changes make wrong, in the same transaction. Returns their number."""
        return 0

    # The listing

    def read_listing(self) -> None:
        """Compare the listing with our rows. Only what differs is written, a few pages in a transaction."""
        for documents in self._batches():
            self._count(self.take(documents))
            self.work.alive()

    def _batches(self) -> Iterator[list[Document]]:
        """The listing in equal parts, however the server cuts its pages; what it gave before it failed counts too."""
        waiting = []
        try:
            for page in read_ahead(self.pages()):
                self.work.run.pages += 1
                self.listed += len(page.rows)
                if page.rows:
                    self._honoured.add(page.fields_honoured)
                waiting += page.rows
                while len(waiting) >= AT_ONCE:
                    yield waiting[:AT_ONCE]
                    waiting = waiting[AT_ONCE:]
        except AudianError:
            if waiting:
                yield waiting
            raise
        if waiting:
            yield waiting

    def take(self, documents: Iterable[Document], *, checked: bool = False) -> Counts:
        """Compare documents with our rows. `checked`: each was read by itself, which is noted even if nothing changed."""
        good = self._good(documents)
        context = self.context(good.values())
        try:
            return self._take(dict(good), context, checked)
        except IntegrityError:
            # A change was carried out at this moment and made the row of one of them. Now it is known.
            return self._take(good, context, checked)

    def _good(self, documents: Iterable[Document]) -> dict[str, Document]:
        """The documents that can be mirrored, by id. The others are noted; if we know them, they are not missing."""
        good, bad = {}, []
        for document in documents:
            possible = 0 < len(document.id) <= LONGEST_ID
            reason = self.fault_of(document) if possible else _("Left out, since its id is not one of Audian's")
            if reason:
                self.work.note(reason, document.id[:LONGEST_ID])
                bad.append(document.id)
            else:
                good[document.id] = document
        if bad:
            self.seen.update(self.rows().filter(audian_id__in=bad).values_list("pk", flat=True))
        return good

    def _take(self, documents: dict[str, Document], context: Any, checked: bool) -> Counts:
        known = {row.audian_id: row for row in self.rows().filter(audian_id__in=documents)}
        self.seen.update(row.pk for row in known.values())
        changes = {}
        for row in known.values():
            document = documents.pop(row.audian_id)
            if differing := self._differing(row, document, self.columns(document, row, context), checked):
                changes[row.pk] = differing
        unchanged = len(known) - len(changes)
        created = updated = 0
        if documents or changes:
            with self.work.lease.writing():
                updated, left = self._update(changes)
                unchanged += left
                created = self._create(documents, context)
        return Counts(created, updated, unchanged)

    def _differing(self, row: Row, document: Document, columns: dict[str, Any], checked: bool) -> dict[str, Any]:
        differing = {name: value for name, value in columns.items() if getattr(row, name) != value}
        if document.complete and (differing or checked or row.checked_at is None):
            differing["checked_at"] = self.work.begun
        elif differing:
            differing["checked_at"] = None  # the rest of it has to be read
        return differing

    def _update(self, changes: dict[int, dict[str, Any]]) -> tuple[int, int]:
        """Write changes. Returns how many rows really changed, and how many were left alone or only checked."""
        if not changes:
            return 0, 0
        # Locked and read again first: a change that somebody asks for meanwhile is seen by the query after it, and what
        # others wrote since the comparison is not written over.
        rows = {row.pk: row for row in self.rows().select_for_update(no_key=True).filter(pk__in=changes)}
        leave = self.left_alone(changes)
        wanted = {pk: differing for pk, differing in changes.items() if pk in rows and pk not in leave}
        self.end_links(wanted)
        for pk, differing in wanted.items():
            for name, value in differing.items():
                setattr(rows[pk], name, value)
        if wanted:
            fields = sorted(set().union(*wanted.values()))
            self.model.objects.bulk_update([rows[pk] for pk in wanted], fields)
        self._index([rows[pk] for pk, differing in wanted.items() if self._words_differ(differing)])
        updated = sum(set(differing) != {"checked_at"} for differing in wanted.values())
        return updated, len(changes) - updated

    def _words_differ(self, differing: dict[str, Any]) -> bool:
        return not {*search.INDEXED[self.model], "owner_id", "gone_at"}.isdisjoint(differing)

    def _index(self, rows: list[Row]) -> None:
        if rows:
            search.remove(self.model, [row.pk for row in rows])
            search.add(self.account, rows)

    def _create(self, documents: dict[str, Document], context: Any) -> int:
        if documents:
            self.seen.update(self.adopt(documents))
        rows = []
        for document in documents.values():
            columns = self.columns(document, None, context)
            checked_at = self.work.begun if document.complete else None
            rows.append(self.model(account=self.account, audian_id=document.id, checked_at=checked_at, **columns))
        if rows:
            self.model.objects.bulk_create(rows)
            search.add(self.account, rows)
            self.seen.update(row.pk for row in rows)
        return len(rows)

    def _count(self, counts: Counts) -> None:
        if self.counted:
            run = self.work.run
            run.created += counts.created
            run.updated += counts.updated
            run.unchanged += counts.unchanged

    # Whole documents, where the listing does not hold them

    def read_details(self) -> None:
        """Where the listing told too little: read new and changed rows whole, then those unchecked for longest."""
        if False not in self._honoured:
            return
        unread = self.present().filter(checked_at=None)
        last = 0
        while some := list(unread.filter(pk__gt=last).order_by("pk").values_list("pk", "audian_id")[:DETAILS_AT_ONCE]):
            last = some[-1][0]
            self._read_whole(some)
        if True in self._honoured:
            return  # the server does obey `fields`; there was a page without a single password
        longest = self.present().filter(checked_at__lt=self.work.begun).order_by("checked_at", "pk")
        some = iter(list(longest.values_list("pk", "audian_id")[:LONGEST_UNCHECKED]))
        while part := list(islice(some, DETAILS_AT_ONCE)):
            updated = self._read_whole(part).updated
            self._count(Counts(0, updated, -updated))

    def _read_whole(self, rows: list[tuple[int, str]]) -> Counts:
        documents = []
        for pk, audian_id in rows:
            try:
                documents.append(self.document(audian_id))
            except NotFound:
                self.seen.take_back(pk)  # gone since it was listed
            except RowError as error:
                self.work.note(_("Not read whole: %(reason)s") % {"reason": str(error).rstrip(".")}, audian_id)
        return self.take(documents, checked=True)

    # Our rows

    def rows(self) -> QuerySet:
        return self.model.objects.filter(account=self.account)

    def present(self) -> QuerySet:
        """The rows that stand for something at Audian."""
        return self.rows().filter(Q(gone_at=None) & Q(audian_id__isnull=False))
