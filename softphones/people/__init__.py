"""People: who may have a code, what it opens, which owner is whose, and how fresh the proof is."""

from softphones.people.behind import who_left
from softphones.people.codes import Verdict, ask, enter, forget_lapsed
from softphones.people.identity import (
    Entrance,
    arrive,
    comes_in_again,
    fold,
    inside,
    let_in,
    lets_in,
    make_user,
    own_address,
    own_addresses,
    user_with,
    way_in,
)
from softphones.people.links import check_links, link_owners
from softphones.people.proof import mark_proof, proof_is_fresh
from softphones.people.sessions import end_sessions

__all__ = [
    "Entrance",
    "Verdict",
    "arrive",
    "ask",
    "check_links",
    "comes_in_again",
    "end_sessions",
    "enter",
    "fold",
    "forget_lapsed",
    "inside",
    "let_in",
    "lets_in",
    "link_owners",
    "make_user",
    "mark_proof",
    "own_address",
    "own_addresses",
    "proof_is_fresh",
    "user_with",
    "way_in",
    "who_left",
]
