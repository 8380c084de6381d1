"""What a phone did last and the likely cause, from facts alone."""

from datetime import UTC, datetime, timedelta

import pytest

from softphones.troubleshooting import Connection, Facts, app_name, explain, host

NOW = datetime(2026, 10, 13, 11, 0, tzinfo=UTC)
ZOIPER = Connection(NOW - timedelta(days=41), "203.0.113.50:4242", "Zoiper v5.6.4")
LOST = {"state": "not_connected", "lost": ZOIPER, "lost_at": NOW, "lost_after": NOW - timedelta(seconds=5)}


def ago(**time) -> datetime:
    return NOW - timedelta(**time)


def told(**facts) -> str:
    found = explain(Facts(**facts), lambda at: f"{at:%d %b %H:%M}")
    return " ".join(f"{found.did} {found.cause}".split())


CASES = {
    "connected": (
        {"state": "connected", "now": ZOIPER},
        "Connected since 02 Sep 11:00 from 203.0.113.50 (Zoiper v5.6.4).",
    ),
    "connected, of somebody who left": (
        {"state": "connected", "now": Connection(), "person": "gone"},
        "It is connected; Audian has not told yet since when and with which app. Its person is gone from Audian, and the phone "
        "still works: close their phones.",
    ),
    "connected, with a username that another one has": (
        {"state": "connected", "now": Connection(agent="Bria"), "doubled": True},
        "Connected with Bria. Another softphone has the same SIP username: calls may ring on the wrong one. "
        "An administrator has to part them.",
    ),
    "connected since before the new password": (
        {"state": "connected", "now": Connection(ago(hours=2)), "password_set_at": ago(hours=1)},
        "Connected since 13 Oct 09:00. This connection is older than the new password (13 Oct 10:00); it ends when the app "
        "renews it.",
    ),
    "lost without a reason of ours": (
        LOST,
        "Connected for 1 month, 1 week from 203.0.113.50 (Zoiper v5.6.4), then stopped 13 Oct 11:00. The password was not "
        "changed. Most likely the app was closed, or the device lost its network.",
    ),
    "lost while nobody looked": (
        LOST | {"lost_after": ago(hours=3), "lost": Connection()},
        "Was connected, then stopped between 13 Oct 08:00 and 13 Oct 11:00. The password was not changed. Most likely the app "
        "was closed, or the device lost its network.",
    ),
    "lost after a new password": (
        LOST | {"password_set_at": ago(minutes=5), "opened_at": ago(days=41)},
        "Connected for 1 month, 1 week from 203.0.113.50 (Zoiper v5.6.4), then stopped 13 Oct 11:00. The password was changed "
        "13 Oct 10:55. Most likely the app still has the old one: send the set-up link.",
    ),
    "set up again after it was lost, to no avail": (
        LOST | {"lost_at": ago(hours=1), "lost": Connection(), "lost_after": ago(hours=1), "opened_at": ago(minutes=10)},
        "Was connected, then stopped 13 Oct 10:00. Its set-up was opened 13 Oct 10:50, but nothing connected since. Most "
        "likely the set-up was not finished, or the network blocks it.",
    ),
    "never connected, mailed": (
        {"state": "not_connected", "mailed_at": ago(days=1)},
        "It has not connected since we began to look. The set-up link was mailed 12 Oct 11:00 and not opened. Most likely it "
        "was not seen yet.",
    ),
    "never connected, never mailed": (
        {"state": "not_connected"},
        "It is not connected, and we have never seen it connected. Most likely it was not set up yet: send the set-up link.",
    ),
    "not connected, and a change failed": (
        {"state": "not_connected", "failed": "update"},
        "It is not connected, and we have never seen it connected. The last change did not come about.",
    ),
    "unknown, never seen": (
        {},
        "We have not seen yet whether it is connected. Audian does not tell us right now. We keep looking.",
    ),
    "unknown, seen connected": (
        {"now": Connection(address="203.0.113.50:4242"), "seen_at": ago(minutes=9)},
        "It was connected when we last looked, 13 Oct 10:51. Audian does not tell us right now. We keep looking.",
    ),
    "a new password on its way": (
        {"state": "connected", "now": Connection(ago(hours=2)), "waiting": "reset_password"},
        "Connected since 13 Oct 09:00. A new password is on its way to Audian. The old one is not shown any more; the app "
        "needs the new one.",
    ),
    "switched off": ({"enabled": False}, "It is switched off, so it can’t connect until somebody switches it on."),
    "without a username": (
        {"has_username": False},
        "It has no SIP username at Audian, so no app can connect with it. An administrator has to finish it at Audian.",
    ),
    "being made": ({"waiting": "create", "has_username": False}, "It is being made at Audian, so no app can connect yet."),
    "not made, since it costs something": (
        {"waiting": "create", "stands": "held"},
        "It is not made at Audian yet, so no app can connect. It waits for an administrator, who has to accept or decline "
        "what Audian charges.",
    ),
    "not made, since nothing can be changed at Audian": (
        {"waiting": "create", "stands": "stuck"},
        "It is not made at Audian yet, so no app can connect. Nothing can be changed at Audian right now; it goes on by itself "
        "as soon as that is over.",
    ),
    "not made, since somebody paused the import": (
        {"waiting": "create", "stands": "paused"},
        "It is not made at Audian yet, so no app can connect. It is part of bulk work that was paused.",
    ),
    "could not be made": (
        {"made": False, "failed": "create", "state": "unknown"},
        "It was not made at Audian, so no app can connect with it. An administrator can try again.",
    ),
    "could not be made, and somebody wants a new password for it": (
        {"made": False, "failed": "reset_password", "waiting": "reset_password"},
        "It was not made at Audian, so no app can connect with it. An administrator can try again.",
    ),
    "a new password that waits for a decision": (
        {"state": "not_connected", "waiting": "reset_password", "stands": "held"},
        "It is not connected, and we have never seen it connected. A new password was asked for, and Audian does not have it "
        "yet; meanwhile nobody is shown the old one. It waits for an administrator, who has to accept or decline what Audian "
        "charges.",
    ),
    "a new password that waits for Audian": (
        {"state": "connected", "now": Connection(ago(hours=2)), "waiting": "reset_password", "stands": "stuck"},
        "Connected since 13 Oct 09:00. A new password was asked for, and Audian does not have it yet; meanwhile nobody is "
        "shown the old one. Nothing can be changed at Audian right now; it goes on by itself as soon as that is over.",
    ),
    "being switched on": (
        {"enabled": False, "waiting": "switch_on"},
        "It is still switched off, so it can’t connect yet. It is being switched on at Audian.",
    ),
    "to be switched on, which waits": (
        {"enabled": False, "waiting": "switch_on", "stands": "held"},
        "It is still switched off, so it can’t connect yet. It waits for an administrator, who has to accept or decline what "
        "Audian charges.",
    ),
    "could not be switched on": (
        {"enabled": False, "failed": "switch_on"},
        "It is switched off, so it can’t connect. Switching it on did not come about.",
    ),
    "to be deleted, which waits": (
        {"waiting": "delete", "stands": "stuck"},
        "It is to be deleted at Audian. Nothing can be changed at Audian right now; it goes on by itself as soon as that is "
        "over.",
    ),
    "being deleted": ({"waiting": "delete", "state": "connected"}, "It is being deleted at Audian."),
}


@pytest.mark.parametrize("case", CASES)
def test_one_sentence_says_what_it_did_and_why(case):
    facts, sentence = CASES[case]
    assert told(**facts) == sentence


def test_what_an_app_calls_itself_is_never_taken_for_html():
    agent = "<script>alert(1)</script>"
    assert "<script" not in told(state="connected", now=Connection(agent=agent, address="<b>:1"))


def test_apps_and_addresses_are_named_as_people_know_them():
    assert app_name("LinphoneiOS/5.2.4 (iPhone 15) LinphoneSDK/5.3") == "LinphoneiOS 5.2.4"
    assert [host(each) for each in ("203.0.113.50:4242", "[2001:db8::1]:5060", "", "10.0.0.1")] == [
        "203.0.113.50",
        "2001:db8::1",
        "",
        "10.0.0.1",
    ]
