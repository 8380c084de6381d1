"""Helpdesk: whom a search finds, what their phones are doing, and what may be done about it without seeing a password.

Nothing here shows or takes a password or an address: a mail goes to the address that we hold, a new secret to Audian alone.
"""

from softphones.helpdesk.acting import Refused, confirm_person, reset, revoke_links, send_link, switch, try_again
from softphones.helpdesk.facts import Cut, Desk, Step, cut_of, desk_of
from softphones.helpdesk.finding import SHOWN_FIRST, Listed, everybody, matching
from softphones.helpdesk.leaving import (
    Closed,
    Leaver,
    NotLeft,
    close,
    leavers,
    leaving,
    one_dangling,
    one_leaving,
    people_leaving,
    roles_of,
)

__all__ = [
    "SHOWN_FIRST",
    "Closed",
    "Cut",
    "Desk",
    "Leaver",
    "Listed",
    "NotLeft",
    "Refused",
    "Step",
    "close",
    "confirm_person",
    "cut_of",
    "desk_of",
    "everybody",
    "leavers",
    "leaving",
    "matching",
    "one_dangling",
    "one_leaving",
    "people_leaving",
    "reset",
    "revoke_links",
    "roles_of",
    "send_link",
    "switch",
    "try_again",
]
