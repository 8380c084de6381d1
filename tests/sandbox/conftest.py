"""A served sandbox, and a plain `requests` session that talks to it."""

import time
from contextlib import contextmanager

import pytest
import requests

from softphones.audian.sandbox import Sandbox, serve


class Caller:
    """Talks to one served sandbox with its static token; paths are below the account."""

    def __init__(self, sandbox, url):
        self.sandbox = sandbox
        self.url = url
        self.root = url.removesuffix("/v2")
        self.account_url = f"{url}/accounts/{sandbox.account_id}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["X-Auth-Token"] = sandbox.static_token

    def call(self, method, path, data=None, *, headers=None, timeout=30, **envelope):
        """A request below the account; keywords beside `data` go into the body's root."""
        body = None if data is None and not envelope else {"data": data, **envelope}
        return self.session.request(method, self.account_url + path, json=body, headers=headers, timeout=timeout)

    def get(self, path, headers=None, **query):
        return self.session.get(self.account_url + path, params=query, headers=headers, timeout=30)

    def put(self, path, data, **envelope):
        return self.call("PUT", path, data, **envelope)

    def post(self, path, data, **more):
        return self.call("POST", path, data, **more)

    def patch(self, path, data, **more):
        return self.call("PATCH", path, data, **more)

    def delete(self, path, **more):
        return self.call("DELETE", path, **more)

    def log_in(self, key=None):
        """PUT /api_auth without any token."""
        body = {"data": {"api_key": self.sandbox.api_key if key is None else key}}
        return requests.put(f"{self.url}/api_auth", json=body, timeout=30)

    def softphone(self, username="alice", **more):
        """A valid softphone to create."""
        sip = {"username": username, "password": "secret-12"}
        return {"name": "Alice Smith - softphone", "device_type": "softphone", "sip": sip, **more}

    def created(self, username="alice", **more):
        """Create a softphone; answers its id."""
        answer = self.put("/devices", self.softphone(username, **more))
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]["id"]


@contextmanager
def calling(**options):
    """A caller of a freshly served sandbox."""
    sandbox = Sandbox(**options)
    with serve(sandbox) as url:
        caller = Caller(sandbox, url)
        try:
            yield caller
        finally:
            caller.session.close()
    sandbox.close()


def wait_until(condition, seconds=30):
    """Look again and again until `condition()` holds."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def api():
    """An empty account, answered as Kazoo does."""
    with calling(rate_limit=False) as caller:
        yield caller


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """The clock of the token buckets of `limited`."""
    return Clock()


@pytest.fixture
def limited(clock):
    """An empty account with the documented token buckets, which fill by `clock`."""
    with calling(clock=clock) as caller:
        yield caller


@pytest.fixture
def page():
    """An empty account, answered as the vendor's page shows."""
    with calling(rate_limit=False, dialect="page") as caller:
        yield caller


@pytest.fixture(scope="module")
def town():
    """An account with 120 seeded softphones that no test changes."""
    with calling(rate_limit=False, devices=120) as caller:
        yield caller
