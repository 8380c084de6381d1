"""Columns that Django does not have: one encrypted at rest with `FIELD_ENCRYPTION_KEYS` (Fernet; the first key encrypts, all
decrypt), and one compared by code point."""

from functools import cache

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.exceptions import FieldError
from django.core.signals import setting_changed
from django.db import models


@cache
def keyring() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])


def _forget_keys(*, setting, **kwargs):
    if setting == "FIELD_ENCRYPTION_KEYS":
        keyring.cache_clear()


setting_changed.connect(_forget_keys)


class EncryptedTextField(models.TextField):
    """Stores ciphertext, hands out text. NULL stays NULL. Can't be searched: every lookup but `isnull` is refused.

    Reading a value that no key opens raises `cryptography.fernet.InvalidToken`: a lost key must be noticed, not saved over.
    """

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return value if value is None else keyring().encrypt(value.encode()).decode()

    def from_db_value(self, value, expression, connection):
        return value if value is None else keyring().decrypt(value.encode()).decode()

    def get_lookup(self, lookup_name):
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is encrypted and can't be searched with {lookup_name!r}.")
        return super().get_lookup(lookup_name)


class CodePointField(models.CharField):
    """Text that every database compares and sorts by code point, so that ranges of it mean the same and use its index.

    SQLite does so anyway; PostgreSQL where the column's collation is "C".
    """

    def db_parameters(self, connection):
        collation = "C" if connection.vendor == "postgresql" else None
        return super().db_parameters(connection) | {"collation": collation}
