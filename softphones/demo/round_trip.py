"""Walks through the demo once, as a person with a browser and a phone would: `manage.py demo --check`."""

import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import escape

import requests

from softphones.demo.phones import connect, disconnect, phones_of
from softphones.demo.stage import Stage

ALICE = "alice@acme.example"
CARLA = "carla@acme.example"
PATIENCE = 30
NO_CONTENT = 204
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
ZOIPER = "Zoiper v5.6.9"


class Failed(Exception):
    """A step did not do what it should; the text says which."""


def walk(stage: Stage, *, say: Callable[[str], None]) -> None:
    """Sign in by mailed code, set up the phone, let Zoiper fetch its document, see the light. Then somebody who has none
    gets a softphone. Raises Failed.
    """
    browser = Browser(stage.url)
    say("Signing in as Alice with a mailed code")
    _sign_in(browser, ALICE)
    say("Opening the set-up page of her phone")
    page = browser.follow(r"/softphones/\d+/$")
    say("Drawing a QR code, and fetching with it as Zoiper does")
    _fetch_as_zoiper(stage, browser)
    say("Connecting the phone, and watching the light")
    _see_light(stage, browser, page)
    say("Getting Carla her first softphone")
    _get_softphone(stage)


def _sign_in(browser: "Browser", address: str) -> None:
    browser.send(r"/sign-in/", email=address)
    code = _until("The mail with the code", lambda: _mailed_code(browser, address))
    browser.send(r"/sign-in/code/", code=code)
    if urlsplit(browser.page.url).path != "/":
        raise Failed(f"The mailed code did not sign {address} in.")


def _mailed_code(browser: "Browser", address: str) -> str | None:
    found = re.search(rf"To {re.escape(address)}.*?>\s*(\d{{6}})\b", browser.get("/mail/").text, re.DOTALL)
    return found and found[1]


def _get_softphone(stage: Stage) -> None:
    browser = Browser(stage.url)
    _sign_in(browser, CARLA)
    page = browser.send(r"/softphones/new/")
    _until("The set-up page of the new softphone", lambda: "path" in Page(browser.get(page.url)).by_id)
    if len(phones_of(stage.place, CARLA)) != 1:
        raise Failed("Carla should have one softphone at the sandbox.")


def _fetch_as_zoiper(stage: Stage, browser: "Browser") -> None:
    """The picture comes from Zoiper's service, which learns the token by it: the sandbox tells us which one."""
    browser.open("?app=zoiper")
    browser.send(r"/softphones/\d+/code/")
    pictures = [
        call for call in requests.get(f"{stage.sandbox_url}/sandbox/calls", timeout=20).json() if call["path"] == "/qr.php"
    ]
    if not pictures:
        raise Failed("No QR code was drawn.")
    answer = requests.get(
        f"{stage.url}/zoiper", params={"id": pictures[-1]["query"]["t"]}, headers={"User-Agent": ZOIPER}, timeout=20
    )
    (phone,) = phones_of(stage.place, ALICE)
    sip = requests.get(f"{stage.sandbox_url}/sandbox/devices/{phone['id']}", timeout=20).json()["sip"]
    if not answer.ok or not all(escape(sip[name]) in answer.text for name in ("username", "password")):
        raise Failed("Zoiper did not get the phone's username and password.")


def _see_light(stage: Stage, browser: "Browser", page: "Page") -> None:
    disconnect(stage.place, ALICE)
    looking = page.by_id["light"]
    opened = page.by_id["opened"]
    connected = False

    def is_green() -> bool:
        nonlocal looking, connected
        answer = browser.get(looking["hx-get"], params={opened["name"]: opened["value"]}, headers={"HX-Request": "true"})
        if answer.status_code == NO_CONTENT:
            return False
        looking = Page(answer).by_id["light"]
        if not connected:
            connect(stage.place, ALICE)
            connected = True
        return "ok" in looking["class"].split()

    _until("The light", is_green)


class Page:
    """An answer from the portal: its address, its text, its forms and its links."""

    def __init__(self, response: requests.Response):
        self.url = response.url
        self.text = response.text
        self.forms: list[dict] = []
        self.links: list[str] = []
        self.by_id: dict[str, dict] = {}
        reader = _Reader(self)
        reader.feed(response.text)

    def form(self, action: str) -> dict:
        """The form whose address matches `action` (a pattern). Raises Failed."""
        for form in self.forms:
            if re.search(action, urljoin(self.url, form["action"])):
                return form
        raise Failed(f"The page {self.url} has no form for {action}.")


class _Reader(HTMLParser):
    def __init__(self, page: Page):
        super().__init__()
        self.page = page

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.page.by_id[given["id"]] = given
        if tag == "form":
            self.page.forms.append({"action": given.get("action") or "", "fields": {}})
        elif tag == "input" and given.get("name") and self.page.forms:
            self.page.forms[-1]["fields"][given["name"]] = given.get("value") or ""
        elif tag == "a" and given.get("href"):
            self.page.links.append(given["href"])


class Browser:
    """A session that keeps cookies and sends forms with what the page put into them."""

    def __init__(self, url: str):
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"User-Agent": BROWSER, "Accept": "text/html", "Referer": f"{url}/"})
        self.url = url
        self.page = Page(self.get("/"))

    def get(self, address: str, **more) -> requests.Response:
        """Fetch an address of the portal beside the current page. Raises Failed."""
        return self._fine(self.session.get(urljoin(self.url, address), timeout=20, **more))

    def open(self, address: str) -> Page:
        """Go to an address as a link on the current page would."""
        self.page = Page(self.get(urljoin(self.page.url, address)))
        return self.page

    def send(self, action: str, **fields: str) -> Page:
        """Send the current page's form for `action` with these fields filled in."""
        form = self.page.form(action)
        filled = form["fields"] | fields
        address = urljoin(self.page.url, form["action"])
        self.page = Page(self._fine(self.session.post(address, data=filled, headers={"Origin": self.url}, timeout=20)))
        return self.page

    def follow(self, pattern: str) -> Page:
        """Open the first link of the current page that matches."""
        for link in self.page.links:
            if re.search(pattern, link):
                return self.open(link)
        raise Failed(f"The page {self.page.url} has no link to {pattern}.")

    def _fine(self, response: requests.Response) -> requests.Response:
        if not response.ok:
            raise Failed(f"{urlsplit(response.url).path} answered {response.status_code}.")
        return response


def _until(what: str, found: Callable[[], object]):
    """What `found` returns, as soon as it is true. Raises Failed after half a minute."""
    end = time.monotonic() + PATIENCE
    while not (result := found()):
        if time.monotonic() > end:
            raise Failed(f"{what} did not happen within {PATIENCE} seconds.")
        time.sleep(0.5)
    return result
