"""Whom a search finds, the same on every database."""

import pytest
from django.db import connection

from softphones import search
from softphones.models import Owner, Softphone
from tests.factories import make_account, make_owner, make_softphone


@pytest.fixture
def add(account):
    """Somebody with an index entry, and phones: `add("Zoë Ångström", phones=["Zoë's laptop"])`."""

    def person(name, *, email="", number="", phones=(), **fields) -> Owner:
        owner = make_owner(account, email, name=name, number=number)
        search.add(account, [owner])
        for each in phones:
            phone(each, owner, **fields)
        return owner

    def phone(name, owner=None, **fields) -> Softphone:
        made = make_softphone(account, owner, name=name, **{"caller_id_number": ""} | fields)
        search.add(account, [made])
        return made

    person.phone = phone
    return person


@pytest.fixture
def names(account):
    def find(text: str) -> set[str]:
        found = search.find(account=account, text=text)
        owners = Owner.objects.filter(pk__in=found.owners).values_list("name", flat=True)
        return {*owners, *Softphone.objects.filter(pk__in=found.softphones).values_list("name", flat=True)}

    return find


def test_a_person_is_found_by_everything_people_say(add, names):
    add(
        "Alice Smith",
        email="a.smith@acme.example",
        number="1001",
        phones=["Alice's laptop"],
        sip_username="user_8k3mq2xw7a",
        caller_id_number="+1 555 010 4217",
    )
    add("Bob Jones", email="bob@acme.example", number="1002", phones=["Front desk"])
    said = [
        "alice",
        "Smith",
        "smi",
        "a.smith@acme.example",
        "1001",
        "laptop",
        "user_8k3mq2xw7a",
        "8k3mq",
        "4217",
        "555-010-4217",
    ]
    assert {each: names(each) for each in said} == {each: {"Alice Smith"} for each in said}


def test_every_word_has_to_be_there_be_it_the_persons_or_a_phones(add, names):
    add("Alice Smith", phones=["Laptop at home"])
    add("Bob Smith", phones=["Laptop in Rome"])
    assert names("smith lap") == {"Alice Smith", "Bob Smith"}
    assert names("smi home laptop") == {"Alice Smith"}
    assert names("alice rome") == set()


def test_accents_case_and_letters_of_other_alphabets_are_folded(add, names):
    add("Zoë Ångström-Łukasz Sørensen")
    add("ΑΘΗΝΑ Παπαδοπούλου")
    add("Ирина")
    for text in ("zoe", "ZOË", "angstrom", "lukasz", "sorensen", "Å"):
        assert names(text) == {"Zoë Ångström-Łukasz Sørensen"}, text
    assert names("αθηνα παπαδοπουλου") == {"ΑΘΗΝΑ Παπαδοπούλου"}
    assert names("ирин") == {"Ирина"}


def test_a_phone_without_a_person_is_found_too(add, names):
    add.phone("Meeting room 7")
    assert names("meeting 7") == {"Meeting room 7"}


def test_nothing_to_look_for_finds_nobody(add, names):
    add("Alice")
    assert [names(text) for text in ("", "  ", "@", "_", "%", "\0")] == [set()] * 6


def test_signs_that_databases_take_for_wildcards_mean_nothing(add, names):
    add("Alice")
    assert names("a%") == {"Alice"}
    assert names("%ce") == set()
    assert names("alic_e") == set()


def test_other_accounts_are_never_found(add, names):
    other = make_account()
    owner = make_owner(other, name="Alice Elsewhere")
    search.add(other, [owner])
    assert names("alice") == set()


def test_one_search_tells_at_most_so_many_and_says_so(add, account):
    for number in range(12):
        add(f"Alice {number:03}", phones=[f"Phone of Alice {number:03}", f"Laptop of Alice {number:03}"])
    found = search.find(account=account, text="alice", most=10)
    assert (len(found), found.capped) == (10, True)
    found = search.find(account=account, text="alice", most=12)
    assert (len(found), found.capped) == (12, False)


def test_a_common_beginning_is_read_through_the_index(add, account, django_assert_num_queries):
    for number in range(30):
        add(f"Alice {number:03}", number=f"10{number:02}")
    with django_assert_num_queries(1):
        search.find(account=account, text="alice")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET enable_seqscan = off")
            prefix = "EXPLAIN "
        else:
            prefix = "EXPLAIN QUERY PLAN "
        rows = search._beginning("alice").filter(account=account).order_by("word", "id").values_list("id")[:10]
        sql, parameters = rows.query.sql_with_params()
        cursor.execute(prefix + sql, parameters)
        plan = " ".join(str(column) for row in cursor.fetchall() for column in row)
    assert "search_by_word" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan
