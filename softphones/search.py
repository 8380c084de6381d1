"""The word index: which words an owner or a softphone is found by. Written by the mirror, the same on every database."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from softphones.models import Account, Owner, SearchWord, Softphone

LONGEST = 64
MOST = 200  # matches that one search tells
MOST_WORDS = 8  # that it looks for
_WORTH_COUNTING = 10_000
_AT_ONCE = 1000  # words in one INSERT
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
    words = _wanted(text)
    if not words:
        return Found([], [])
    first = _rarest(account, words)
    others = [word for word in words if word != first]
    return _gathered(_entries(_beginning(first).filter(account=account), others, most), _person, most)


def softphones(*, account: Account, text: str) -> tuple[QuerySet[Softphone], bool]:
    """The account's softphones for which each word of `text` begins a word of their own or of their person, also gone ones.

    Only of the first MOST whom a search finds; and whether there are more.
    """
    words = _wanted(text)
    if len(words) == 1:
        # All that an entry says has the word: nothing is left to compare.
        found = _gathered(_in_order(_beginning(words[0]).filter(account=account), MOST + 1), _named, MOST)
        words = []
    else:
        found = find(account=account, text=text)
    # Those found are the account's. To say so once more would lead SQLite along all of the account's softphones.
    rows = Softphone.objects.filter(Q(owner__in=found.owners) | Q(pk__in=found.softphones))
    for word in words:
        entries = _beginning(word)
        own, persons = entries.filter(softphone=OuterRef("pk")), entries.filter(owner=OuterRef("owner"), softphone=None)
        rows = rows.filter(Exists(own) | Exists(persons))
    return rows, found.capped


def people_with_words(account: Account, people: QuerySet[Owner], text: str) -> QuerySet[Owner]:
    """Those of these people of the account for whom each word of `text` begins a word of their own; without a word nobody."""
    words = split(text)[:MOST_WORDS]
    for word in words:
        people = people.filter(pk__in=_beginning(word[:LONGEST]).filter(account=account, owner__isnull=False).values("owner"))
    return people if words else people.none()


def _wanted(text: str) -> list[str]:
    """The words to look for, the longest first."""
    return sorted({word[:LONGEST] for word in split(text)[:MOST_WORDS]}, key=lambda word: (-len(word), word))


def _rarest(account: Account, words: list[str]) -> str:
    """The word to begin with: the one with the fewest entries, as far as it is worth counting them; the longest of several."""
    if len(words) == 1:
        return words[0]
    entries = {word: _beginning(word).filter(account=account).order_by()[:_WORTH_COUNTING].count() for word in words}
    return min(words, key=entries.__getitem__)


def _beginning(word: str) -> QuerySet[SearchWord]:
    # A range and not LIKE, which is a range by the index only under some collations; the column is compared by code point.
    return SearchWord.objects.filter(word__gte=word, word__lt=word + _LAST_LETTER)


def _entries(rows: QuerySet[SearchWord], others: list[str], most: int) -> Iterator[list[tuple[int | None, int | None]]]:
    """Owner and softphone of these entries, where the one whom they name also has a word with each of the other beginnings.

    Best first, in batches of about as many as it takes to find `most`; the same ones may come again.
    """
    if not others:
        yield from _in_order(rows, 2 * most)
        return
    # Two queries and not one with OR, for which PostgreSQL would read all entries of the other words.
    for whose, some in (("owner", rows.filter(owner__isnull=False)), ("softphone", rows.filter(owner=None))):
        also = [Exists(_beginning(word).filter(**{whose: OuterRef(whose)})) for word in others]
        yield from _in_order(some.filter(*also), 4 * most)


def _in_order(rows: QuerySet[SearchWord], size: int) -> Iterator[list[tuple[int | None, int | None]]]:
    """The entries in the order of the index, `size` at a time and then more."""
    rows = rows.order_by("word", "id").values_list("word", "id", "owner_id", "softphone_id")
    chunk = list(rows[:size])
    while chunk:
        yield [entry[2:] for entry in chunk]
        if len(chunk) < size:
            return
        (last, pk), size = chunk[-1][:2], 4 * size
        chunk = list(rows.filter(word__gte=last).filter(Q(word__gt=last) | Q(pk__gt=pk))[:size])


def _person(owner: int | None, softphone: int | None) -> tuple[str, int]:
    """Whom an entry leads to: the person, or a softphone that nobody has."""
    return ("owner", owner) if owner else ("softphone", softphone)


def _named(owner: int | None, softphone: int | None) -> tuple[str, int]:
    """Whose word an entry holds: a softphone's, or a person's."""
    return ("softphone", softphone) if softphone else ("owner", owner)


def _gathered(batches: Iterable[list[tuple]], whose: Callable[..., tuple[str, int]], most: int) -> Found:
    """`whose` these entries are, each once, as far as it takes to find `most`."""
    found: dict[tuple[str, int], None] = {}
    for entries in batches:
        found |= dict.fromkeys(whose(*entry) for entry in entries)
        if len(found) > most:
            break
    told = list(found)[:most]
    ids = {kind: [pk for each, pk in told if each == kind] for kind in ("owner", "softphone")}
    return Found(ids["owner"], ids["softphone"], capped=len(found) > most)


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
        owner, softphone = (row.pk, None) if isinstance(row, Owner) else (row.owner_id, row.pk)
        words += [(account.pk, word, owner, softphone) for word in sorted(_words_of_row(row))]
    # A first run writes millions of words; as model instances they would take most of its time.
    with connection.cursor() as cursor:
        for start in range(0, len(words), _AT_ONCE):
            some = words[start : start + _AT_ONCE]
            values = ", ".join(["(%s, %s, %s, %s)"] * len(some))
            insert = f"INSERT INTO softphones_searchword (account_id, word, owner_id, softphone_id) VALUES {values}"  # noqa: S608
            cursor.execute(insert, list(chain.from_iterable(some)))


def remove(model: type[Owner] | type[Softphone], ids: Iterable[int]) -> None:
    """Take the words of these rows out of the index. What a softphone says of its owner stays."""
    rows = {"owner__in": list(ids), "softphone": None} if model is Owner else {"softphone__in": list(ids)}
    SearchWord.objects.filter(**rows).delete()


def _words_of_row(row: Owner | Softphone) -> set[str]:
    return words_of(*(getattr(row, name) for name in INDEXED[type(row)]))


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_TYPED))
    # Once more, since decomposing can bring back capitals (U+1D2C is a small raised "A").
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()
