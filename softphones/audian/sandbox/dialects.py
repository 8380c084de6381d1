"""The two ways the API may answer: as Kazoo really does, and as the vendor's softphones page shows.

Where the page is silent, its dialect behaves like Kazoo (audian-api.md section 12).
"""

from dataclasses import dataclass

from .listing import Paging


@dataclass(frozen=True)
class Dialect:
    """What differs. `plain`: answers hold only `auth_token`, `data`, `status`, no revision and no ETag."""

    name: str
    plain: bool
    device_schema: str
    paging: Paging
    vendor_realm: bool
    """`sip.realm` is sip.audian.com in every answer; Kazoo leaves out a realm that is the account's."""
    own_status: bool
    """`GET /devices/{id}/status` exists."""
    partial_post: bool
    """POST merges; Kazoo replaces the whole document."""
    short_rows: bool
    """Create answers and list rows hold what the page shows: `sip` with username and realm, no password."""
    empty_delete: bool
    """DELETE answers 204 without a body."""
    slugs: dict[int, str]
    """`message` of an error where the vendor's error page names it otherwise."""


KAZOO = Dialect(
    name="kazoo",
    plain=False,
    device_schema="device",
    paging=Paging(default=50),
    vendor_realm=False,
    own_status=False,
    partial_post=False,
    short_rows=False,
    empty_delete=False,
    slugs={},
)
PAGE = Dialect(
    name="page",
    plain=True,
    device_schema="page_device",
    paging=Paging(default=25, most=100),
    vendor_realm=True,
    own_status=True,
    partial_post=True,
    short_rows=True,
    empty_delete=True,
    slugs={400: "bad_request", 401: "unauthorized"},
)
DIALECTS = {dialect.name: dialect for dialect in (KAZOO, PAGE)}
