"""Lists: filters on the documents, `fields`, and pages by an opaque key (audian-api.md section 4)."""

import base64
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .documents import MISSING, pick, value_at
from .envelope import Answer, faulty_request, gregorian
from .store import Collection, Entry

Row = Callable[[Entry, dict, dict], dict]
"""A list row from the entry, its stored document, and the defaults that are not in it."""

Test = Callable[[Entry, dict, dict], bool]


@dataclass(frozen=True)
class Paging:
    """How this server pages: rows per page when nothing is asked for, and the most it gives (None: no limit)."""

    default: int = 50
    most: int | None = None


def listed(
    collection: Collection, query: dict[str, str], row: Row, *, paging: Paging, within: list[str] | None = None
) -> Answer:
    """One page of a collection (or of the sorted ids `within`) as the query asks for it.

    Raises the 404 `faulty_request` for a bad `page_size`.
    """
    ids, tests = _candidates(collection, query, within)
    if query.get("paginate") == "false":
        return Answer([row(*parts) for parts in _matching(collection, tests, reversed(ids))])
    size = _page_size(query, paging)
    rows, first, following = [], None, None
    for entry, document, defaults in _matching(collection, tests, _from_start(ids, query)):
        if len(rows) == size:
            following = entry.id
            break
        first = first or entry.id
        rows.append(row(entry, document, defaults))
    keys = {"start_key": encode_key(first) if first else None}
    if following:
        keys["next_start_key"] = encode_key(following)
    return Answer(rows, paging={"page_size": len(rows), **keys})


def _matching(collection: Collection, tests: list[Test], ids: Iterator[str]) -> Iterator[tuple[Entry, dict, dict]]:
    for id_ in ids:
        entry = collection.get(id_)
        if entry is None:
            continue
        document = entry.raw()
        defaults = collection.defaults if entry.compact else {}
        if all(test(entry, document, defaults) for test in tests):
            yield entry, document, defaults


def _from_start(ids: list[str], query: dict[str, str]) -> Iterator[str]:
    """Descending by id unless asked otherwise; a key that cannot be read starts at the first page, as in Kazoo 5."""
    start = decode_key(query.get("start_key") or query.get("bookmark") or "")
    if query.get("ascending") == "true" or query.get("descending") == "false":
        begin = 0 if start is None else bisect_left(ids, start)
        return (ids[position] for position in range(begin, len(ids)))
    end = len(ids) if start is None else bisect_right(ids, start)
    return (ids[position] for position in range(end - 1, -1, -1))


def _page_size(query: dict[str, str], paging: Paging) -> int:
    try:
        size = int(query.get("page_size", paging.default))
    except ValueError:
        raise faulty_request() from None
    if size < 1:
        raise faulty_request()
    return size if paging.most is None else min(size, paging.most)


# Keys: URL-safe base64 of an Erlang term, here the list [Id]


def encode_key(id: str) -> str:
    """An id as an opaque page key ("g2w...")."""
    raw = id.encode()
    term = b"\x83l\x00\x00\x00\x01m" + len(raw).to_bytes(4, "big") + raw + b"j"
    return base64.urlsafe_b64encode(term).rstrip(b"=").decode()


def decode_key(key: str) -> str | None:
    """The id in a page key, or None for one that is not ours."""
    try:
        term = base64.urlsafe_b64decode(key.encode("ascii") + b"===")
        return term[11:-1].decode() if term[:7] == b"\x83l\x00\x00\x00\x01m" else None
    except ValueError:
        return None


# Fields


def chosen_fields(query: dict[str, str]) -> list[str] | None:
    """The paths that `fields` asks for, None when it does not. Raises the 404 `faulty_request` for bad JSON."""
    if "fields" not in query:
        return None
    try:
        fields = json.loads(query["fields"])
    except ValueError:
        raise faulty_request() from None
    if not isinstance(fields, list) or not all(isinstance(path, str) for path in fields):
        raise faulty_request()
    return [path for path in fields if path and not path.startswith(("_", "pvt_"))]


def projected(entry: Entry, document: dict, defaults: dict, fields: list[str]) -> dict:
    """Only the asked-for paths of a document, and its id."""
    result: dict[str, Any] = {"id": entry.id}
    for path in fields:
        value = value_at(document, path, defaults)
        if value is not MISSING:
            pick(result, path, value)
    return result


# Filters


