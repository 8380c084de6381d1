"""What is printed for the people of an import: one page each, which holds where to sign in and no secret."""

import pytest
from django.utils import timezone

from softphones import changes, imports
from softphones.models import Account, Import, Owner, SetupLink, Softphone
from tests.factories import make_account, make_owner, make_softphone
from tests.pages.conftest import soup, words

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(sandbox_account):
    return sandbox_account


@pytest.fixture
def made(account, admin):
    """An import of this file that has come to its end."""

    def make(file: str) -> Import:
        asked = {"by": admin.user, "now": timezone.now()}
        batch = imports.check(file=file.encode(), name="phones.csv", account=account, **asked)
        batch = imports.start(batch=batch, **asked)
        imports.go_on(batch=batch, now=timezone.now())
        changes.drain(account=account, seconds=10)
        imports.settle(now=timezone.now())
        return batch

    return make


@pytest.fixture
def ann(account):
    return make_owner(account, "ann@acme.example", name="Ann Able", number="1017")


@pytest.fixture
def ben(account):
    return make_owner(account, "ben@acme.example", name="Ben Baker", number="1018")


def handouts(client, batch):
    return client.get(f"/acme/imports/{batch.pk}/handouts/")


def sheets(response) -> list:
    return soup(response).select("article.sheet")


def test_each_person_gets_a_page_of_their_own(admin, made, ann, ben, settings):
    batch = made("name,owner_email\nB,ben@acme.example\nA,ann@acme.example\n")
    first, second = sheets(handouts(admin, batch))
    assert (words(first.h2), words(second.h2)) == ("Ann Able", "Ben Baker")
    assert "extension 1017" in words(first)
    assert "ann@acme.example" in words(first)
    assert words(first.select_one(".address")) == f"{settings.PUBLIC_URL}/softphones/{Softphone.objects.get(name='A').pk}/"
    assert "helpdesk@acme.example" in words(first)
    assert first.find("svg", role="img")["aria-label"].endswith(words(first.select_one(".address")))
    assert "ben@acme.example" not in words(first)


def test_no_page_holds_a_password_a_token_or_an_id_of_audian(admin, made, ann, account):
    batch = made("name,owner_email,sip_password\nA,ann@acme.example,canary-Sings-77\n")
    phone = Softphone.objects.get(name="A")
    assert phone.password == "canary-Sings-77"
    text = handouts(admin, batch).text
    for secret in (phone.password, phone.sip_username, phone.audian_id, account.api_key, "/s/"):
        assert secret not in text
    assert not SetupLink.objects.exists()


def test_the_address_on_paper_asks_for_sign_in(admin, made, ann, client, settings):
    [sheet] = sheets(handouts(admin, made("name,owner_email\nA,ann@acme.example\n")))
    response = client.get(words(sheet.select_one(".address")).removeprefix(settings.PUBLIC_URL))
    assert response["Location"].startswith("/sign-in/")


@pytest.mark.parametrize(
    ("app", "provider", "says", "keeps_quiet"),
    [
        ("", "", "Install Zoiper", "Install Linphone"),
        ("", "", "From your page: Username @ PBX/VoIP provider, Password", "not the one on this sheet"),
        ("", "a" * 32, "That is the code on your page, not the one on this sheet.", "From your page"),
        ("linphone", "", "point it at the code. That is the code on your page", "From your page"),
        ("zoiper-desktop", "", "Type the address above into a browser on the computer", "scan"),
        ("bria", "", "Scan the code above with your phone’s camera", "not the one on this sheet"),
        ("no-such-app", "", "Install Zoiper", "Install Bria"),
    ],
)
def test_the_steps_are_those_of_the_recommended_app(admin, account, made, ann, app, provider, says, keeps_quiet):
    batch = made("name,owner_email\nA,ann@acme.example\n")
    Account.objects.update(recommended_app=app, zoiper_provider_id=provider)
    [sheet] = sheets(handouts(admin, batch))
    assert says in words(sheet).replace(" ,", ",").replace(" .", ".")
    assert keeps_quiet not in words(sheet)


def test_a_hidden_app_is_not_on_paper(admin, made, ann):
    batch = made("name,owner_email\nA,ann@acme.example\n")
    Account.objects.update(recommended_app="zoiper", hidden_apps=["zoiper", "zoiper-desktop"])
    assert "Zoiper" not in words(sheets(handouts(admin, batch))[0])


