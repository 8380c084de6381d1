"""The one question before the start, and what the page shows while it goes."""

from datetime import timedelta

import pytest
from django.utils import timezone

from softphones import imports, tasks, vitals
from softphones.models import Change, Import, Lease, Message, Pause, Softphone
from tests.factories import make_softphone
from tests.import_pages.conftest import BULK, ends, page_of, press
from tests.pages.conftest import HTMX, soup, words
from tests.staffing import signed_in_as_staff

pytestmark = pytest.mark.django_db

QUOTE = {"devices": {"softphone": {"quantity": 1, "rate": 2.0, "activation_charges": 1.0}}}


def facts(response) -> dict[str, str]:
    """The big numbers, by what stands below each."""
    return {words(each.dt): words(each.dd) for each in soup(response).select(".facts > div")}


def goes(batch: Import, count: int, now, *, seconds: int) -> None:
    """As if Audian had done so many of it, one after the other, in the last seconds."""
    Import.objects.filter(pk=batch.pk).update(started_at=now - timedelta(seconds=seconds))
    for place, wish in enumerate(Change.objects.filter(batch=batch.batch).order_by("pk")[:count]):
        at = now - timedelta(seconds=seconds * place / count)
        Change.objects.filter(pk=wish.pk).update(state="done", finished_at=at)


def look(admin, batch, shown: str):
    """As the page looks again by itself, when it last showed this state."""
    return admin.get(f"{page_of(batch)}?shown={shown}", headers=HTMX | {"HX-Target": "live"})


class TestTheQuestion:
    def test_it_says_how_many_how_long_and_what_may_be_billed(self, admin, upload):
        question = words(soup(admin.get(page_of(upload("name\n" + "x\ny\nz\n")))).select_one(".start"))
        assert "3 softphones will be created" in question
        assert "It takes a few seconds and goes on by itself" in question
        assert "Audian may charge for them. It asks first" in question
        assert "Create 3 softphones" in question

    def test_the_time_is_that_of_the_pace(self, admin, upload, settings):
        settings.API_BUCKET_SIZE, settings.API_TOKENS_PER_SECOND = 100, 10
        batch = upload("name\n" + "".join(f"Phone {number}\n" for number in range(1270)))
        assert "It takes about 2 minutes" in words(admin.get(page_of(batch)))

    def test_errors_are_not_left_out_unless_somebody_says_so(self, admin, upload):
        batch = upload("name\nLobby\n\nHall\n" + "n" * 129 + "\n")
        response = admin.post(f"{page_of(batch)}start/")
        assert words(soup(response).select_one(".errorlist")) == "Tick this to start without them."
        assert not Change.objects.exists()
        response = admin.post(f"{page_of(batch)}start/", {"skip_errors": "on"}, follow=True)
        assert facts(response)["waiting"] == "2"
        assert sorted(Softphone.objects.values_list("name", flat=True)) == ["Hall", "Lobby"]

    def test_those_who_have_one_can_be_left_out(self, admin, upload, account, owner):
        make_softphone(account, owner)
        batch = upload("name,owner_email\nAlice - mobile,alice@acme.example\nLobby,\n")
        admin.post(f"{page_of(batch)}start/", {"skip_owned": "on"})
        assert [change.values["name"] for change in Change.objects.all()] == ["Lobby"]
        assert "Skipped 1" in words(soup(admin.get(f"{page_of(batch)}?show=all")).select_one(".kinds"))
        ends(batch)
        assert "1 of 1 done" in words(soup(admin.get(BULK)).select_one(".latest"))

    @pytest.mark.parametrize(("kind", "button"), [("delete", "Delete"), ("reset", "Reset"), ("disable", "Switch off")])
    def test_more_than_ten_that_cut_people_off_want_the_number_typed(self, admin, act, kind, button):
        batch = act(kind, 11, connected=4)
        question = soup(admin.get(page_of(batch))).select_one(".start")
        assert "4 of them are connected now and will be cut off." in words(question)
        assert "not known" not in words(question)
        Softphone.objects.filter(registered=False).update(seen_at=None)
        assert "Of 7 it is not known. Seen at" in words(soup(admin.get(page_of(batch))).select_one(".start"))
        assert words(question.select_one("button.danger")).startswith(f"{button} 11 ")
        for typed in ("", "10", "eleven"):
            response = admin.post(f"{page_of(batch)}start/", {"typed": typed})
            assert "Type the number" in words(soup(response).select_one(".errorlist"))
        assert not Change.objects.exists()
        admin.post(f"{page_of(batch)}start/", {"typed": " 11 "})
        assert Change.objects.filter(batch=batch.batch).count() == 11

    def test_ten_need_no_typing(self, admin, act):
        batch = act("disable", 10)
        assert not soup(admin.get(page_of(batch))).select("[name=typed]")
        admin.post(f"{page_of(batch)}start/")
        assert Change.objects.filter(batch=batch.batch).count() == 10

    def test_what_changed_since_the_check_is_shown_before_anything_is_started(self, admin, upload, account, owner):
        batch = upload("name,owner_email\nAlice - softphone,alice@acme.example\nLobby,\n")
        make_softphone(account, owner, name="Alice - softphone")
        response = admin.post(f"{page_of(batch)}start/", follow=True)
        assert "Something has changed since the check. Look at the rows again, then start." in words(response)
        assert "1 softphone will be created" in words(response)
        assert not Change.objects.filter(batch=batch.batch).exists()
        admin.post(f"{page_of(batch)}start/")
        assert [change.values["name"] for change in Change.objects.filter(batch=batch.batch)] == ["Lobby"]

    def test_what_is_not_possible_is_left_out_with_a_tick(self, admin, act):
        batch = act("send_links", 2, ownerless=3)
        page = soup(admin.get(page_of(batch)))
        assert "2 mails will be sent" in words(page)
        assert "Leave out the 3 that are not possible" in words(page)
        assert "Not possible The softphone belongs to nobody." in words(page.select_one("#rows tbody tr"))
        assert not page.select("input[type=file]"), "there is no file to mend"
        admin.post(f"{page_of(batch)}start/", {"skip_errors": "on"})
        assert Message.objects.count() == 2