def _candidates(collection: Collection, query: dict[str, str], within: list[str] | None) -> tuple[list[str], list[Test]]:
    """The sorted ids worth looking at, and what is left to test on each of their documents."""
    ids = collection.order if within is None else within
    exact = ""
    for name, find in (
        ("filter_device_type", collection.of_type),
        ("filter_owner_id", collection.of_owner),
        ("filter_sip.username", collection.of_username),
    ):
        if within is None and query.get(name):
            found = find(query[name])
            if len(found) <= len(ids):
                ids, exact = found, name if name != "filter_sip.username" else ""
    tests = [test for key, value in query.items() if key != exact for test in _tests(key, value)]
    return ids, tests


def _tests(key: str, value: str) -> Iterator[Test]:
    for prefix, make in FILTERS:
        if key.startswith(prefix):
            yield _safely(make, key[len(prefix) :], value)
            return
    if key in DOCUMENT_KEYS:
        yield DOCUMENT_KEYS[key](value)
    elif key in TIMES:
        yield _time_test(key, value)


def _safely(make: Callable[[str, Any], Test], path: str, value: str) -> Test:
    try:
        return make(path, value)
    except ValueError:
        return _never


def _never(entry: Entry, document: dict, defaults: dict) -> bool:
    """A malformed filter makes every document fail it, without an error."""
    return False


def as_text(value: Any) -> str | None:
    """A JSON value as a filter compares it: true is "true", a missing key the empty string; None never matches."""
    if value is MISSING or value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _is(path: str, wanted: str) -> Test:
    return lambda entry, document, defaults: as_text(value_at(document, path, defaults)) == wanted


def _is_not(path: str, wanted: str) -> Test:
    return lambda entry, document, defaults: as_text(value_at(document, path, defaults)) != wanted


def _any_of(path: str, wanted: str) -> Test:
    values = _texts(wanted)
    return lambda entry, document, defaults: as_text(value_at(document, path, defaults)) in values


def _none_of(path: str, wanted: str) -> Test:
    values = _texts(wanted)
    return lambda entry, document, defaults: as_text(value_at(document, path, defaults)) not in values


def _intersection(accept: Callable[[set, set], bool]) -> Callable[[str, str], Test]:
    def make(path: str, wanted: str) -> Test:
        values = set(_texts(wanted))

        def test(entry: Entry, document: dict, defaults: dict) -> bool:
            held = value_at(document, path, defaults)
            return accept({as_text(item) for item in held} if isinstance(held, list) else set(), values)

        return test

    return make


def _texts(value: str) -> list[str | None]:
    values = json.loads(value)
    if not isinstance(values, list):
        raise ValueError(value)
    return [as_text(item) for item in values]


FILTERS: tuple[tuple[str, Callable[[str, str], Test]], ...] = (
    ("filter_array_intersect_all_", _intersection(lambda held, wanted: wanted <= held)),
    ("filter_array_intersect_any_", _intersection(lambda held, wanted: bool(wanted & held))),
    ("filter_array_intersect_none_", _intersection(lambda held, wanted: not wanted & held)),
    ("filter_not_", _is_not),
    ("filter_any_", _any_of),
    ("filter_none_", _none_of),
    ("filter_", _is),
)


DOCUMENT_KEYS: dict[str, Callable[[str], Test]] = {
    "has_key": lambda path: lambda e, doc, defaults: value_at(doc, path, defaults) is not MISSING,
    "key_missing": lambda path: lambda e, doc, defaults: value_at(doc, path, defaults) is MISSING,
    "has_value": lambda path: lambda e, doc, defaults: value_at(doc, path, defaults) not in (MISSING, None, "", [], {}),
    "value_missing": lambda path: lambda e, doc, defaults: value_at(doc, path, defaults) in (MISSING, None, "", [], {}),
}
TIMES: dict[str, Callable[[Entry, int], bool]] = {
    "created_from": lambda entry, at: gregorian(entry.created) >= at,
    "created_to": lambda entry, at: gregorian(entry.created) <= at,
    "modified_from": lambda entry, at: gregorian(entry.modified) >= at,
    "modified_to": lambda entry, at: gregorian(entry.modified) <= at,
}


def _time_test(key: str, value: str) -> Test:
    try:
        at = int(value)
    except ValueError:
        return _never
    return lambda entry, document, defaults: TIMES[key](entry, at)
