"""Everything that is stored encrypted, encrypted again with the first of FIELD_ENCRYPTION_KEYS, while the portal runs.

What the first key opens already is left alone, so a rotation that was interrupted goes on where it was. The time that a
Fernet token bears stays as it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import F, TextField, Value
from django.db.models.functions import Cast

from portal.fields import EncryptedTextField, keyring

BATCH = 500
PASSES = 5
# What allauth hands to its adapter's encrypt(): texts, or a list of them.
_OF_AUTHENTICATORS = ("secret", "seed", "migrated_codes")


@dataclass
class Found:
    """How many values the first key opens, how many another one (after a rotation: did), and where those stand that none
    opens: "table.column of row 7". `left`: how many a rotation had to leave to another key.
    """

    current: int = 0
    older: int = 0
    lost: list[str] = field(default_factory=list)
    left: int = 0


def look() -> Found:
    """With which keys everything is encrypted. Writes nothing."""
    found = Found()
    for place in _places():
        for rows in place.batches():
            for row in rows:
                place.count(row, found)
    return found


def rotate(*, say: Callable[[str], object]) -> Found:
    """Encrypt everything with the first key; what no key opens stays as it is. Returns what there was. `say` is told how
    it goes.

    Others may write meanwhile, and a process that was not started again yet does so with an older key. So it goes through
    everything until nothing is left to do, five times at most, and then says what is left. Not in a transaction.
    """
    was, rotated = None, 0
    for _pass in range(PASSES):
        found = Found()
        for place in _places():
            say(f"{place.table}: {sum(_rotate(place, rows, found) for rows in place.batches())} rows.")
        was = was or found
        rotated += found.older
        if not found.older:
            break
    after = look()
    return Found(was.current, rotated, after.lost, after.older)


@dataclass(frozen=True)
class _Place:
    """The encrypted values of one table; `values` names its columns, and how to read them as they are stored."""

    model: type[models.Model]
    values: dict[str, Any]

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    def batches(self) -> Iterator[list[dict]]:
        after = 0
        while rows := list(self._rows().filter(pk__gt=after)[:BATCH]):
            yield rows
            after = rows[-1]["pk"]

    def locked(self, keys: list[int], *, skip_locked: bool) -> list[dict]:
        return list(self._rows().filter(pk__in=keys).select_for_update(skip_locked=skip_locked, no_key=True))

    def count(self, row: dict, found: Found) -> bool:
        """Add the values of a row to what was found. Returns whether an older key opens one of them."""
        stale = False
        for column in self.values:
            for text in _texts(row[f"as_{column}"]):
                if _opens(_first(), text):
                    found.current += 1
                elif _opens(keyring(), text):
                    found.older, stale = found.older + 1, True
                else:
                    found.lost.append(f"{self.table}.{column} of row {row['pk']}")
        return stale

    def encrypt_again(self, rows: list[dict]) -> None:
        """Write these rows, which the caller has locked, in one statement."""
        written = [self.model(pk=row["pk"]) for row in rows]
        for each, row in zip(written, rows, strict=True):
            for column in self.values:
                value = _changed(row[f"as_{column}"])
                # An expression is written as it is; the field itself would encrypt it once more.
                setattr(each, column, value if isinstance(value, dict) else Value(value, output_field=TextField()))
        self.model._base_manager.bulk_update(written, self.values)

    def _rows(self) -> models.QuerySet:
        named = {f"as_{column}": expression for column, expression in self.values.items()}
        return self.model._base_manager.order_by("pk").annotate(**named).values("pk", *named)


def _places() -> Iterator[_Place]:
    for model in apps.get_models():
        columns = [each.name for each in model._meta.concrete_fields if isinstance(each, EncryptedTextField)]
        if columns:
            yield _Place(model, {column: Cast(column, TextField()) for column in columns})
    yield _Place(Authenticator, {"data": F("data")})


def _rotate(place: _Place, rows: list[dict], found: Found) -> int:
    """Returns how many of these rows were encrypted again.

    First all at once that nobody else holds, so that two who hold some and want the others' never wait for each other;
    then those that somebody held, one by one.
    """
    stale = [row["pk"] for row in rows if place.count(row, found)]
    done: set[int] = set()
    for keys, skip_locked in [(stale, True), *(([key], False) for key in stale)]:
        keys = [key for key in keys if key not in done]
        if not keys:
            continue
        with transaction.atomic(durable=True):
            held = place.locked(keys, skip_locked=skip_locked)
            place.encrypt_again(held)
        done.update(row["pk"] for row in held)
    return len(done)


def _texts(value: Any) -> Iterator[str]:
    """The encrypted texts in a stored value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        parts = value if isinstance(value, list) else [value.get(name) for name in _OF_AUTHENTICATORS]
        for part in parts:
            yield from _texts(part)


def _changed(value: Any) -> Any:
    """The same value with its texts encrypted with the first key, where any key opens them."""
    if isinstance(value, str):
        return value if _opens(_first(), value) or not _opens(keyring(), value) else keyring().rotate(value.encode()).decode()
    if isinstance(value, list):
        return [_changed(part) for part in value]
    if isinstance(value, dict):
        return {name: _changed(part) if name in _OF_AUTHENTICATORS else part for name, part in value.items()}
    return value


def _opens(key, text: str) -> bool:
    try:
        key.decrypt(text.encode())
    except InvalidToken:
        return False
    return True


def _first() -> Fernet:
    return Fernet(settings.FIELD_ENCRYPTION_KEYS[0])
