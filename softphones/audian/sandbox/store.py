"""The sandbox's documents: kept as JSON text, found by id, device type, owner and SIP username.

JSON text costs a fraction of a dict, and reading it makes a fresh copy each time, so that nobody changes what is stored
by accident. With a file, every change is written to SQLite in one transaction before the request is answered.
"""

import hashlib
import json
import sqlite3
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .documents import merged

UNFINDABLE = (None, None, None)


class StateFileError(Exception):
    """The state file cannot be used; the message says why."""


class Entry:
    """One stored document. `compact` means that the schema's defaults are not in the text."""

    __slots__ = ("compact", "created", "generation", "id", "modified", "text")

    def __init__(self, id: str, text: str, generation: int, created: int, modified: int, compact: bool):
        self.id = id
        self.text = text
        self.generation = generation
        self.created = created
        self.modified = modified
        self.compact = compact

    @property
    def revision(self) -> str:
        """CouchDB's kind of revision: "3-<32 hex>"; the same document keeps it over a restart."""
        digest = hashlib.md5(f"{self.id}{self.generation}{self.text}".encode(), usedforsecurity=False)
        return f"{self.generation}-{digest.hexdigest()}"

    def raw(self) -> dict:
        """A fresh copy of what is stored, without defaults."""
        return json.loads(self.text)


class StateFile:
    """Write-through storage in one SQLite file, or nowhere."""

    def __init__(self, path: str | Path | None):
        self._connection = None if path is None else self._open(path)

    @staticmethod
    def _open(path: str | Path) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=1)
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS documents (kind TEXT, id TEXT, text TEXT, generation INTEGER,"
                " created INTEGER, modified INTEGER, compact INTEGER, PRIMARY KEY (kind, id)) WITHOUT ROWID"
            )
            connection.execute("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT)")
        except sqlite3.DatabaseError as error:
            raise StateFileError(f"The state file {path} cannot be used: {error}.") from error
        return connection

    def load(self, kind: str) -> Iterator[Entry]:
        if self._connection is None:
            return
        rows = self._connection.execute(
            "SELECT id, text, generation, created, modified, compact FROM documents WHERE kind = ? ORDER BY id", (kind,)
        )
        for id_, text, generation, created, modified, compact in rows:
            yield Entry(id_, text, generation, created, modified, bool(compact))

    def put(self, kind: str, entries: Iterable[Entry]) -> None:
        if self._connection is None:
            return
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((kind, e.id, e.text, e.generation, e.created, e.modified, int(e.compact)) for e in entries),
        )
        self._connection.execute("COMMIT")

    def drop(self, kind: str, id: str) -> None:
        if self._connection is not None:
            self._connection.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, id))

    def fact(self, name: str) -> Any:
        """A fact about the whole state, or None."""
        if self._connection is None:
            return None
        row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, name: str, value: Any) -> None:
        if self._connection is not None:
            self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Collection:
    """All documents of one kind. Not thread-safe: the sandbox holds its lock around every use."""

    def __init__(self, kind: str, file: StateFile, defaults: dict):
        self.kind = kind
        self.defaults = defaults
        self._file = file
        self._entries: dict[str, Entry] = {}
        self.order: list[str] = []
        self._indexes: tuple[dict[str, list[str]], ...] = ({}, {}, {})
        self.fill(file.load(kind))

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, id: str) -> bool:
        return id in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return (self._entries[id_] for id_ in self.order)

    def get(self, id: str) -> Entry | None:
        return self._entries.get(id)

    def fill(self, entries: Iterable[Entry], *, keep: bool = False) -> None:
        """Take in many entries at once; with `keep`, into the file as well."""
        taken = list(entries)
        for entry in taken:
            self._entries[entry.id] = entry
            for index, key in zip(self._indexes, index_keys(entry.raw()), strict=True):
                if key is not None:
                    index.setdefault(key, []).append(entry.id)
        self.order = sorted(self._entries)
        for index in self._indexes:
            for ids in index.values():
                ids.sort()
        if keep:
            self._file.put(self.kind, taken)

    def document(self, entry: Entry) -> dict:
        """The whole document, defaults filled in where they were left out for the sake of space."""
        document = entry.raw()
        return merged(self.defaults, document) if entry.compact else document

    def save(self, id: str, document: dict, now: int) -> Entry:
        """Create or replace a document; its generation grows by one."""
        old = self._entries.get(id)
        created, generation = (old.created, old.generation + 1) if old else (now, 1)
        entry = Entry(id, json.dumps(document, separators=(",", ":")), generation, created, now, compact=False)
        if old is None:
            insort(self.order, id)
        self._move(id, index_keys(old.raw()) if old else UNFINDABLE, index_keys(document))
        self._entries[id] = entry
        self._file.put(self.kind, [entry])
        return entry

    def remove(self, id: str) -> Entry:
        """Take a document away. Raises KeyError for an unknown id."""
        entry = self._entries.pop(id)
        del self.order[bisect_left(self.order, id)]
        self._move(id, index_keys(entry.raw()), UNFINDABLE)
        self._file.drop(self.kind, id)
        return entry

    def of_type(self, device_type: str) -> list[str]:
        """Sorted ids of the documents with exactly this `device_type`."""
        return self._indexes[0].get(device_type, [])

    def of_owner(self, owner_id: str) -> list[str]:
        """Sorted ids of the documents with this `owner_id`."""
        return self._indexes[1].get(owner_id, [])

    def of_username(self, username: str) -> list[str]:
        """Sorted ids of the documents with this SIP (or sign-in) username, without regard to case."""
        return self._indexes[2].get(username.lower(), [])

    def _move(self, id: str, old: tuple, new: tuple) -> None:
        for index, before, after in zip(self._indexes, old, new, strict=True):
            if before == after:
                continue
            if before is not None:
                del index[before][bisect_left(index[before], id)]
                if not index[before]:
                    del index[before]
            if after is not None:
                insort(index.setdefault(after, []), id)


def index_keys(document: dict) -> tuple[str | None, str | None, str | None]:
    """Device type, owner and lower-cased username of a document; None where there is none to find it by."""
    sip = document.get("sip")
    username = sip.get("username") if isinstance(sip, dict) else document.get("username")
    return (
        _text(document.get("device_type")),
        _text(document.get("owner_id")),
        username.lower() if isinstance(username, str) else None,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
