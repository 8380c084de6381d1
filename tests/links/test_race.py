"""Many at the same moment, over a real server: exactly one gets the credentials."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import requests

from softphones.models import AuditEvent
from tests.links.conftest import HTML, LINPHONE, PASSWORD

CLIENTS = 16

pytestmark = pytest.mark.django_db(transaction=True)


def all_at_once(visit) -> list[requests.Response]:
    """What 16 clients get, each with cookies and an agent of its own, who come to the door together."""
    together = Barrier(CLIENTS)

    def come(number: int) -> requests.Response:
        with requests.Session() as session:
            return visit(session, together, LINPHONE | {"User-Agent": f"Linphone/{number}"})

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(come, range(CLIENTS)))


def test_sixteen_presses_open_it_for_one_browser(live_server, address):
    url = f"{live_server.url}{address}"

    def press(session, together, _):
        session.get(url, headers=HTML)
        form = {"csrfmiddlewaretoken": session.cookies["csrf"]}
        together.wait(30)
        return session.post(url, form, headers=HTML | {"Referer": url, "Origin": live_server.url})

    answers = all_at_once(press)
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * (CLIENTS - 1)
    assert [PASSWORD in answer.text for answer in answers].count(True) == 1
    assert AuditEvent.objects.filter(act="link:opened").count() == 1


@pytest.mark.parametrize("kind", ["/s/", "/zoiper?id="])
def test_sixteen_fetches_serve_one_softphone(live_server, drawn, kind):
    url = f"{live_server.url}{kind}{drawn.token}"

    def fetch(session, together, linphone):
        together.wait(30)
        return session.get(url, headers=linphone)

    answers = all_at_once(fetch)
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * (CLIENTS - 1)
    assert [PASSWORD in answer.text for answer in answers].count(True) == 1


def test_a_browser_and_softphones_together_get_it_once(live_server, address):
    url = f"{live_server.url}{address}"

    def come(session, together, linphone):
        session.get(url, headers=HTML)
        form = {"csrfmiddlewaretoken": session.cookies["csrf"]}
        together.wait(30)
        if int(linphone["User-Agent"].rpartition("/")[2]) % 2:
            return session.post(url, form, headers=HTML | {"Referer": url, "Origin": live_server.url})
        return session.get(url, headers=linphone)

    answers = all_at_once(come)
    assert [PASSWORD in answer.text for answer in answers].count(True) == 1
