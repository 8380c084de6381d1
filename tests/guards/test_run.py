"""The run of all tests notices what did not run, and where the two pairs differ."""

from tests.run import ONLY_ONCE, Outcome, differences, read


def outcome(title: str, *ran: str) -> Outcome:
    return Outcome(title, 0, ran=set(ran))


def test_pairs_that_ran_the_same_tests_are_fine():
    both = [outcome("SQLite", "a", "b"), outcome("PostgreSQL", "b", "a")]
    assert differences([*both, outcome(ONLY_ONCE, "browser")]) == []


def test_a_test_that_only_one_pair_ran_is_named_even_if_the_numbers_agree():
    assert differences([outcome("SQLite", "a", "b"), outcome("PostgreSQL", "a", "c")]) == [
        "SQLite ran 2 tests, PostgreSQL 2; only one ran: b, c."
    ]


def test_a_skipped_test_did_not_run_and_says_why(tmp_path):
    results = tmp_path / "results.xml"
    results.write_text(
        '<testsuites><testsuite><testcase classname="tests.x" name="ran"/>'
        '<testcase classname="tests.x" name="failed"><failure message="no"/></testcase>'
        '<testcase classname="tests.x" name="left_out"><skipped message="there is no browser"/></testcase>'
        "</testsuite></testsuites>"
    )
    found = Outcome("SQLite", 1)
    read(results, found)
    assert found.ran == {"tests.x.ran", "tests.x.failed"}
    assert found.skipped == {"tests.x.left_out": "there is no browser"}
    assert not found.passed
