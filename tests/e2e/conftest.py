"""A real browser in front of a real server, with the sandbox behind it.

Every page that a test opens is watched: an error in its console or a violated Content-Security-Policy fails the test.
"""

import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core import mail as outbox
from django.utils import timezone
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from softphones import mail, mirror
from softphones.audian.sandbox import Sandbox, serve
from softphones.models import Softphone
from tests.factories import make_account, worker_sweeps

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that is not localhost is not a secure context over http: there the clipboard's own interface is missing.
    "--host-resolver-rules=MAP portal.localdomain 127.0.0.1",
]
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1"
# `preload` would parse our stylesheets anew by inline styles, which the Content-Security-Policy rightly blocks.
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
    "preload": False,
}
DEVICES = {
    "computer": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "user_agent": IPHONE, "has_touch": True, "device_scale_factor": 2},
}

# A page that was not found is for the tests that look for it; the other header counts on HTTPS alone.
EXPECTED = ("404 (Not Found)", "Cross-Origin-Opener-Policy header has been ignored")

PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path:
        pytest.skip("there is no Chromium on this machine")
    # Playwright runs an event loop in this thread, which Django otherwise takes for asynchronous code of ours.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def sandbox():
    """Audian with its seeded people; `sandbox.url` is its address."""
    sandbox = Sandbox(devices=8)
    with serve(sandbox) as url:
        sandbox.url = url
        yield sandbox


@pytest.fixture
def portal(live_server, sandbox, settings):
    """A portal that has just read its account from Audian. Returns the account."""
    worker_sweeps()
    settings.PUBLIC_URL = live_server.url
    settings.ZOIPER_QR_URL = sandbox.url.removesuffix("/v2") + "/qr.php"
    settings.LIGHT_ONE_EVERY = 0.5
    settings.LIGHT_DEADLINE = 30
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "portal.localdomain"]
    account = make_account(
        slug="acme",
        api_url=sandbox.url,
        audian_id=sandbox.account_id,
        api_key=sandbox.api_key,
        zoiper_provider_id=sandbox.zoiper_provider_id,
        time_zone="America/Los_Angeles",
    )
    run = mirror.run(account, timezone.now())
    assert run.state == "complete", run.message
    return account


class Visitor:
    """Somebody at a browser of their own. What goes wrong in its console is kept in `faults`."""

    def __init__(self, browser: Browser, url: str, device: str, scheme: str, **options):
        given = {"locale": "en-GB", "timezone_id": "Europe/Berlin", "color_scheme": scheme, "base_url": url}
        self.context = browser.new_context(**DEVICES[device] | given | options)
        self.context.set_default_timeout(PATIENCE)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.url, self.faults = url, []
        self.page = self.new_page()

    def new_page(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._heard)
        return page

    def _heard(self, message) -> None:
        if message.type in {"error", "warning"} and not any(each in message.text for each in EXPECTED):
            self.faults.append(message.text)

    def forgets_faults(self, *expected: str) -> None:
        """These words in the console belong to what the test broke."""
        self.faults = [each for each in self.faults if not any(words in each for words in expected)]

    def signs_in(self, address: str) -> None:
        """From the front page by mailed code, up to "My softphones"."""
        self.page.goto("/")
        self.page.get_by_label("Work e-mail address").fill(address)
        self.page.get_by_role("button", name="Mail me a code").click()
        self.page.get_by_label("Code from the mail").fill(newest_code(address))
        self.page.get_by_role("button", name="Sign in").click()

    def sets_up(self, app: str = "") -> None:
        """Open the set-up page of their first phone, for `app` where one is named."""
        self.page.get_by_role("link", name="Set up").first.click()
        if app:
            self.page.locator(f".choices a[href='?app={app}']").first.click()
            expect(self.page.locator(f".choices a[href='?app={app}']").first).to_have_attribute("aria-current", "true")

    @property
    def clipboard(self) -> str:
        return self.page.evaluate("navigator.clipboard.readText()")

    def is_accessible(self) -> None:
        """No finding of axe on the page as it is, WCAG 2.2 AA and its good practice."""
        self.page.wait_for_load_state()  # a click returns once the next page has begun, before it has an element
        found = Axe().run(self.page, options=AXE).response["violations"]
        told = [f"{each['id']}: {node['html'][:200]} {node['failureSummary']}" for each in found for node in each["nodes"]]
        assert not told, "\n".join(told)

    def fits(self) -> None:
        """Nothing has to be scrolled sideways but what scrolls in itself."""
        assert self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.fixture
def visitor(chromium, live_server):
    """Make visitors: `visitor("phone", scheme="dark")`."""
    visitors = []

    def make(device: str = "computer", scheme: str = "light", url: str = "", **options) -> Visitor:
        visitors.append(Visitor(chromium, url or live_server.url, device, scheme, **options))
        return visitors[-1]

    yield make
    for each in visitors:
        each.context.close()
    assert [fault for each in visitors for fault in each.faults] == []


def newest_code(address: str) -> str:
    """The newest six digits that were mailed to this address, once the worker has sent what is due."""
    mail.send_due(timezone.now())
    codes = [re.search(r"\b\d{6}\b", each.body) for each in outbox.outbox if each.to == [address]]
    return [code for code in codes if code][-1].group()


@pytest.fixture
def alices_phone(portal) -> Softphone:
    return Softphone.objects.get(owner__email="alice@acme.example")


def until(page: Page, condition: Callable[[], bool]) -> None:
    """Look again and again until the condition holds; the browser goes on meanwhile."""
    ends = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < ends, "it never happened"
        page.wait_for_timeout(20)


class Looks:
    """The looks of a page's live part. Once `stand_still` was called, time goes on by `pass_by` alone."""

    def __init__(self, page: Page, path: str = "/light/"):
        self._page, self._path = page, path
        self._asked, self._under_way = [], set()
        page.clock.install()
        page.on("request", self._begun)
        page.on("requestfinished", self._over)
        page.on("requestfailed", self._over)

    def _begun(self, request: Request) -> None:
        if self._path in request.url:
            self._asked.append(request)
            self._under_way.add(request)

    def _over(self, request: Request) -> None:
        self._under_way.discard(request)

    def stand_still(self) -> None:
        self._page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))
        self.count()
        self.pass_by(seconds=1)  # htmx settles what the last look brought
        self.count()
        self._asked.clear()

    def pass_by(self, seconds: int) -> None:
        self._page.clock.run_for(seconds * 1000)

    def count(self) -> int:
        """How many looks began since time stands still. The page has heard the end of each by now.

        A browser makes and answers a page's requests in their order, so none is missed that came before ours.
        """
        self._come_and_go()
        until(self._page, lambda: not self._under_way)
        self._come_and_go()
        return len(self._asked)

    def _come_and_go(self) -> None:
        self._page.evaluate("async () => (await fetch('/healthz')).text()")


@contextmanager
def becoming_hidden(page: Page):
    """The page as when another tab or app is in front of it."""
    page.evaluate("""() => {
        Object.defineProperty(document, "hidden", {configurable: true, get: () => true});
        document.dispatchEvent(new Event("visibilitychange"));
    }""")
    yield
    page.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
