"""The word index: which words an owner or a softphone is found by. Written by the mirror, the same on every database."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from softphones.models import Account, Owner, SearchWord, Softphone

LONGEST = 64
MOST = 200  # matches that one search tells
MOST_WORDS = 8  # that it looks for
_WORTH_COUNTING = 500
# People look for a number by its end ("the phone that ends in 42 17"), but not by two digits.
SHORTEST_ENDING = 3
INDEXED = {
    Owner: ("name", "email", "number"),
    Softphone: ("name", "sip_username", "caller_id_number", "caller_id_name"),
}

# Letters that Unicode does not take apart, as people type them who don't have them.
_TYPED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
_LAST_LETTER = "\U0010ffff"
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\+?[\d\s().\-/]+")


@dataclass(frozen=True, slots=True)
class Found:
    """Whom a search found, best first: primary keys of owners, and of softphones without a person. `capped`: there are more."""

    owners: list[int]
    softphones: list[int]
    capped: bool = False

    def __len__(self) -> int:
        return len(self.owners) + len(self.softphones)


def find(*, account: Account, text: str, most: int = MOST) -> Found:
    """Who in this account has a word that begins with each word of `text`, in their own words or those of their phones.

    Costs the same for 1,000 and for 100,000 softphones: the index is read in its order, as far as it takes to find `most`.
    Without a word in `text` nobody is found.
    """
    words = sorted({word[:LONGEST] for word in split(text)[:MOST_WORDS]}, key=lambda word: (-len(word), word))
    if not words:
        return Found([], [])
    first = _rarest(account, words)
    others = [word for word in words if word != first]
    rows = _beginning(first).filter(account=account).annotate(person=Coalesce("owner", "softphone__owner"))
    for word in others:
        rows = rows.filter(_also(word))
    keys: dict[tuple[str, int], None] = {}
    last = None
    while len(keys) <= most:
        chunk = _chunk(rows, last, 2 * most)
        keys |= dict.fromkeys(("owner", person) if person else ("softphone", phone) for _, _, person, phone in chunk)
        if len(chunk) < 2 * most:
            break
        last = chunk[-1][:2]
    told = list(keys)[:most]
    ids = {kind: [pk for each, pk in told if each == kind] for kind in ("owner", "softphone")}
    return Found(ids["owner"], ids["softphone"], capped=len(keys) > most)


def with_words(softphones: QuerySet[Softphone], text: str) -> QuerySet[Softphone]:
    """Those of these softphones for which each word of `text` begins a word of their own or of their person."""
    for word in split(text)[:MOST_WORDS]:
        words = _beginning(word[:LONGEST])
        own, persons = words.filter(softphone=OuterRef("pk")), words.filter(owner=OuterRef("owner"))
        softphones = softphones.filter(Exists(own) | Exists(persons))
    return softphones


def people_with_words(account: Account, people: QuerySet[Owner], text: str) -> QuerySet[Owner]:
    """Those of these people of the account for whom each word of `text` begins a word of their own; without a word nobody."""
    words = split(text)[:MOST_WORDS]
    for word in words:
        people = people.filter(pk__in=_beginning(word[:LONGEST]).filter(account=account, owner__isnull=False).values("owner"))
    return people if words else people.none()


def _rarest(account: Account, words: list[str]) -> str:
    """The word to begin with: the one with the fewest entries, as far as it is worth counting them; the longest of several."""
    if len(words) == 1:
        return words[0]
    entries = {
        word: len(_beginning(word).filter(account=account).values_list("id", flat=True)[:_WORTH_COUNTING]) for word in words
    }
    return min(words, key=entries.__getitem__)


def _beginning(word: str) -> QuerySet[SearchWord]:
    # A range and not LIKE, which is a range by the index only under some collations; the column is compared by code point.
    return SearchWord.objects.filter(word__gte=word, word__lt=word + _LAST_LETTER)


def _also(word: str) -> Q:
    """Whether the person, or the phone without one, also has a word with this beginning."""
    words = _beginning(word)
    return (
        Exists(words.filter(owner=OuterRef("person")))
        | Exists(words.filter(softphone__owner=OuterRef("person")))
        | Exists(words.filter(softphone=OuterRef("softphone")))
    )


def _chunk(rows: QuerySet[SearchWord], last: tuple[str, int] | None, size: int) -> list[tuple]:
    if last:
        word, pk = last
        rows = rows.filter(word__gte=word).filter(Q(word__gt=word) | Q(pk__gt=pk))
    return list(rows.order_by("word", "id").values_list("word", "id", "person", "softphone_id")[:size])


def split(text: str) -> list[str]:
    """The words of a text as they are compared: without case and accents."""
    return _WORD.findall(_folded(text))


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
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_TYPED))
    # Once more, since decomposing can bring back capitals (U+1D2C is a small raised "A").
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()
