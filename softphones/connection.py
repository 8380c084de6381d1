"""Clients of the Audian API that share one token and one pace with all other processes of the portal."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from softphones import leases, pacing
from softphones.audian.calls import Exchange
from softphones.audian.client import AudianClient
from softphones.audian.credentials import ApiKey, StaticToken
from softphones.audian.documents import DeviceStatus, Login
from softphones.audian.errors import AccountTrouble, TooMany, Unauthorised
from softphones.call_counts import Tally
from softphones.models import Account, ApiToken
from softphones.pacing import Urgency

STATUS_ROUTE_KEPT = timedelta(days=1)


class NoToken(AccountTrouble):
    """There is no token, and this caller may not log in, or nobody could in time."""

    sentence = "The portal is not connected to Audian at the moment. It connects again by itself."


def connect(
    account: Account,
    *,
    urgency: Urgency,
    allow_login: bool = True,
    deadline: float | None = None,
    alive: Callable[[], object] | None = None,
) -> "Client":
    """A client for `account`; use it in a `with`, in one thread, outside of any transaction.

    Its calls wait for their place (`pacing`), and raise TooBusy where `urgency` does not allow to wait. Without
    `allow_login` it uses a token that is there, and raises NoToken otherwise. `deadline` is the total time of one
    request in seconds (API_DEADLINE unless given). `alive` is called before each call, and while it waits for its place.
    The client counts its `calls`.

    Raises Unauthorised if the account has no credentials, BadAddress if its API address can't be used.
    """
    if not account.api_key and not account.static_token:
        raise Unauthorised(f"There is no API key for {account}. Set AUDIAN_API_KEY.")
    return Client(
        account.pk,
        urgency,
        alive or _nothing,
        url=account.api_url,
        account_id=account.audian_id,
        credentials=ApiKey(account.api_key) if account.api_key else StaticToken(account.static_token),
        tokens=SharedToken(account.pk, allow_login=allow_login),
        deadline=settings.API_DEADLINE if deadline is None else deadline,
        # The environment's own address was checked when the portal started.
        allow_http=account.api_url == settings.AUDIAN_API_URL,
    )


class Client(AudianClient):
    """Waits for its place, counts how its calls come out, and remembers for all processes, for a day, whether the server has
    the page's status route.
    """

    def __init__(self, key: int, urgency: Urgency, alive: Callable[[], object], **circumstances) -> None:
        bucket = pacing.of_account(key)
        self._tally = Tally(key)
        super().__init__(
            status_route=_known_status_route(key),
            pace=self._wait,
            heard=lambda remaining: pacing.heard(bucket, remaining),
            ended=self._ended,
            **circumstances,
        )
        self.calls = 0
        self.last_exchange: Exchange | None = None
        self._key, self._bucket, self._urgency, self._alive = key, bucket, urgency, alive

    def _wait(self, cost: int, login: bool) -> None:
        bucket = pacing.LOG_INS if login else self._bucket
        pacing.wait_for(bucket, cost=cost, urgency=self._urgency, meanwhile=self._alive)
        self.calls += 1
        self._tally.write_now_and_then()

    def _ended(self, exchange: Exchange) -> None:
        self.last_exchange = exchange
        self._tally.add(exchange)

    def close(self) -> None:
        super().close()
        self._tally.write()

    def status(self, device_id: str, username: str) -> DeviceStatus:
        known = self.status_route
        try:
            return super().status(device_id, username)
        finally:
            if self.status_route != known:
                ApiToken.objects.update_or_create(
                    account_id=self._key,
                    defaults={"status_route": self.status_route, "status_route_asked_at": timezone.now()},
                )


def _known_status_route(account_id: int) -> bool | None:
    since = timezone.now() - STATUS_ROUTE_KEPT
    found = ApiToken.objects.filter(account_id=account_id, status_route_asked_at__gt=since)
    return found.values_list("status_route", flat=True).first()


class SharedToken:
    """The token of an account, kept encrypted in its row: one process logs in, all use it, also after a restart."""

    def __init__(self, account_id: int, *, allow_login: bool = True) -> None:
        self._account_id = account_id
        self._allow_login = allow_login
        self._token, self._good_until = "", None

    def get(self, log_in: Callable[[], Login]) -> str:
        """A token that is believed to be good. Raises NoToken, and what `log_in` raises."""
        if not self._token or _is_past(self._good_until):
            self._find("", log_in)
        return self._token

    def renew(self, rejected: str, log_in: Callable[[], Login]) -> str:
        """A token other than the one that was rejected. Raises NoToken, and what `log_in` raises."""
        self._find(rejected, log_in)
        return self._token

    def _find(self, rejected: str, log_in: Callable[[], Login]) -> None:
        """Use the row's token if it is good; else log in, or wait for the process that is doing it."""
        gives_up = time.monotonic() + settings.LEASE_SECONDS + settings.API_DEADLINE
        while not self._read(rejected):
            if not self._allow_login or time.monotonic() > gives_up:
                raise NoToken
            lease = leases.take(f"log-in:{self._account_id}")
            if lease is None:
                time.sleep(0.1)
                continue
            try:
                # Somebody may have logged in between the look and the lease.
                if not self._read(rejected):
                    self._log_in(log_in)
                return
            finally:
                lease.release()

    def _read(self, rejected: str) -> bool:
        row = ApiToken.objects.filter(account_id=self._account_id).first()
        if row is None or not row.token or row.token == rejected or _is_past(row.expires_at):
            return False
        self._token, self._good_until = row.token, row.expires_at
        return True

    def _log_in(self, log_in: Callable[[], Login]) -> None:
        try:
            login = log_in()
        except (Unauthorised, TooMany) as error:
            # A refused log-in empties Kazoo's bucket, a 429 says that it is empty (audian-api.md section 8).
            if not isinstance(error, pacing.TooBusy):
                pacing.heard(pacing.LOG_INS, 0)
            raise
        self._token, self._good_until = login.token, _good_until(login.expires_at)
        ApiToken.objects.update_or_create(
            account_id=self._account_id, defaults={"token": self._token, "expires_at": self._good_until}
        )


def _good_until(expires_at: datetime | None) -> datetime | None:
    """When a new token is renewed: a margin before it expires, half its life for a short one.

    One that is past already by our clock is used until it is refused, since it is our clock that must be wrong.
    """
    if expires_at is None or _is_past(expires_at):
        return None
    life = expires_at - timezone.now()
    return expires_at - min(timedelta(seconds=settings.API_TOKEN_MARGIN), life / 2)


def _is_past(moment: datetime | None) -> bool:
    return moment is not None and moment <= timezone.now()


def _nothing() -> None:
    """What most callers do while they wait."""
