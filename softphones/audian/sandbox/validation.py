"""From JSON schema to Kazoo's 400: each broken rule under its dotted path, with the rejected value echoed.

Source of the words and keys: audian-api.md section 2 and Kazoo's `kz_json_schema`.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from jsonschema import Draft4Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from .documents import merged, pick
from .schemas import API_AUTH, DEVICE, DEVICE_OF_THE_PAGE, USER, with_defaults

FORMATS = FormatChecker(formats=())


@FORMATS.checks("email")
def _is_email(value: Any) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value) is not None


VALIDATORS = {
    "device": Draft4Validator(DEVICE, format_checker=FORMATS),
    "page_device": Draft4Validator(DEVICE_OF_THE_PAGE, format_checker=FORMATS),
    "user": Draft4Validator(USER, format_checker=FORMATS),
    "api_auth": Draft4Validator(API_AUTH, format_checker=FORMATS),
}
DEVICE_DEFAULTS = with_defaults(DEVICE, {})
USER_DEFAULTS = with_defaults(USER, {})

MESSAGES: dict[str, Callable[[Any], str]] = {
    "minLength": lambda limit: f"String must be at least {limit} characters",
    "maxLength": lambda limit: f"String must not be more than {limit} characters",
    "enum": lambda _: "Value not found in enumerated list of values",
    "pattern": lambda pattern: f"Failed to match pattern '{pattern}'",
    "type": lambda types: f"Value did not match type(s): {types}",
    "minimum": lambda limit: f"Value must be at least {limit}",
    "maximum": lambda limit: f"Value must be at most {limit}",
    "minItems": lambda limit: f"The list must have at least {limit} items",
    "maxItems": lambda limit: f"The list is more than {limit} items",
}
ECHOING = {"minLength", "maxLength", "pattern"}
"""Rules whose error carries the rejected value twice, as `cause` and as `value`: a refused password comes back."""


def validated(kind: str, document: dict) -> tuple[dict, dict[str, dict]]:
    """The document as it would be stored ("true" and "5" made boolean and integer, defaults filled in), and its errors.

    The errors are {"sip.password": {"minLength": {"message", "target", "cause", "value"}}}; empty when it is valid.
    """
    validator = VALIDATORS[kind]
    found = list(validator.iter_errors(document))
    coerced = _with_types_fixed(document, found)
    if coerced is not None:
        document, found = coerced, list(validator.iter_errors(coerced))
    errors: dict[str, dict] = {}
    for error in found:
        for path, rule, details in _explained(error):
            errors.setdefault(path, {})[rule] = details
    return with_defaults(validator.schema, document), errors


def dotted(keys: Iterable[Any]) -> str:
    """A path as Kazoo writes it: joined by dots, a dot inside a segment as %2E."""
    return ".".join(str(key).replace(".", "%2E") for key in keys)


def _explained(error: ValidationError) -> Iterable[tuple[str, str, dict]]:
    path, value, rule, target = list(error.absolute_path), error.instance, error.validator, error.validator_value
    if rule == "required":
        for name in target:
            if name not in value:
                yield dotted([*path, name]), "required", {"message": "Field is required but missing", "value": name}
    elif rule == "additionalProperties":
        message = "Strict checking of data is enabled; only include schema-defined properties"
        for name in sorted(set(value) - set(error.schema.get("properties", {}))):
            yield dotted([*path, name]), rule, {"message": message, "value": value[name]}
    elif rule == "format":
        details = {"message": "Field is not in the correct format", "value": value, "format": target}
        yield dotted(path), "wrong_format", details
    elif rule == "uniqueItems":
        yield dotted(path), rule, {"message": "List of items is not unique", "value": value}
    elif rule in MESSAGES:
        echo = {"cause": value, "value": value} if rule in ECHOING else {"value": value}
        yield dotted(path), rule, {"message": MESSAGES[rule](target), "target": target, **echo}
    else:
        yield dotted(path), str(rule), {"message": "failed to validate", "value": value}


def _with_types_fixed(document: dict, errors: list[ValidationError]) -> dict | None:
    """Kazoo reads "true" as true and "5" as 5 before it complains; None when there was nothing to read so."""
    fixed = None
    for error in errors:
        if error.validator != "type" or not all(isinstance(key, str) for key in error.absolute_path):
            continue
        value = _as_type(error.instance, error.validator_value)
        if value is not None:
            fixed = merged(document, {}) if fixed is None else fixed
            pick(fixed, ".".join(error.absolute_path), value)
    return fixed


def _as_type(value: Any, wanted: Any) -> Any:
    if not isinstance(value, str):
        return None
    if wanted == "boolean":
        return {"true": True, "false": False}.get(value.lower())
    if wanted == "integer" and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    return None
