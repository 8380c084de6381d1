"""What people do about their own softphones: get one, rename it, replace one that got lost. And how often.

Each act is done once however often its button is pressed: the key of a form tells how many of its kind were asked for
when the page was made, so that two tabs, Back, a reload and a double click all ask for the same one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from softphones import changes
from softphones.access import may_have_softphones
from softphones.models import Account, Change, Owner, Softphone, SyncRun, User

Kind, State = Change.Kind, Change.State

DAY = timedelta(hours=24)
LONGEST_NAME, LONGEST_CALLER_ID = 128, 35  # characters (audian-api.md section 3)
LONGEST_SUFFIX = 20
# How the keys begin of what people do by themselves.
_ACTS = {Kind.CREATE: "get:", Kind.RESET_PASSWORD: "replace:", Kind.UPDATE: "rename:"}


class Refused(Exception):
    """Not now, or not by oneself; `str()` is a sentence that says why and whom to ask."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One more softphone that `owner` may have. `refused` says why not today, "" if nothing stands against it."""

    owner: Owner
    first: bool
    name: str  # what it would be called
    key: str
    refused: str

    @property
    def account(self) -> Account:
        return self.owner.account


def offers(user: User, *, owners: list[Owner], phones: list[Softphone], now: datetime) -> list[Offer]:
    """A softphone for each account in which this person has room for one more than their `phones`.

    `owners` and `phones` are what access.own_softphones gives.
    """
    found, dead = [], changes.never_made(phones)
    for owner in (each for each in owners if each.account.self_service):
        names = [phone.name for phone in phones if phone.owner_id == owner.pk and phone.pk not in dead]
        if len(names) < owner.account.quota and _is_mirrored(owner.account):
            key = str(_asked(user, Kind.CREATE).filter(account=owner.account).count())
            refused = _too_many(user, Kind.CREATE, owner.account, now)
            found.append(Offer(owner, not names, default_name(owner, names), key, refused))
    return found


def get(*, owner: Owner, user: User, name: str, key: str, ip: str | None, now: datetime) -> Change:
    """Ask for a softphone of this owner's with their number and name as caller id. The same `key` gives the same one.

    An empty `name` is the default one. Raises Refused when the owner is switched off or not this person's any more, has as
    many softphones as the account's quota, or when `user` asked for SELF_SERVICE_CREATES of them within 24 hours.
    """
    key = f"{_ACTS[Kind.CREATE]}{owner.pk}:{key}"
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # one at a time, so that two never pass one count
        owner = may_have_softphones(user).select_related("account").filter(pk=owner.pk).first()
        if owner is None:
            raise Refused(_("Your entry in the phone system was switched off. Ask your helpdesk."))
        if before := changes.asked(account=owner.account, by=user, key=key):
            return before
        phones = list(_phones(owner).defer("password"))
        dead = changes.never_made(phones)
        names = [phone.name for phone in phones if phone.pk not in dead]
        _refuse_more_than_quota(owner.account, len(names))
        if refused := _too_many(user, Kind.CREATE, owner.account, now):
            raise Refused(refused)
        for phone in (each for each in phones if each.pk in dead):
            changes.delete(softphone=phone, by=user, ip=ip, now=now)
        return changes.create(
            account=owner.account,
            name=name or default_name(owner, names),
            owner=owner,
            caller_id_number=owner.number[:LONGEST_CALLER_ID],
            caller_id_name=owner.name[:LONGEST_CALLER_ID].strip(),
            by=user,
            key=key,
            ip=ip,
            now=now,
        )


def rename(*, softphone: Softphone, user: User, name: str, seen: str, key: str, ip: str | None, now: datetime) -> Change:
    """Ask for another name; `seen` is the one that the visitor saw. The same name and `key` give the same change.

    Raises Refused for a page that was made before other changes, or when `user` asked for SELF_SERVICE_RENAMES names
    within 24 hours; changes.NothingChanged, changes.NotPossible.
    """
    digest = sha256(name.encode()).hexdigest()[:16]
    values = {"name": name}
    key = f"{_ACTS[Kind.UPDATE]}{softphone.pk}:{digest}:{key}"
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if before := changes.asked(account=softphone.account, by=user, key=key):
            _refuse_if_overtaken(before, softphone, name)
            return before
        if name != seen and (refused := _too_many(user, Kind.UPDATE, softphone.account, now)):
            raise Refused(refused)
        return changes.update(softphone=softphone, values=values, seen={"name": seen}, by=user, key=key, ip=ip, now=now)


def _refuse_if_overtaken(before: Change, softphone: Softphone, name: str) -> None:
    """Pressed twice it is one change; but not when the name has become another one since."""
    is_called = changes.underway(softphone).get("name", softphone.name)
    if before.state == State.DONE and is_called != name:
        raise Refused(_("Not renamed: this page was old. The softphone is called “%s” by now. Try again.") % is_called)


def replace(*, softphone: Softphone, user: User, key: str, ip: str | None, now: datetime) -> Change:
    """Ask for a new password, which cuts off whatever device has the old one. The same `key` gives the same change.

    The caller has checked fresh proof. Raises Refused for a softphone that is switched off, or when `user` asked for
    SELF_SERVICE_RESETS new passwords within 24 hours; changes.NotPossible.
    """
    key = f"{_ACTS[Kind.RESET_PASSWORD]}{softphone.pk}:{key}"
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if before := changes.asked(account=softphone.account, by=user, key=key):
            return before
        _refuse_one_password_more(softphone, user, now)
        return changes.reset_password(softphone=softphone, by=user, key=key, ip=ip, now=now)


