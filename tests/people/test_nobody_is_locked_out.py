"""Nobody locks out somebody else: neither strangers elsewhere, nor forty colleagues behind the same address."""

import base64
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.contrib.auth.hashers import MD5PasswordHasher
from django.utils import timezone

from softphones import limits
from softphones.models import Bucket
from tests.factories import make_owner, make_user
from tests.people.conftest import Visitor, mails_to, newest_code, newest_long_code, other_than, the_worker_runs

pytestmark = pytest.mark.django_db

OFFICE = "203.0.113.10"
ELSEWHERE = "198.51.100.66"


def test_forty_colleagues_behind_one_ip_sign_in_within_a_minute(account):
    people = [Visitor(f"colleague{n}@acme.example", ip=OFFICE) for n in range(40)]
    for person in people:
        make_owner(account, person.address)
    with time_machine.travel(timezone.now(), tick=False):  # all in the same instant: no limit refills
        for person in people:
            person.post("/sign-in/", email=person.address)
        the_worker_runs()
        for person in people:
            person.enters(newest_code(person.address))
    assert all(person.user_id for person in people)


def flood(address, ip, browsers=15):
    """A stranger asks for codes and enters wrong ones, short and long, and tries passwords, from many new browsers."""
    for n in range(browsers):
        stranger = Visitor(address, ip=ip)
        stranger.asks_for_a_code()
        for _ in range(3):
            stranger.enters(other_than(newest_code(address)))
        stranger.enters("1234-5678-9012-3456")
        stranger.enters(f"{n:06d}")
        stranger.signs_in_with("wrong")
        stranger.signs_in_with("also wrong")
        assert stranger.user_id is None


@pytest.mark.parametrize("attacker_ip", [ELSEWHERE, OFFICE])
def test_a_ceo_whose_browser_is_known_signs_in_as_ever_during_a_flood(ceo, attacker_ip):
    ceo.signs_in()
    ceo.post("/sign-out/")
    flood(ceo.address, attacker_ip)
    before = len(mails_to(ceo.address))
    ceo.signs_in()
    assert ceo.user_id
    assert len(mails_to(ceo.address)) == before + 1


@pytest.mark.parametrize("attacker_ip", [ELSEWHERE, OFFICE])
def test_a_ceo_at_a_new_browser_signs_in_during_a_flood_with_what_the_newest_mail_says(ceo, attacker_ip):
    flood(ceo.address, attacker_ip)
    ceo.asks_for_a_code()
    page = ceo.enters(newest_code(ceo.address))
    if ceo.user_id is None:
        assert "longer code" in page.content.decode()
        ceo.enters(newest_long_code(ceo.address))
    assert ceo.user_id


def test_many_networks_at_once_use_up_the_mails_but_not_the_way_in(ceo):
    for n in range(12):
        flood(ceo.address, f"198.51.100.{n}", browsers=2)
    sent = len(mails_to(ceo.address))
    ceo.asks_for_a_code()
    assert len(mails_to(ceo.address)) == sent, "the limit of the address holds"
    ceo.enters(newest_long_code(ceo.address))
    assert ceo.user_id


def test_with_the_mails_used_up_the_short_code_mailed_last_works_in_another_browser_too(ceo):
    for _ in range(6):
        Visitor(ceo.address, ip=ELSEWHERE).asks_for_a_code()
    newcomer = Visitor(ceo.address, ip=ELSEWHERE)
    newcomer.asks_for_a_code()
    assert len(mails_to(ceo.address)) == 5
    newcomer.enters(newest_code(ceo.address))
    assert newcomer.user_id


def test_guessing_at_borrowed_codes_comes_to_an_end(ceo):
    for _ in range(5):
        Visitor(ceo.address, ip=ELSEWHERE).asks_for_a_code()
    right = newest_code(ceo.address)
    for _ in range(2):
        guesser = Visitor(ceo.address, ip=ELSEWHERE)
        guesser.asks_for_a_code()
        for _ in range(3):
            guesser.enters(other_than(right))
    last = Visitor(ceo.address, ip=ELSEWHERE)
    last.asks_for_a_code()
    last.enters(right)
    assert last.user_id is None


def test_the_flood_is_not_mailed(ceo):
    for _ in range(30):
        Visitor(ceo.address, ip=ELSEWHERE).asks_for_a_code()
    assert len(mails_to(ceo.address)) == 5
    for n in range(30):
        Visitor(ceo.address, ip=f"198.51.100.{n}").asks_for_a_code()
    assert len(mails_to(ceo.address)) == 10


