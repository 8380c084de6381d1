"""Mails. A Message row is one mail to send; a worker is woken to send it, and the sweep repeats what did not work.

A row holds no text and no token: what a mail says is made when it is sent. It goes only to an address that we hold from
Audian or that a person has proven, never to one that somebody typed. Codes go out at once, all other kinds share
EMAIL_PER_MINUTE. Nothing in a mail tells us that it was read.
"""

from softphones.mail.addresses import NoAddress, address_of, addresses_of
from softphones.mail.asking import ask, came_to_set_up, tell_admins, troubled, try_again
from softphones.mail.keeping import forget
from softphones.mail.pace import per_minute
from softphones.mail.sending import Sent, send_due, send_for
from softphones.models.addresses import masked

__all__ = [
    "NoAddress",
    "Sent",
    "address_of",
    "addresses_of",
    "ask",
    "came_to_set_up",
    "forget",
    "masked",
    "per_minute",
    "send_due",
    "send_for",
    "tell_admins",
    "troubled",
    "try_again",
]
