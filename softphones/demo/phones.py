"""Plugs the demo's phones in and out, as if somebody had set one up: through the sandbox's own switches."""

import requests

from softphones.demo.place import CannotStart, Place

SECONDS = 5
HOUR = 3600


def connect(place: Place, whose: str) -> str:
    """Register the phones of `whose` ("alice", or an address) at the sandbox. Returns a sentence; raises CannotStart."""
    phones = phones_of(place, whose)
    for device in phones:
        body = {"device_id": device["id"], "user_agent": "Zoiper v5.6 (demo)", "expires": HOUR}
        _switch(place, "register", body)
    return f"{_count(phones)} of {whose} connected. Pages that are open turn green by themselves."


def disconnect(place: Place, whose: str) -> str:
    """Take the registrations of `whose` phones away. Returns a sentence; raises CannotStart."""
    phones = phones_of(place, whose)
    for device in phones:
        _switch(place, "unregister", {"device_id": device["id"]})
    return f"{_count(phones)} of {whose} disconnected."


def _count(phones: list[dict]) -> str:
    return "The phone" if len(phones) == 1 else f"The {len(phones)} phones"


def phones_of(place: Place, whose: str) -> list[dict]:
    """The softphones of `whose`, as the API lists them. Raises CannotStart if there are none."""
    users = [user for user in _list(place, "users") if _is(user, whose)]
    if not users:
        raise CannotStart(f"The demo knows nobody called {whose}. Try alice, bob or helen.")
    owners = {user["id"] for user in users}
    phones = [
        device
        for device in _list(place, "devices")
        if device.get("owner_id") in owners and device["device_type"] == "softphone"
    ]
    if not phones:
        raise CannotStart(f"{whose} has no softphone.")
    return phones


def _is(user: dict, whose: str) -> bool:
    address = (user.get("email") or "").casefold()
    return whose.casefold() in {address, address.partition("@")[0]}


def _list(place: Place, kind: str) -> list[dict]:
    """All users or devices, through the API that the portal itself uses."""
    root = _sandbox(place)
    about = requests.get(f"{root}/sandbox", timeout=SECONDS).json()
    answer = requests.get(
        f"{root}/v2/accounts/{about['account_id']}/{kind}",
        params={"paginate": "false"},
        headers={"X-Auth-Token": about["static_token"]},
        timeout=SECONDS,
    )
    answer.raise_for_status()
    return answer.json()["data"]


def _switch(place: Place, name: str, body: dict) -> None:
    requests.post(f"{_sandbox(place)}/sandbox/{name}", json=body, timeout=SECONDS).raise_for_status()


def _sandbox(place: Place) -> str:
    try:
        return place.running()["sandbox"]
    except KeyError:
        raise CannotStart("The demo is not running here. Start it with: make demo") from None