def test_a_network_in_ipv6_is_one_place(ceo):
    for n in range(30):
        Visitor(ceo.address, ip=f"2001:db8:0:1::{n:x}").asks_for_a_code()
    assert len(mails_to(ceo.address)) == 5


def test_whenever_no_mail_is_sent_one_of_the_last_minutes_still_works(ceo):
    """Asked twice a minute for an hour: the address always has a mail that is younger than a code's life."""
    begin = timezone.now()
    with time_machine.travel(begin, tick=False) as clock:
        last = None
        for _ in range(120):
            sent = len(mails_to(ceo.address))
            Visitor(ceo.address, ip=ELSEWHERE).asks_for_a_code()
            if len(mails_to(ceo.address)) > sent:
                last = timezone.now()
            assert timezone.now() - last < timedelta(minutes=8)
            clock.shift(timedelta(seconds=30))
    assert len(mails_to(ceo.address)) < 30


def test_an_accounts_mails_are_limited_but_everybody_gets_one(account, settings):
    settings.SIGN_IN_LIMITS = settings.SIGN_IN_LIMITS | {"mail_account": (3, 3600)}
    for n in range(6):
        make_owner(account, f"colleague{n}@acme.example")
        visitor = Visitor(f"colleague{n}@acme.example")
        visitor.asks_for_a_code()
        visitor.post("/sign-in/code/", again="1")
        the_worker_runs()
        visitor.enters(newest_code(visitor.address))
        assert visitor.user_id
    assert len(mails_to("colleague0@acme.example")) == 2
    assert len(mails_to("colleague5@acme.example")) == 1


def test_wrong_passwords_are_slowed_per_address_and_network_and_a_code_stays_open(account):
    make_user("ceo@acme.example", account=account, password="correct horse battery")
    hostile = Visitor("ceo@acme.example", ip=ELSEWHERE)
    for _ in range(5):
        assert "belong together" in hostile.signs_in_with("wrong").content.decode()
    assert "Too many wrong passwords" in hostile.signs_in_with("correct horse battery").content.decode()
    assert hostile.user_id is None

    elsewhere = Visitor("ceo@acme.example", ip=OFFICE)
    elsewhere.signs_in_with("correct horse battery")
    assert elsewhere.user_id
    by_code = Visitor("ceo@acme.example", ip=ELSEWHERE)
    by_code.signs_in()
    assert by_code.user_id


def test_wrong_passwords_from_many_networks_do_not_slow_a_known_browser(account):
    make_user("ceo@acme.example", account=account, password="correct horse battery")
    ceo = Visitor("ceo@acme.example")
    ceo.signs_in_with("correct horse battery")
    ceo.post("/sign-out/")
    for n in range(25):
        Visitor("ceo@acme.example", ip=f"198.51.100.{n}").signs_in_with("wrong")
    stranger = Visitor("ceo@acme.example")
    assert "Too many" in stranger.signs_in_with("correct horse battery").content.decode()
    ceo.signs_in_with("correct horse battery")
    assert ceo.user_id


class Counting(MD5PasswordHasher):
    """Counts how often a password is hashed, which is what a try costs."""

    times = 0

    def encode(self, password, salt):
        type(self).times += 1
        return super().encode(password, salt)


