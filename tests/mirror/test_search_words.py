"""The words by which something is found."""

import pytest

from softphones.search import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Alice Smith - softphone", {"alice", "smith", "softphone"}),
        ("Carla Nuñez", {"carla", "nunez"}),
        ("Ｆｕｌｌ ＷＩＤＴＨ", {"full", "width"}),
        ("Straße ÉCOLE", {"strasse", "ecole"}),
        ("user_ab12cd", {"user", "ab12cd"}),
        ("seán.o'brien@acme.example", {"sean", "o", "brien", "acme", "example"}),
        ("1001", {"1001", "001"}),
        ("12", {"12"}),
        ("+1 (555) 010-0", {"1", "555", "010", "0", "15550100", "5550100", "550100", "50100", "0100", "100"}),
        ("שלום", {"שלום"}),
        ("電話 2", {"電話", "2"}),
        ("", set()),
        ("--- ☎️", set()),
    ],
)
def test_a_text_is_found_by_its_words(text, words):
    assert words_of(text) == words


def test_the_same_word_in_two_texts_is_one():
    assert words_of("Alice", "ALICE", "alice smith") == {"alice", "smith"}


def test_a_word_is_no_longer_than_its_column():
    assert {len(word) for word in words_of("w" * 1000)} == {64}
    assert max(len(word) for word in words_of("9" * 1000)) == 64