class TestTheProgress:
    def test_the_page_looks_again_by_itself_and_says_how_far_it_is(self, admin, started):
        batch = started(4)
        live = soup(admin.get(page_of(batch))).select_one("#live")
        assert live["hx-get"].startswith(page_of(batch))
        assert live.select_one("progress")["value"] == "0"
        ends(batch)
        Change.objects.filter(pk=Change.objects.last().pk).update(state="queued", finished_at=None)
        response = look(admin, batch, "running")
        assert facts(response) | {"created": "3", "waiting": "1", "failed": "0"} == facts(response)
        assert soup(response).select_one("progress")["value"] == "75"
        assert soup(response).find(recursive=False)["id"] == "live", "only the numbers are drawn anew"

    def test_its_end_is_said_and_draws_the_whole_anew(self, admin, started):
        batch = started(3)
        ends(batch, failed=1)
        response = look(admin, batch, "running")
        assert response["HX-Retarget"] == "#batch"
        assert "Finished: 2 done, 1 failed." in response["HX-Trigger"]
        assert not soup(response).select("#live[hx-get]"), "a finished one asks no more"
        assert soup(response).select("#rows")

    def test_at_its_end_the_rows_are_shown_that_were_chosen_last(self, admin, started):
        batch = started(3)
        ends(batch, failed=1)
        chosen = f"http://testserver{page_of(batch)}?show=made"
        headers = HTMX | {"HX-Target": "live", "HX-Current-URL": chosen}
        response = admin.get(f"{page_of(batch)}?shown=running", headers=headers)
        assert words(soup(response).select_one(".kinds [aria-current]")) == "Created 2"

    def test_the_newest_failures_are_there_while_it_goes(self, admin, started):
        batch = started(3)
        ends(batch, failed=1)
        Change.objects.filter(pk=Change.objects.last().pk).update(state="queued", finished_at=None)
        assert "Phone 0 Audian refused the name." in words(soup(look(admin, batch, "running")).select_one(".faults"))

    def test_of_many_failures_the_newest_five_are_there_the_newest_first(self, admin, started):
        batch, now = started(9), timezone.now()
        for place, ago in enumerate((50, 10, 70, 30, 20, 60, 40)):
            failed = Change.objects.filter(softphone__name=f"Phone {place}")
            failed.update(state="failed", error="Refused.", finished_at=now - timedelta(seconds=ago))
        faults = [words(each) for each in soup(look(admin, batch, "running")).select(".faults li")]
        assert faults == [f"Phone {place} Refused." for place in (1, 4, 3, 6, 0)]

    def test_it_says_how_fast_it_goes_and_how_long_it_still_takes(self, admin, started, time_machine):
        batch, now = started(100), timezone.now()
        time_machine.move_to(now, tick=False)
        assert "a second" not in facts(admin.get(page_of(batch))), "nothing went yet"
        goes(batch, 40, now, seconds=20)
        shown = facts(look(admin, batch, "running"))
        assert (shown["created"], shown["waiting"]) == ("40", "60")
        assert (shown["a second"], shown["left"]) == ("2.0", "about 30 seconds")

    def test_who_comes_back_tomorrow_sees_what_is_so(self, admin, upload, time_machine):
        batches, now = {}, timezone.now()
        time_machine.move_to(now, tick=False)
        for name in ("stalled", "paused", "finished"):
            batch = batches[name] = upload("name\n" + "".join(f"{name} {number}\n" for number in range(100)))
            admin.post(f"{page_of(batch)}start/")
            goes(batch, 40, now, seconds=20)
        imports.pause(batch=batches["paused"], by=admin.user, now=now)
        ends(batches["finished"], failed=3)
        imports.settle(now=now)
        before = {name: facts(admin.get(page_of(batch))) for name, batch in batches.items()}
        time_machine.move_to(now + timedelta(days=1), tick=False)
        admin = signed_in_as_staff(admin.user)
        tomorrow = {name: facts(admin.get(page_of(batch))) for name, batch in batches.items()}
        assert before["stalled"].pop("a second")
        assert (before["stalled"].pop("left"), tomorrow["stalled"].pop("left")) == ("about 30 seconds", "a few seconds")
        assert tomorrow == before
        assert tomorrow["paused"] == {"created": "40", "waiting": "60", "failed": "0"}
        assert tomorrow["finished"] == {"created": "97", "failed": "3"}

    def test_of_what_is_cancelled_no_share_is_told_while_the_last_of_it_arrives(self, admin, started):
        batch = started(3)
        first = Change.objects.first()
        Change.objects.filter(pk=first.pk).update(state="sending", tried_at=timezone.now())
        assert soup(admin.get(page_of(batch))).select("#live progress, #live .number")
        press(admin, admin.get(page_of(batch)), "Cancel the rest")
        for state in ("cancelling", "cancelled"):
            Import.objects.update(state=state)
            response = admin.get(page_of(batch))
            page = soup(response)
            assert not page.select("#live progress, #live .number")
            assert "What was on its way still arrives." in words(page.select_one("#live[hx-get]"))
            assert facts(response) == {"created": "0", "waiting": "1", "failed": "0", "not done": "2"}

    def test_rows_are_read_while_it_goes_only_when_asked_for(self, admin, started):
        batch = started(3)
        page = soup(admin.get(page_of(batch)))
        assert not page.select("#rows")
        page = soup(admin.get(page_of(batch) + page.select_one("a[href*='show=all']")["href"]))
        assert len(page.select("#rows tbody tr")) == 3
        assert page.select_one("#rows[hx-get*='show=all']"), "they move as well"

    def test_it_pauses_and_goes_on(self, admin, started):
        batch = started(2)
        response = press(admin, admin.get(page_of(batch)), "Pause")
        assert "Nothing more is sent until somebody lets it go on." in words(response)
        response = press(admin, response, "Go on")
        assert "Under way" in words(soup(response).select_one("#live"))

    def test_the_rest_is_cancelled_after_one_more_press(self, admin, started):
        batch = started(3)
        page = soup(admin.get(page_of(batch)))
        assert "What is done stays" in words(page.select_one("details.sure"))
        response = press(admin, admin.get(page_of(batch)), "Cancel the rest")
        assert "The rest was cancelled" in words(response)
        assert facts(response)["not done"] == "3"

    def test_trouble_of_the_account_is_told_and_that_it_goes_on_by_itself(self, admin, started, account):
        batch = started(2)
        now = timezone.now()
        Pause.objects.create(account=account, since=now, until=now, reason="Audian does not answer.")
        response = admin.get(page_of(batch))
        assert "Waiting for Audian" in words(soup(response).select_one("#live"))
        assert "Audian does not answer. It goes on by itself." in words(soup(response).select_one("#live"))
        assert words(response).count("Audian does not answer.") == 1, "what moves says it, and nothing that stays"

    def test_that_no_worker_is_there_is_said_so(self, admin, started):
        batch = started(2)
        Lease.objects.filter(name=vitals.SWEPT).delete()
        assert "No worker" not in words(look(admin, batch, "running")), "it may take a moment"
        Import.objects.update(started_at=timezone.now() - timedelta(minutes=1))
        assert "Tell the operator of the portal." in words(look(admin, batch, "running"))
        assert words(admin.get(page_of(batch))).count("No worker") == 1
        tasks.sweep()
        assert "No worker" not in words(look(admin, batch, "running"))

    def test_what_is_tried_again_later_moves_on_the_page_of_a_finished_one(self, admin, started):
        batch = started(2)
        ends(batch, failed=1)
        imports.settle(now=timezone.now())
        failed = Change.objects.get(state="failed")
        link = soup(admin.get(page_of(batch))).select_one("#rows .verdict a")["href"]
        press(admin, admin.get(link), "Try again")
        failed.refresh_from_db()
        assert failed.state == "queued"
        page = soup(admin.get(page_of(batch)))
        assert page.select("#live[hx-get]")
        assert not page.select("form[action$='/pause/']")

    def test_charges_are_asked_about_once_right_there(self, admin, started):
        batch = started(3)
        first = Change.objects.first()
        Change.objects.filter(pk=first.pk).update(state="held", quote=QUOTE)
        response = admin.get(page_of(batch))
        page = soup(response)
        assert "Audian asks to accept charges" in words(page.select_one("#live"))
        assert "and 2 more of the same list" in words(page.select_one(".offer"))
        assert "For all 3: at most 6.00, and 3.00 once." in words(page.select_one(".offer"))
        assert not page.select("#trouble a"), "and nowhere else on the page"
        response = press(admin, response, "Accept the charges")
        assert response.redirect_chain[-1][0] == page_of(batch)
        assert not Change.objects.filter(state="held").exists()

    def test_declined_charges_lead_back_to_the_import_too(self, admin, started):
        batch = started(3)
        Change.objects.filter(pk=Change.objects.first().pk).update(state="held", quote=QUOTE)
        response = press(admin, admin.get(page_of(batch)), "Decline")
        assert response.redirect_chain[-1][0] == page_of(batch)

    @pytest.mark.parametrize("back", ["", "x", "//evil.example", "٣"])
    def test_a_decision_leads_nowhere_else(self, admin, started, back):
        started(1)
        change = Change.objects.get()
        Change.objects.update(state="held", quote=QUOTE)
        assert admin.post(f"/acme/charges/{change.pk}/decline/", {"import": back})["Location"] == "/acme/charges/"


