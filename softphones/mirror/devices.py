"""Softphones: the devices of type `softphone` of the account at Audian."""

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from softphones import setup_links
from softphones.audian.documents import SOFTPHONE, DeviceDocument, Page
from softphones.mirror.table import LONGEST_ID, Table
from softphones.models import Account, Change, Owner, SetupLink, Softphone

LONGEST_NAME = LONGEST_USERNAME = 256
LONGEST_CALLER_ID = 64
LONGEST_REALM = 253
# What somebody who holds a link could set up a phone with. When it changes, the link ends.
CREDENTIALS = {"sip_username", "password", "realm", "enabled", "owner_id", "owner_audian_id", "gone_at"}

_MARK = re.compile(r"portal:(\d{1,18})")


class Softphones(Table):
    model = Softphone
    counted = True

    def pages(self) -> Iterator[Page]:
        return self.client.device_pages(settings.API_PAGE_SIZE)

    def document(self, audian_id: str) -> DeviceDocument:
        return self.client.device(audian_id)

    def is_one(self, document: DeviceDocument) -> bool:
        return document.device_type == SOFTPHONE

    def fault_of(self, document: DeviceDocument) -> str:
        if not self.is_one(document):
            return _("Left out, since it is no softphone")
        if not document.name.strip():
            return _("Left out, since it has no name")
        return ""

    def context(self, documents: Iterable[DeviceDocument]) -> dict[str, int]:
        return owner_ids(self.account, documents)

    def columns(self, document: DeviceDocument, row: Softphone | None, context: dict[str, int]) -> dict[str, Any]:
        return columns(self.account, document, row, context)

    def left_alone(self, ids: Iterable[int]) -> set[int]:
        """Those with an unfinished change, or written at Audian since the run began."""
        busy = Q(changes__state__in=Change.UNFINISHED) | Q(written_at__gte=self.work.begun)
        return set(self.rows().filter(busy, pk__in=ids).values_list("pk", flat=True))

    def adopt(self, documents: dict[str, DeviceDocument]) -> set[int]:
        adopted = set()
        for softphone_id, document in created_by_us(self.account, documents.values()):
            waiting = self.rows().filter(pk=softphone_id, audian_id=None)
            if waiting.update(audian_id=document.id, checked_at=None):
                adopted.add(softphone_id)
                del documents[document.id]
        return adopted

    def end_links(self, changes: dict[int, dict[str, Any]]) -> int:
        return revoke_links([pk for pk, change in changes.items() if CREDENTIALS & set(change)], self.work.begun)


def columns(account: Account, document: DeviceDocument, row: Softphone | None, owners: dict[str, int]) -> dict[str, Any]:
    """What the row of this device should hold, as far as the document tells. `owners`: as `owner_ids` found them."""
    owner_audian_id = document.owner_id if len(document.owner_id) <= LONGEST_ID else ""
    found = {
        "name": document.name.strip()[:LONGEST_NAME],
        "owner_audian_id": owner_audian_id,
        "owner_id": owners.get(owner_audian_id),
        "gone_at": None,
    }
    if document.enabled is not None:
        found["enabled"] = document.enabled
    username = document.username if len(document.username) <= LONGEST_USERNAME else ""
    if username or document.complete:
        found |= {"sip_username": username, "username_folded": username.lower()[:LONGEST_USERNAME]}
        if not username:
            found["fault"] = Softphone.Fault.NO_SIP
        elif row is None or row.fault == Softphone.Fault.NO_SIP:
            found["fault"] = Softphone.Fault.NONE
    if document.complete:
        found |= {
            "password": document.password or "",
            "realm": _own_realm(account, document.realm),
            "caller_id_number": document.caller_id_number[:LONGEST_CALLER_ID],
            "caller_id_name": document.caller_id_name[:LONGEST_CALLER_ID],
        }
        if document.revision:
            found["revision"] = document.revision[:100]
    return found


def _own_realm(account: Account, realm: str | None) -> str:
    """The device's realm where it is not the account's."""
    if not realm or len(realm) > LONGEST_REALM or realm.lower() in {account.realm.lower(), account.api_realm.lower()}:
        return ""
    return realm


def owner_ids(account: Account, documents: Iterable[DeviceDocument]) -> dict[str, int]:
    """The rows of the owners that these devices name, by Audian's id."""
    named = {document.owner_id for document in documents if document.owner_id}
    return dict(Owner.objects.filter(account=account, audian_id__in=named).values_list("audian_id", "pk"))


def created_by_us(account: Account, documents: Collection[DeviceDocument]) -> list[tuple[int, DeviceDocument]]:
    """(softphone, device) for each unknown device that one of our creates made and nobody could tell us so.

    It bears the create's mark; or, where flags do not come back, the username that we generated for an unfinished one.
    """
    marks, usernames = {}, {}
    for document in documents:
        marks |= {int(mark[1]): document for flag in document.flags if (mark := _MARK.fullmatch(flag))}
        if document.username:
            usernames.setdefault(document.username.lower(), document)
    creates = Change.objects.filter(account=account, kind=Change.Kind.CREATE, softphone__audian_id=None)
    found = [(softphone, marks[pk]) for pk, softphone in creates.filter(pk__in=marks).values_list("pk", "softphone")]
    generated = creates.filter(
        state__in=Change.UNFINISHED, values__username_generated=True, softphone__username_folded__in=usernames
    )
    for softphone, username in generated.values_list("softphone", "softphone__username_folded"):
        found.append((softphone, usernames[username]))
    return _each_once(found)


def _each_once(pairs: list[tuple[int, DeviceDocument]]) -> list[tuple[int, DeviceDocument]]:
    rows, devices, once = set(), set(), []
    for row, document in pairs:
        if row not in rows and document.id not in devices:
            once.append((row, document))
            rows.add(row)
            devices.add(document.id)
    return once


def revoke_links(ids: Collection[int], now: datetime) -> int:
    """End the links of these softphones, in the caller's transaction. Returns their number."""
    open_links = SetupLink.objects.filter(softphone__in=ids, revoked_at=None).values("softphone")
    return sum(setup_links.revoke(softphone=softphone, now=now) for softphone in Softphone.objects.filter(pk__in=open_links))


def mark_doubled(account: Account) -> None:
    """Note which softphones share their username (compared without case), and which no longer do."""
    there = Softphone.objects.filter(account=account, gone_at=None, audian_id__isnull=False).exclude(username_folded="")
    doubled = there.values("username_folded").annotate(devices=Count("pk")).filter(devices__gt=1).values("username_folded")
    there.exclude(fault=Softphone.Fault.DOUBLED_USERNAME).filter(username_folded__in=doubled).update(
        fault=Softphone.Fault.DOUBLED_USERNAME
    )
    there.filter(fault=Softphone.Fault.DOUBLED_USERNAME).exclude(username_folded__in=doubled).update(fault=Softphone.Fault.NONE)
