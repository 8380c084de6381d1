"""What people read of an act: one true sentence each."""

import ast
import re
from pathlib import Path

import pytest

from softphones import acts, audit
from softphones.templatetags.acts import happened
from tests.factories import make_account, make_owner, make_softphone, make_user

SOURCES = sorted((Path(__file__).parent.parent.parent / "softphones").rglob("*.py"))
ACT = re.compile(r"[a-z_]+:[a-z_]+")


def acts_in(path: Path) -> set[str]:
    """The texts in a module that look like an act."""
    constants = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
    return {each for each in constants if isinstance(each, str) and ACT.fullmatch(each)}


def test_every_act_that_the_code_records_has_a_sentence_and_every_sentence_an_act():
    recorded = set().union(*(acts_in(path) for path in SOURCES if path.name != "acts.py"))
    assert recorded == set(acts.ACTS)


@pytest.mark.parametrize("act", acts.ACTS)
@pytest.mark.parametrize("outcome", acts.OUTCOMES)
@pytest.mark.django_db
def test_every_sentence_can_be_said_of_every_outcome(act, outcome, alice, alices_phone):
    known = {"role": "admin", "kind": "totp", "count": 2}
    for event in (
        audit.record(act=act, outcome=outcome, actor=alice, softphone=alices_phone, data=known),
        audit.record(act=act, outcome=outcome),
    ):
        said = acts.sentence(event)
        assert said
        assert "%" not in said


@pytest.mark.django_db
class TestSentences:
    @pytest.fixture
    def helen(self, account):
        return make_user("helen@acme.example", account=account, role="helpdesk", name="Helen Desk")

    @pytest.fixture
    def laptop(self, account):
        return make_softphone(account, make_owner(account), name="Alice’s laptop")

    def reset(self, helen, laptop, **more):
        return audit.record(act="password:reset", actor=helen, softphone=laptop, **more)

    def test_who_what_and_why(self, helen, laptop):
        event = self.reset(helen, laptop, reason="new phone")
        assert acts.sentence(event) == "Helen Desk reset the password of Alice’s laptop — “new phone”"

    def test_what_was_only_asked_for_is_not_called_done(self, helen, laptop):
        event = self.reset(helen, laptop, outcome="asked")
        assert acts.sentence(event) == "Helen Desk asked for a new password for Alice’s laptop"

    def test_nor_what_failed_or_was_refused(self, helen, laptop):
        for outcome in ("failed", "refused"):
            event = self.reset(helen, laptop, outcome=outcome)
            assert acts.sentence(event) == "Helen Desk could not reset the password of Alice’s laptop"

    def test_names_stay_as_they_were_at_the_time(self, helen, laptop):
        event = self.reset(helen, laptop)
        helen.name, laptop.name = "Helen Married", "Bob’s laptop"
        helen.save()
        laptop.save()
        event.refresh_from_db()
        assert acts.sentence(event) == "Helen Desk reset the password of Alice’s laptop"

    def test_where_nobody_acted_something_else_is_named(self, laptop):
        opened = audit.record(act="link:opened", softphone=laptop)
        assert acts.sentence(opened) == "Somebody with the link opened the settings of Alice’s laptop in a browser"
        dropped = audit.record(act="person:unlinked", person=laptop.owner)
        assert acts.sentence(dropped) == "The portal took the phones of Alice Smith out of their hands"

    def test_somebody_without_a_name_is_called_by_their_address(self, account):
        nameless = make_user("jo@acme.example", account=account)
        event = audit.record(act="person:signed_in", actor=nameless)
        assert acts.sentence(event, whole=True) == "jo@acme.example signed in"
        assert acts.sentence(event) == "•••@acme.example signed in"

    def test_what_was_changed_is_named(self, helen, laptop):
        event = audit.record(act="softphone:changed", actor=helen, softphone=laptop, data={"fields": "caller_id_number name"})
        assert acts.sentence(event) == "Helen Desk changed Alice’s laptop (extension, name)"

    def test_names_and_reasons_can_not_smuggle_anything_into_the_page(self, helen, laptop):
        laptop.name = helen.name = "<script>%(who)s</script>"
        said = happened(self.reset(helen, laptop, reason="<b>%s"))
        assert "<script>" not in said
        assert "<b>" not in said
        assert "&lt;script&gt;%(who)s&lt;/script&gt;" in said

    def test_an_act_of_a_newer_version_is_called_what_it_is(self, helen, laptop):
        event = self.reset(helen, laptop)
        event.act = "moon:landed"
        assert acts.sentence(event) == "moon:landed"


@pytest.mark.django_db
class TestRecordingForEachAccount:
    def test_each_account_of_a_person_sees_that_they_signed_in(self, alice, account):
        other = make_account()
        alice.memberships.create(account=other)
        events = audit.record_for_each_account(act="person:signed_in", actor=alice, ip="192.0.2.7")
        assert [event.account for event in events] == [account, other]
        assert {event.ip for event in events} == {"192.0.2.7"}

    def test_somebody_without_an_account_is_recorded_all_the_same(self):
        [event] = audit.record_for_each_account(act="person:signed_in", actor=make_user("x@acme.example"))
        assert event.account is None


@pytest.mark.django_db
def test_an_act_without_a_sentence_is_refused(alice):
    with pytest.raises(ValueError, match=r"acts\.py"):
        audit.record(act="nothing:happened", actor=alice)