class TestTheLists:
    def test_all_of_it_is_listed_the_newest_first_with_what_came_of_it(self, admin, started, upload):
        first = started(3)
        ends(first, failed=1)
        second = upload("name,owner_email\nLobby,\nHall,x@y.z\n", "second.csv")
        rows = [words(row) for row in soup(admin.get(BULK)).select(".hits.latest li")]
        assert rows[0].startswith("second.csv 1 to do, 1 error")
        assert rows[0].endswith("Not started")
        assert "2 of 3 done" in rows[1]
        assert len(rows) == 2
        assert second.will == 1

    def test_more_than_a_page_of_them_come_a_page_at_a_time(self, admin, upload):
        for number in range(23):
            upload(f"name\nPhone {number}\n", f"{number}.csv")
        page = soup(admin.get(BULK))
        older = soup(admin.get(BULK + page.select_one("a[rel=next]")["href"]))
        names = [words(row.strong) for part in (page, older) for row in part.select(".hits.latest li")]
        assert names == [f"{number}.csv" for number in reversed(range(23))]

    def test_the_overview_never_forgets_what_was_started_and_names_no_check_that_can_not_be(self, admin, upload, started):
        going, paused = started(2), started(3)
        admin.post(f"{page_of(paused)}pause/")
        for number in range(11):
            upload(f"name\nDoor {number}\n", f"{number}.csv")
        upload("name,owner_email\nGate,nobody@x.example\n", "wrong.csv")
        upload("nonsense\nGate\n", "broken.csv")
        page = soup(admin.get("/acme/"))
        waits = [words(row) for row in page.select(".waits li") if ".csv" in words(row)]
        assert "Paused" in waits[0]
        assert [row.split()[0] for row in waits[1:]] == [f"{number}.csv" for number in range(10, 0, -1)]
        assert page.select_one(f".under a[href='{page_of(going)}']")

    def test_the_overview_says_what_waits_for_an_admin_and_what_goes_by_itself(self, admin, helpdesk, started, upload):
        batch = started(3)
        upload("name\nLobby\n", "waiting.csv")
        page = soup(admin.get("/acme/"))
        assert "waiting.csv 1 to do" in words(page.select_one(".waits"))
        assert "phones.csv : 0 of 3 done" in words(page.select_one(".under"))
        admin.post(f"{page_of(batch)}pause/")
        assert "phones.csv" in words(soup(admin.get("/acme/")).select_one(".waits"))
        assert "phones.csv" not in words(helpdesk.get("/acme/"))


@pytest.mark.parametrize(
    ("kind", "headline", "sentence"),
    [
        ("enable", "Switch on 2 softphones", "All of them are switched on already."),
        ("disable", "Switch off 2 softphones", "2 softphones will be switched off"),
        ("reset", "New passwords for 2 softphones", "2 softphones will get new passwords"),
        ("send_links", "Mail the set-up page to the people of 2 softphones", "2 mails will be sent"),
        ("delete", "Delete 2 softphones", "2 softphones will be deleted"),
    ],
)
def test_each_act_has_its_own_words(admin, act, kind, headline, sentence):
    page = soup(admin.get(page_of(act(kind, 2))))
    assert words(page.h1) == headline
    assert sentence in words(page.select_one(".start"))
