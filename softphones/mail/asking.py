"""What is to be mailed, written down in the request's transaction."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from softphones import audit
from softphones.mail.addresses import NoAddress, address_of, admins
from softphones.models import Account, Message, Owner, Softphone, User
from softphones.wake import wake

Kind, State = Message.Kind, Message.State

#: Which go first. What a person waits for goes before what an import makes by the hundred; codes (0) wait for nothing.
RANKS = {Kind.SETUP_LINK: 1, Kind.NEW_PASSWORD: 1, Kind.SECOND_FACTOR: 1, Kind.SOFTPHONE_READY: Message.BULK_RANK}
SHOWN_FOR = timedelta(days=30)


def ask(
    *,
    kind: Kind,
    account: Account,
    user: User | None = None,
    owner: Owner | None = None,
    softphone: Softphone | None = None,
    about: User | None = None,
    detail: str = "",
    asked_by: User | None = None,
    ip: str | None = None,
    key: str = "",
    in_bulk: bool = False,
    now: datetime,
) -> Message:
    """Put a mail into the queue, in the caller's transaction. It goes to the softphone's person where nobody is named.

    While the same mail still waits to be sent, or with the same `key` of the same asker, no second one is made. `in_bulk`:
    it waits behind what single people wait for. Audited if somebody asked for it. Raises NoAddress (a sentence) if there is
    no address, or nobody could use what the mail says.
    """
    person = user or owner or (softphone.owner if softphone else None)
    if person is None:
        raise NoAddress(_("The softphone belongs to nobody. Give it to a person first."))
    to = address_of(person, softphone=softphone)
    owner = person if isinstance(person, Owner) else softphone.owner if softphone else None
    user = person if isinstance(person, User) else person.user
    key = f"{asked_by.pk if asked_by else ''}:{key}" if key else ""
    same = Message.objects.filter(account=account, kind=kind, to=to, softphone=softphone, about=about, state=State.QUEUED)
    already = same.filter(detail=detail).first() or (key and Message.objects.filter(account=account, key=key).first())
    if already:
        return already
    try:
        with transaction.atomic():
            message = Message.objects.create(
                kind=kind,
                rank=Message.BULK_RANK if in_bulk else RANKS[kind],
                account=account,
                user=user,
                owner=owner,
                softphone=softphone,
                about=about,
                detail=detail,
                asked_by=asked_by,
                key=key,
                to=to,
                next_attempt_at=now,
            )
    except IntegrityError:  # the same press of a button, at the same moment
        return Message.objects.get(account=account, key=key)
    if asked_by:
        _record("mail:asked", message, asked_by, ip, now)
    wake("send_messages")
    return message


def tell_admins(*, account: Account, about: User, detail: str, now: datetime) -> int:
    """Mail every admin of the account that `about` set up a second factor (`detail`: "totp", "webauthn"). Returns how many."""
    told = admins(account)
    for admin in told:
        ask(kind=Kind.SECOND_FACTOR, account=account, user=admin, about=about, detail=detail, now=now)
    return len(told)


def try_again(*, message: Message, by: User, ip: str | None, now: datetime) -> None:
    """Queue a failed mail anew, to the address that its person has now. Pressed twice, it is queued once.

    Raises NoAddress if there is none, and for codes, which lapse: whoever needs one asks for a new one.
    """
    if message.kind in Message.CODES:
        raise NoAddress(_("A code can’t be mailed again. The person asks for a new one on the sign-in page."))
    to = recipient(message)
    again = Message.objects.filter(pk=message.pk, state=State.FAILED)
    with transaction.atomic():
        if again.update(state=State.QUEUED, to=to, attempts=0, error="", next_attempt_at=now):
            _record("mail:tried_again", message, by, ip, now)
            wake("send_messages")


def recipient(message: Message) -> str:
    """Where a mail that is not a code goes as things are now. Raises NoAddress."""
    person = message.owner or message.user
    if person is None:
        raise NoAddress(_("The person is gone."))
    return address_of(person, softphone=message.softphone)


def came_to_set_up(*, softphone: Softphone, now: datetime) -> None:
    """The phone's own person has opened its set-up page: the mails that led there count as opened."""
    unopened = Message.objects.filter(softphone=softphone, state=State.SENT, opened_at=None)
    if unopened.exists():
        unopened.update(opened_at=now)


def troubled(account: Account, *, now: datetime) -> QuerySet[Message]:
    """The account's mails of the last 30 days that failed or still wait."""
    unsent = Message.objects.filter(account=account, created_at__gt=now - SHOWN_FOR).exclude(state=State.SENT)
    return unsent.select_related("owner", "user", "softphone", "account")


def _record(act: str, message: Message, by: User, ip: str | None, now: datetime) -> None:
    audit.record(
        act=act,
        actor=by,
        softphone=message.softphone,
        person=message.owner or message.user,
        account=message.account,
        ip=ip,
        data={"message": message.pk, "kind": message.kind},
        now=now,
    )