def try_again(*, change: Change, user: User, mine_anyway: bool = False, ip: str | None, now: datetime) -> Change:
    """Send once more what `user` asked for and failed. One that draws another password counts as `replace` does, and needs
    fresh proof too, which the caller has checked. Raises Refused, changes.NotPossible."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        change.refresh_from_db(fields=["state"])
        if change.state == State.FAILED and changes.draws_password(change):
            _refuse_one_password_more(change.softphone, user, now)
        return changes.try_again(change=change, by=user, mine_anyway=mine_anyway, ip=ip, now=now)


def replace_key(softphone: Softphone) -> str:
    """What the form of `replace` sends as its key."""
    return str(softphone.changes.filter(kind=Kind.RESET_PASSWORD).count())


def rename_key(softphone: Softphone) -> str:
    """What the form of `rename` sends as its key."""
    return str(softphone.changes.filter(kind=Kind.UPDATE).count())


def no_more_passwords(user: User, account: Account, *, now: datetime) -> str:
    """Why this person gets no new password today; "" if they do."""
    return _too_many(user, Kind.RESET_PASSWORD, account, now)


def default_name(owner: Owner, taken: list[str]) -> str:
    """What a softphone of this person is called at Audian: "Alice Smith - softphone", and a second one "- mobile"."""
    whose = (owner.name or owner.email.partition("@")[0] or _("Softphone"))[: LONGEST_NAME - LONGEST_SUFFIX].strip()
    used = {name.casefold() for name in taken}
    suffixes = [_("softphone"), _("mobile"), _("laptop"), *(_("softphone %d") % number for number in range(2, len(taken) + 3))]
    names = (f"{whose} - {suffix}" for suffix in suffixes)
    return next(name for name in names if name.casefold() not in used)


def _phones(owner: Owner):
    """Also those that staff made, and those that Audian has not confirmed. All count towards the quota, but for those that
    nobody made because the charges were declined: the next one takes their place."""
    return Softphone.objects.present().filter(owner=owner)


def _is_mirrored(account: Account) -> bool:
    """Whether Audian was ever read to its end: before that, nobody knows who has a phone already."""
    return SyncRun.objects.filter(account=account, state=SyncRun.State.COMPLETE).exists()


def _refuse_more_than_quota(account: Account, present: int) -> None:
    if not _is_mirrored(account):
        raise Refused(_("The portal has not read your company’s phones from Audian yet. Try again in a few minutes."))
    if present >= account.quota:
        sentence = ngettext(
            "You have the %(quota)d softphone that your company gives each person. %(helpdesk)s",
            "You have all %(quota)d softphones that your company gives each person. %(helpdesk)s",
            account.quota,
        )
        raise Refused(sentence % {"quota": account.quota, "helpdesk": _helpdesk(account, _("For another one, ask"))})


def _asked(user: User, kind: Kind) -> QuerySet[Change]:
    """What this person asked for by themselves, whatever became of it: nothing that is done to a phone refills a limit.

    What they did as staff is not among it; it bears other keys.
    """
    return Change.objects.filter(asked_by=user, kind=kind, key__startswith=changes.key_of(user, _ACTS[kind]))


def _refuse_one_password_more(softphone: Softphone, user: User, now: datetime) -> None:
    if not softphone.enabled:
        raise Refused(_("This softphone is switched off, so no device can use it. Your helpdesk can switch it on again."))
    if refused := _too_many(user, Kind.RESET_PASSWORD, softphone.account, now):
        raise Refused(refused)


def _too_many(user: User, kind: Kind, account: Account, now: datetime) -> str:
    """Why `user` may not ask for one more of this kind today; "" if they may."""
    asked = _asked(user, kind).filter(created_at__gt=now - DAY).count()
    if kind == Kind.RESET_PASSWORD:
        asked += changes.resets_again(since=now - DAY).filter(actor=user, owner__user=user).count()
    if kind == Kind.CREATE and asked >= settings.SELF_SERVICE_CREATES:
        sentence = _("You have asked for %(count)d new softphones within a day, and that is the most. %(helpdesk)s")
    elif kind == Kind.RESET_PASSWORD and asked >= settings.SELF_SERVICE_RESETS:
        sentence = _("You have asked for %(count)d new passwords within a day, and that is the most. %(helpdesk)s")
    elif kind == Kind.UPDATE and asked >= settings.SELF_SERVICE_RENAMES:
        sentence = _("You have renamed softphones %(count)d times within a day, and that is the most. %(helpdesk)s")
    else:
        return ""
    return sentence % {"count": asked, "helpdesk": _helpdesk(account, _("Come back tomorrow, or ask"))}


def _helpdesk(account: Account, ask: str) -> str:
    """`ask` and the helpdesk with its number and address, as one sentence."""
    contact = _(" or ").join(each for each in (account.helpdesk_phone, account.helpdesk_email) if each)
    return f"{ask} {_('your helpdesk')}: {contact}" if contact else f"{ask} {_('your helpdesk')}."
