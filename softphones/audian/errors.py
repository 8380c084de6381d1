"""What can go wrong between the portal and Audian: one exception for each thing a caller must treat differently.

`str(error)` is a sentence for a person: what happened and what to do. No error shows a secret, and none keeps the
exception of the HTTP library it came from, whose text may hold one.

Two families decide what happens next:

* `RowError`: an answer about the one thing that was asked. It counts as an attempt of that row.
* `AccountTrouble`: nothing is wrong with the row. The account's queue pauses and no attempt is counted.

`ChargesToAccept` and `BadAddress` stand beside them: the first waits for a person, the second stops the start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .documents import DeviceDocument


class AudianError(Exception):
    """Base of all errors of this package.

    `status` is the HTTP status, None if no answer came. `request_id` finds the call in Audian's log. `retry_after` is
    in seconds, if Audian named a time. `doubtful` is True if a write may have been carried out although no good answer
    came: look before doing it again.
    """

    sentence = "Audian could not do this. Try again; if it stays so, tell Audian's support."

    def __init__(
        self,
        sentence: str = "",
        *,
        status: int | None = None,
        request_id: str = "",
        retry_after: float | None = None,
        doubtful: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence or type(self).sentence
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.doubtful = doubtful

    def __str__(self) -> str:
        return self.sentence


class BadAddress(AudianError, ValueError):
    """The configured API address cannot be used: not https, or with a name and password in it."""

    sentence = "The address of the Audian API must start with https://."


class RowError(AudianError):
    """Audian's answer about the one thing that was asked: 400, 404, 409, 412, 500."""


class Invalid(RowError):
    """400: Audian refused values.

    `field_errors` maps the path of a field as Kazoo names it ("sip.username", "" for the whole) to its messages. The
    messages never hold a rejected secret. `rules` maps the same paths to the names of the broken rules ("unique").
    """

    sentence = "Audian refused these values."

    def __init__(
        self,
        field_errors: Mapping[str, Sequence[str]] | None = None,
        sentence: str = "",
        *,
        rules: Mapping[str, Sequence[str]] | None = None,
        **circumstances: Any,
    ) -> None:
        super().__init__(sentence, **circumstances)
        self.args = (field_errors,)
        self.field_errors = {field: list(messages) for field, messages in (field_errors or {}).items()}
        self.rules = {field: tuple(names) for field, names in (rules or {}).items()}

    @property
    def taken(self) -> bool:
        """Whether another device of the account already has this SIP username."""
        return "unique" in self.rules.get("sip.username", ())


class NotFound(RowError):
    """404 `bad_identifier`: Audian does not have the thing with this id (any more)."""

    sentence = "It no longer exists at Audian."


class FaultyRequest(RowError):
    """A 404, 405, 413, 415 or 501 that says that the request makes no sense. It never means that something is gone."""

    sentence = "Audian did not understand the request. Tell the people who look after this portal."


class Conflict(RowError):
    """409 or 412, or a field no longer has the value the visitor saw.

    `changed` maps the name of each such field to (value seen, value now); the values of a secret are masked. `device` is
    the `DeviceDocument` that was read to find that out, whose text shows no password; None after a 409 or 412.
    """

    sentence = "Somebody else changed this softphone at the same time. Look at it again, then repeat your change."

    def __init__(
        self,
        sentence: str = "",
        *,
        changed: Mapping[str, tuple[Any, Any]] | None = None,
        device: DeviceDocument | None = None,
        **circumstances: Any,
    ) -> None:
        super().__init__(sentence, **circumstances)
        self.changed = dict(changed or {})
        self.device = device


class ServerFault(RowError):
    """500: Audian failed while it worked on this row."""

    sentence = "Audian failed while working on this softphone."


class ChargesToAccept(AudianError):
    """402: the change costs money. Nothing was saved; repeat it with `accept_charges=True` once a person agreed.

    `quote` is Audian's offer as JSON; `softphones.audian.documents.charge_lines` reads it.
    """

    sentence = "Audian charges for this change. An administrator has to accept the charges first."

    def __init__(self, quote: Mapping[str, Any] | None = None, sentence: str = "", **circumstances: Any) -> None:
        super().__init__(sentence, **circumstances)
        self.args = (quote,)
        self.quote = dict(quote or {})


class AccountTrouble(AudianError):
    """Nothing can be done in this account at the moment; the trouble ends by itself or by an operator."""


class Unreachable(AccountTrouble):
    """No connection was made, so nothing was carried out."""

    sentence = "Audian cannot be reached. Check the network connection; the portal keeps trying."


class TimedOut(AccountTrouble):
    """The answer was not complete when the time was up."""

    sentence = "Audian did not answer in time. The portal keeps trying."


class CutOff(AccountTrouble):
    """The connection ended before an answer began."""

    sentence = "The connection to Audian was cut off. The portal keeps trying."


class NotOurAnswer(AccountTrouble):
    """What came back is not an answer of the Audian API: HTML, empty, cut short, not JSON, for another id."""

    sentence = "The answer did not come from the Audian API. Check the API address, and any proxy in between."


class RepeatedKey(NotOurAnswer):
    """A listing named a page that was read before: following it would never end."""

    sentence = "Audian's list of devices repeats itself, so it was not read to its end. The portal tries again."


class NoSuchRoute(AccountTrouble):
    """404 `not_found`: this server has no such address. It says nothing about the thing that was asked for."""

    sentence = "This server does not know an address of the Audian API. Check the API address."


class BadGateway(AccountTrouble):
    """502, 503, 504 and their like: the API stands behind something that cannot reach it."""

    sentence = "Audian is out of order at the moment. The portal keeps trying."


class Unauthorised(AccountTrouble):
    """401, also with a fresh token; or the log-in itself was refused."""

    sentence = "Audian refuses access. The account id may be wrong, or the API key revoked."


class PaymentRequired(AccountTrouble):
    """402 because of the standing of the account; accepting charges does not help."""

    sentence = "Audian asks for a payment before anything can be changed. Ask Audian about the state of the account."


class Forbidden(AccountTrouble):
    """403: the credentials are good, but not for this account or this act."""

    sentence = "Audian does not let these credentials do this. Check that the API key belongs to this account."


class Locked(AccountTrouble):
    """423: the account is disabled or has expired."""

    sentence = "Audian has locked this account. Ask Audian to unlock it."


class TooMany(AccountTrouble):
    """429: more calls than Audian allows."""

    sentence = "Audian takes no more calls for a moment. The portal waits and goes on."


class TooLarge(AccountTrouble):
    """416, or an answer larger than we read."""

    sentence = "The list is larger than Audian gives out at once."
