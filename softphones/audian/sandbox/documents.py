"""Reading and changing JSON documents by dotted paths."""

from copy import deepcopy
from typing import Any

MISSING = object()


def value_at(document: Any, path: str, fallback: dict | None = None) -> Any:
    """The value at "sip.username", or MISSING. `fallback` is a document of defaults to look in as well."""
    value = _walk(document, path)
    if fallback is None:
        return value
    default = _walk(fallback, path)
    if value is MISSING:
        return default
    if isinstance(value, dict) and isinstance(default, dict):
        return merged(default, value)
    return value


def _walk(document: Any, path: str) -> Any:
    value = document
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def merged(document: dict, change: dict) -> dict:
    """`change` laid over `document` as PATCH does it: objects merge, null deletes, arrays and the rest replace."""
    result = deepcopy(document)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            under = result.get(key)
            result[key] = merged(under if isinstance(under, dict) else {}, value)
        else:
            result[key] = deepcopy(value)
    return result


def nested(changes: dict[str, Any]) -> dict:
    """{"sip.password": "x", "name": "y"} as {"sip": {"password": "x"}, "name": "y"}."""
    result: dict = {}
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = result
        for key in parents:
            place = place.setdefault(key, {})
        if isinstance(value, dict) and isinstance(place.get(last), dict):
            value = merged(place[last], value)
        place[last] = value
    return result


def public(document: dict) -> dict:
    """The document without private fields (`_*`, `pvt_*`) and without `id`, which the store keeps beside it."""
    return {key: value for key, value in document.items() if not key.startswith(("_", "pvt_")) and key != "id"}


def pick(document: dict, path: str, value: Any) -> None:
    """Put `value` at a dotted path of `document`, making the objects on the way."""
    *parents, last = path.split(".")
    for key in parents:
        document = document.setdefault(key, {})
    document[last] = value
