from softphones.models.account import Account, ApiToken, Bucket, CallCount, Lease
from softphones.models.audit import AuditEvent
from softphones.models.changes import Change, Pause
from softphones.models.imports import Import, ImportRow
from softphones.models.links import SetupLink
from softphones.models.messages import Message
from softphones.models.mirror import Owner, SearchWord, Softphone, SyncRun
from softphones.models.people import Membership, SignInCode, User

__all__ = [
    "Account",
    "ApiToken",
    "AuditEvent",
    "Bucket",
    "CallCount",
    "Change",
    "Import",
    "ImportRow",
    "Lease",
    "Membership",
    "Message",
    "Owner",
    "Pause",
    "SearchWord",
    "SetupLink",
    "SignInCode",
    "Softphone",
    "SyncRun",
    "User",
]