class TestAPlaceThatTriesThePasswordsOfMany:
    SIZE = 10
    USE_A_CODE = "Too many wrong passwords came from where you are. Sign in with a code by mail instead."

    @pytest.fixture(autouse=True)
    def counted(self, settings, monkeypatch):
        settings.SIGN_IN_LIMITS = settings.SIGN_IN_LIMITS | {"password_network": (self.SIZE, 3)}
        settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]
        monkeypatch.setattr(Counting, "times", 0)
        with time_machine.travel(timezone.now(), tick=False):  # no limit refills
            yield

    @pytest.fixture
    def carla(self, account):
        """Carla at a new browser, in the office or elsewhere."""
        make_user("carla@acme.example", account=account, password="correct horse battery")
        return partial(Visitor, "carla@acme.example", ip=OFFICE)

    def somebody_in_the_office_tries_as_many_as_there_are(self):
        for n in range(self.SIZE):
            page = Visitor(f"nobody{n}@acme.example", ip=OFFICE).signs_in_with("wrong")
            assert "belong together" in page.content.decode()

    def test_spends_no_more_work_on_them(self, db):
        self.somebody_in_the_office_tries_as_many_as_there_are()
        assert self.USE_A_CODE in Visitor("one-more@acme.example", ip=OFFICE).signs_in_with("wrong").content.decode()
        assert Counting.times == self.SIZE

    def test_does_not_learn_which_addresses_are_known(self, carla):
        self.somebody_in_the_office_tries_as_many_as_there_are()
        before = Counting.times
        assert self.USE_A_CODE in carla().signs_in_with("wrong").content.decode()
        assert Counting.times == before, "as quick as for somebody unknown"

    def test_keeps_nobody_out_who_sits_there(self, carla):
        known = carla()
        known.signs_in_with("correct horse battery")
        known.post("/sign-out/")
        self.somebody_in_the_office_tries_as_many_as_there_are()
        known.signs_in_with("correct horse battery")
        assert known.user_id, "a browser that has proven the address goes on as ever"
        new = carla()
        new.signs_in()
        assert new.user_id, "a mailed code always opens"

    def test_is_nothing_to_another_place(self, carla):
        self.somebody_in_the_office_tries_as_many_as_there_are()
        elsewhere = carla(ip=ELSEWHERE)
        elsewhere.signs_in_with("correct horse battery")
        assert elsewhere.user_id

    def test_right_passwords_do_not_count_however_many_people_sit_there(self, carla):
        for _each in range(self.SIZE + 3):
            person = carla()
            person.signs_in_with("correct horse battery")
            assert person.user_id

    def test_an_address_whose_own_limit_is_reached_costs_its_place_nothing(self, carla):
        for _each in range(self.SIZE + 5):
            carla().signs_in_with("wrong")
        assert "belong together" in Visitor("another@acme.example", ip=OFFICE).signs_in_with("wrong").content.decode()


def test_right_passwords_are_not_counted(account):
    make_user("ceo@acme.example", account=account, password="correct horse battery")
    for _ in range(12):
        visitor = Visitor("ceo@acme.example")
        visitor.signs_in_with("correct horse battery")
        assert visitor.user_id


def test_a_limit_for_an_unknown_address_looks_the_same(account):
    visitor = Visitor("nobody@acme.example")
    for _ in range(5):
        assert "belong together" in visitor.signs_in_with("wrong").content.decode()
    assert "Too many wrong passwords" in visitor.signs_in_with("wrong").content.decode()


def test_a_forged_cookie_makes_no_browser_known(ceo):
    for _ in range(6):
        visitor = Visitor(ceo.address, ip=ELSEWHERE)
        visitor.browser.cookies["known"] = '{"id":"x","addresses":[]}:1:x'
        visitor.asks_for_a_code()
    assert len(mails_to(ceo.address)) == 5


def test_the_cookie_names_no_address_and_no_script_can_read_it(ceo):
    ceo.signs_in()
    cookie = ceo.browser.cookies["known"]
    payload = cookie.value.partition(":")[0].lstrip(".")
    assert b"ceo" not in base64.urlsafe_b64decode(payload + "===")
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


class TestTheLimitsThemselves:
    def test_they_are_rows_that_every_process_sees(self, ceo):
        ceo.asks_for_a_code()
        assert Bucket.objects.filter(name__startswith="limit:mail_here:").count() == 1
        assert not Bucket.objects.filter(name__contains="ceo").exists()

    def test_a_bucket_refills_with_time_and_never_beyond_its_size(self, db):
        now = timezone.now()

        def taken(at):
            return sum(limits.take("mail_here", "a", now=at) for _ in range(10))

        assert taken(now) == 5
        assert taken(now + timedelta(seconds=361)) == 2
        assert taken(now + timedelta(days=3)) == 5

    def test_a_clock_that_went_back_gives_nothing_away(self, db):
        now = timezone.now()
        assert limits.take("mail_here", "a", now=now)
        assert limits.take("mail_here", "a", now=now - timedelta(days=1))
        assert sum(limits.take("mail_here", "a", now=now) for _ in range(10)) == 3

    def test_old_ones_are_forgotten(self, db):
        limits.take("mail_here", "a", now=timezone.now())
        Bucket.objects.create(name="account:1", tokens=1, at=0)
        limits.forget(now=timezone.now())
        assert Bucket.objects.count() == 2
        limits.forget(now=timezone.now() + timedelta(days=3))
        assert Bucket.objects.get().name == "account:1"
