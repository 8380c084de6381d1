"""The word index: which words an owner or a softphone is found by. Written by the mirror, the same on every database."""

import re
import unicodedata
from collections.abc import Iterable

from django.db import connection

from softphones.models import Account, Owner, SearchWord, Softphone

LONGEST = 64
# People look for a number by its end ("the phone that ends in 42 17"), but not by two digits.
SHORTEST_ENDING = 3
INDEXED = {
    Owner: ("name", "email", "number"),
    Softphone: ("name", "sip_username", "caller_id_number", "caller_id_name"),
}

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\+?[\d\s().\-/]+")


def words_of(*texts: str) -> set[str]:
    """The words of these texts as they are compared: without case and accents, numbers also by their last digits."""
    words = set()
    for text in texts:
        folded = _folded(text)
        found = _WORD.findall(folded)
        if len(found) > 1 and _NUMBER.fullmatch(folded):
            found.append("".join(found))
        for word in found:
            words.add(word[:LONGEST])
            if word.isdecimal():
                words.update(word[-length:] for length in range(SHORTEST_ENDING, min(len(word), LONGEST)))
    return words


def add(account: Account, rows: Iterable[Owner | Softphone]) -> None:
    """Index rows that have no words yet."""
    words = []
    for row in rows:
        owner, softphone = (row.pk, None) if isinstance(row, Owner) else (None, row.pk)
        words += [(account.pk, word, owner, softphone) for word in sorted(_words_of_row(row))]
    # A first run writes millions of words; as model instances they would take most of its time.
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO softphones_searchword (account_id, word, owner_id, softphone_id) VALUES (%s, %s, %s, %s)", words
        )


def remove(model: type[Owner] | type[Softphone], ids: Iterable[int]) -> None:
    """Take the words of these rows out of the index."""
    rows = {f"{model._meta.model_name}__in": list(ids)}
    SearchWord.objects.filter(**rows).delete()


def _words_of_row(row: Owner | Softphone) -> set[str]:
    return words_of(*(getattr(row, name) for name in INDEXED[type(row)]))


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    # Once more, since decomposing can bring back capitals (U+1D2C is a small raised "A").
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()