def test_several_softphones_of_one_person_are_on_one_page(admin, made, ann, settings):
    [sheet] = sheets(handouts(admin, made("name,owner_email\nLaptop,ann@acme.example\nMobile,ann@acme.example\n")))
    assert "Your softphones: Laptop , Mobile" in words(sheet)
    assert words(sheet.select_one(".address")) == f"{settings.PUBLIC_URL}/"
    assert "choose the softphone" in words(sheet)


def test_who_can_not_sign_in_gets_no_page_and_is_named_with_the_reason(admin, account, made, ann):
    make_owner(account, "", name="Without Address", audian_id="f" * 32)
    batch = made(f"name,owner_id,owner_email\nA,,ann@acme.example\nB,{'f' * 32},\nC,,\n")
    page = handouts(admin, batch)
    assert len(sheets(page)) == 1
    told = words(soup(page).select_one(".left-out"))
    assert "1 person gets no page yet" in told
    assert "Audian has no e-mail address for Without Address." in told
    assert "1 softphone belongs to nobody" in words(page)


def test_what_was_switched_off_deleted_or_given_away_meanwhile_is_told_from_what_is_there(admin, made, ann, ben):
    batch = made("name,owner_email\nA,ann@acme.example\nB,ben@acme.example\n")
    Softphone.objects.filter(name="A").update(enabled=False)
    Softphone.objects.filter(name="B").update(gone_at=timezone.now())
    page = handouts(admin, batch)
    assert not sheets(page)
    assert "switched off" in words(soup(page).select_one(".left-out"))
    Softphone.objects.filter(name="A").update(enabled=True, owner=ben)
    assert [words(sheet.h2) for sheet in sheets(handouts(admin, batch))] == ["Ben Baker"]


def test_only_what_this_import_has_made_is_on_paper(admin, account, made, ann, ben):
    make_softphone(account, ben, name="There before")
    batch = made("name,owner_email\nThere before,ben@acme.example\nA,ann@acme.example\n")
    assert [words(sheet.h2) for sheet in sheets(handouts(admin, batch))] == ["Ann Able"]


def test_one_print_is_a_hundred_people_and_the_next_follows(admin, account, made, monkeypatch):
    monkeypatch.setattr("softphones.imports.paper.IN_ONE_PRINT", 2)
    for name in ("Ann", "Ben", "Cem"):
        make_owner(account, f"{name.lower()}@acme.example", name=name)
    batch = made("name,owner_email\n" + "".join(f"{name},{name}@acme.example\n" for name in ("Cem", "Ben", "Ann")))
    first = handouts(admin, batch)
    assert [words(sheet.h2) for sheet in sheets(first)] == ["Ann", "Ben"]
    assert "They are for 3 people" in words(first)
    then = admin.get(f"/acme/imports/{batch.pk}/handouts/{soup(first).select_one('a[rel=next]')['href']}")
    assert [words(sheet.h2) for sheet in sheets(then)] == ["Cem"]
    assert soup(then).select_one("a[rel=prev]")


def test_a_print_for_many_costs_as_many_queries_as_one_for_few(admin, account, made, django_assert_num_queries):
    people = [make_owner(account, f"p{number}@acme.example", name=f"P{number}") for number in range(20)]
    few = made("name,owner_email\nA,p0@acme.example\n")
    many = made("name,owner_email\n" + "".join(f"B,{person.email}\n" for person in people))
    for batch, number in ((few, 1), (many, 20)):
        with django_assert_num_queries(16):
            assert len(sheets(handouts(admin, batch))) == number


def test_before_anything_is_made_the_page_says_so(admin, account, ann):
    batch = imports.from_people(account=account, owners=Owner.objects.all(), by=admin.user, now=timezone.now())
    assert "No hand-outs yet" in words(handouts(admin, batch))


def test_hand_outs_are_for_what_was_made_and_for_admins_of_the_account(admin, helpdesk, account, ann):
    asked = {"by": admin.user, "now": timezone.now()}
    batch = imports.from_people(account=account, owners=[ann], **asked)
    assert handouts(helpdesk, batch).status_code == 404
    reset = imports.act_on(account=account, softphones=[make_softphone(account, ann)], kind="reset", **asked)
    assert handouts(admin, reset).status_code == 404
    other = make_account(slug="other")
    theirs = imports.from_people(account=other, owners=[make_owner(other)], **asked)
    assert handouts(admin, theirs).status_code == 404
