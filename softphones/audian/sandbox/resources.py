"""What devices and users have in common: reading one, saving one, and the revision that guards it."""

from abc import ABC, abstractmethod
from typing import Any

from .dialects import Dialect
from .documents import merged, public
from .envelope import Answer, Refusal, Request, bad_identifier, gregorian, invalid
from .state import State
from .store import Collection, Entry


class Resource(ABC):
    """One kind of document under an account. Subclasses say how it is validated and shown."""

    def __init__(self, state: State, collection: Collection, dialect: Dialect, *, honours_if_match: bool = True):
        self.state = state
        self.collection = collection
        self.dialect = dialect
        self.honours_if_match = honours_if_match and not dialect.plain

    def entry(self, id: str) -> Entry:
        """The stored entry; the 404 `bad_identifier` for an unknown id."""
        entry = self.collection.get(id)
        if entry is None:
            raise bad_identifier(id)
        return entry

    def get(self, request: Request, id: str) -> Answer:
        answer = self.answer(self._guarded(request, id))
        if not self.dialect.plain and request.headers.get("if-none-match") == answer.headers["ETag"]:
            answer.status = 304
        return answer

    def create(self, request: Request) -> Answer:
        id_ = self.new_id(given_object(request))
        document = self.checked(id_, public(given_object(request)), None)
        entry = self.collection.save(id_, document, self.state.now())
        answer = self.answer(entry, created=True)
        answer.status = 201
        answer.headers["Location"] = f"{request.path.rstrip('/')}/{id_}"
        return answer

    def replace(self, request: Request, id: str) -> Answer:
        """POST: the whole public document is what was sent."""
        entry = self._guarded(request, id)
        given = public(given_object(request))
        if self.dialect.partial_post:
            given = merged(self.collection.document(entry), given)
        return self._update(entry, given)

    def patch(self, request: Request, id: str) -> Answer:
        """PATCH: merged into the stored document; null deletes a key."""
        entry = self._guarded(request, id)
        return self._update(entry, merged(self.collection.document(entry), public(given_object(request))))

    def delete(self, request: Request, id: str) -> Answer:
        entry = self._guarded(request, id)
        answer = self.answer(entry)
        answer.metadata = {**(answer.metadata or {}), "deleted": True}
        self.removed(request, entry)
        self.collection.remove(id)
        answer.status = 204 if self.dialect.empty_delete else 200
        return answer

    @abstractmethod
    def checked(self, id: str, document: dict, old: dict | None) -> dict:
        """The document as it is to be stored. Raises the 400 with every rule it breaks."""

    def shown(self, document: dict) -> dict:
        """The document as a single answer shows it."""
        return document

    def answer(self, entry: Entry, *, created: bool = False) -> Answer:
        document = self.shown({**self.collection.document(entry), "id": entry.id})
        metadata = {"id": entry.id, "created": gregorian(entry.created), "modified": gregorian(entry.modified)}
        return Answer(document, revision=entry.revision, metadata=metadata, headers={"ETag": f'"{entry.revision}"'})

    def new_id(self, document: dict) -> str:
        return self.state.new_id()

    def saved(self, entry: Entry, old: dict, new: dict) -> None:  # noqa: B027 - users have none
        """What follows from a change."""

    @abstractmethod
    def removed(self, request: Request, entry: Entry) -> None:
        """What goes along with a document that is about to be deleted."""

    def _guarded(self, request: Request, id: str) -> Entry:
        entry = self.entry(id)
        wanted = request.headers.get("if-match", "")
        if self.honours_if_match and wanted not in ("", "*", entry.revision, f'"{entry.revision}"'):
            raise Refusal(412, empty=True)
        return entry

    def _update(self, entry: Entry, given: dict) -> Answer:
        old = self.collection.document(entry)
        document = self.checked(entry.id, given, old)
        saved = self.collection.save(entry.id, document, self.state.now())
        self.saved(saved, old, document)
        return self.answer(saved)


def given_object(request: Request) -> dict:
    """The object under `data`; the 400 when it is something else."""
    if not isinstance(request.data, dict):
        message = "Value did not match type(s): object"
        raise invalid({"data": {"type": {"message": message, "target": "object", "value": request.data}}})
    return request.data


def text(value: Any) -> str:
    """A value for a list row: the empty string where there is none."""
    return value if isinstance(value, str) else ""
