"""What the set-up page shows: the app, its steps and fields, and a code where one has been asked for."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from softphones import changes, lights, self_service, setup_links, zoiper_picture
from softphones.audit import client_ip
from softphones.clients import App, app_for, apps, as_text, generic_fields, platform_of, qr_svg, recommended
from softphones.forms import sign_seen
from softphones.models import Change, Softphone, User
from softphones.sip_settings import new_passwords, settings_for, settings_without_password
from softphones.views.change_card import own_card

#: How long a page goes on looking at the light by itself.
LOOKS_FOR = timedelta(minutes=15)
#: How long a page tells that something failed.
TELLS_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Code:
    """A QR code that was asked for: `svg` drawn by us, or the `picture` of Zoiper's service as a data address.

    `imported`: the app takes it in itself. Else a phone's camera opens it. `without_service`: Zoiper's did not answer.
    """

    expires_at: datetime
    seconds: int
    imported: bool
    svg: SafeString | str = field(default="", repr=False)
    picture: str = field(default="", repr=False)
    without_service: bool = False


def trouble_of(softphone: Softphone) -> str:
    """Why this phone can't be set up now, in one word of `troubles_of`; else ''."""
    return troubles_of([softphone])[softphone.pk]


def troubles_of(softphones: Iterable[Softphone]) -> dict[int, str]:
    """For each phone why it can't be set up now, '' if it can, by primary key; in one query, and a few more where one waits.

    Not at Audian yet: `making`, `held` (it costs something), `waiting` (for the end of some trouble, or of a pause),
    `failed`. Else `off`; `unfinished` (no username at Audian); `renewing` (a new password is on its way),
    `renewal_waits` (it was asked for, and waits for something else than its turn); `no_password`.
    """
    phones = list(softphones)
    created, renewed = {}, {}
    creates = Change.objects.filter(kind=Change.Kind.CREATE, softphone__audian_id=None)
    found = list((creates | new_passwords()).filter(softphone__in=phones).values_list("pk", flat=True))
    accounts = {phone.pk: phone.account for phone in phones}
    for wish in Change.objects.filter(pk__in=found).order_by("pk").defer("password") if found else ():  # usually there is none
        wish.account = accounts[wish.softphone_id]
        (created if wish.kind == Change.Kind.CREATE else renewed)[wish.softphone_id] = wish
    now = timezone.now()
    return {phone.pk: _trouble(phone, created.get(phone.pk), renewed.get(phone.pk), now) for phone in phones}


def _trouble(phone: Softphone, create: Change | None, renewal: Change | None, now: datetime) -> str:
    if phone.audian_id is None:
        state = changes.progress(change=create, now=now).state if create else "failed"
        return {"held": "held", "paused": "waiting", "failed": "failed", "replaced": "failed"}.get(state, "making")
    if not phone.enabled:
        return "off"
    if not phone.sip_username:
        return "unfinished"
    if renewal:
        waits = changes.progress(change=renewal, now=now).state in ("held", "paused")
        return "renewal_waits" if waits else "renewing"
    return "" if phone.password else "no_password"


def change_to_tell(softphone: Softphone, user: User, now: datetime) -> Change | None:
    """The change that this phone's person should know of: what is under way, or what failed lately and is theirs."""
    wishes = softphone.changes.order_by("-pk")
    if softphone.audian_id is None:
        return wishes.filter(kind=Change.Kind.CREATE).first()
    ended_lately = Q(state__in=(Change.State.DONE, Change.State.FAILED), finished_at__gt=now - TELLS_FOR)
    found = list(wishes.filter(Q(state__in=Change.UNFINISHED) | ended_lately).defer("password"))
    under_way = [each for each in found if each.state in Change.UNFINISHED]
    if under_way:
        return next((each for each in under_way if each.kind == Change.Kind.RESET_PASSWORD), under_way[0])
    last = max(found, key=lambda each: (each.finished_at, each.pk), default=None)
    theirs = last and (last.asked_by_id == user.pk or last.kind == Change.Kind.RESET_PASSWORD)
    return last if theirs and last.state == Change.State.FAILED else None


def chosen_app(request, softphone: Softphone) -> App:
    """The app that the visitor chose, else the one recommended for the machine they sit at."""
    account = softphone.account
    slug = request.POST.get("app") or request.GET.get("app", "")
    if slug not in account.hidden_apps and slug in {app.slug for app in apps()}:
        return app_for(slug)
    return recommended(_agent(request), account.hidden_apps, account.recommended_app)


def imports_code(app: App, softphone: Softphone) -> bool:
    """Whether this app itself can take in the code that `draw_code` makes."""
    return app.imports_qr == "own" or (app.imports_qr == "provider" and bool(softphone.account.zoiper_provider_id))


def page(request, softphone: Softphone, *, shown: bool = False) -> dict:
    """The page's context. The password is in it only if `shown`."""
    app, platform, now = chosen_app(request, softphone), platform_of(_agent(request)), timezone.now()
    trouble = trouble_of(softphone)
    change = change_to_tell(softphone, request.user, now)
    sip = settings_for(softphone) if shown else settings_without_password(softphone)
    offered = [each for each in apps() if each.slug not in softphone.account.hidden_apps]
    imported = imports_code(app, softphone) and not trouble
    name_to_be = changes.underway(softphone).get("name", softphone.name)
    return {
        "softphone": softphone,
        "account": softphone.account,
        "here": "mine",
        "trouble": trouble,
        "card": change and own_card(change, request.user, now=now, page=reverse("setup", args=[softphone.pk]), refresh=True),
        "helps_itself": softphone.account.self_service and bool(softphone.audian_id),
        "rename_key": self_service.rename_key(softphone),
        "name_to_be": name_to_be,
        "name_seen": sign_seen(softphone, name_to_be),
        "app": app,
        "recommended": recommended(_agent(request), softphone.account.hidden_apps, softphone.account.recommended_app),
        "on_phone": platform == "mobile",
        "apps_here": [each for each in offered if platform in each.kinds],
        "apps_elsewhere": [each for each in offered if platform not in each.kinds],
        "for_mobile": "desktop" not in app.kinds,
        "scanning_apps": [each for each in offered if platform not in each.kinds and imports_code(each, softphone)],
        "shown": shown,
        "imported": imported,
        "scans": imported and platform == "desktop",
        "steps": app.steps(sip, has_code=imported and platform == "desktop"),
        "by_hand": app.enter_steps(sip),
        "app_fields": app.fields(sip),
        "all_fields": generic_fields(sip),
        "as_text": as_text(sip),
        "taps": bool(not trouble and app.tap_link(setup_links.url("token"), platform)),
        "tap_seconds": settings.SETUP_LINK_SECONDS,
        "light": as_of_now(lights.last_seen(softphone)),
        "light_shown": "",
        "opened": sign_now(softphone.pk),
        "looking": sign_now(softphone.pk),
        "code": None,
        "tap_link": "",
    }


def draw_code(request, softphone: Softphone, app: App, now: datetime) -> Code:
    """A new one-time code. Zoiper's own where the account has a provider id and its service answers, else ours."""
    drawn = setup_links.draw(softphone=softphone, user=request.user, ip=client_ip(request), now=now)
    seconds = settings.SETUP_LINK_SECONDS
    picture = None
    by_service = app.imports_qr == "provider" and imports_code(app, softphone)
    if by_service:
        picture = zoiper_picture.fetch(
            provider_id=softphone.account.zoiper_provider_id, token=drawn.token, sip=settings_for(softphone)
        )
    if picture:
        address = "data:image/png;base64," + b64encode(picture).decode()
        return Code(drawn.link.expires_at, seconds, imported=True, picture=address)
    label = _("QR code that sets up %(name)s") % {"name": softphone.name}
    return Code(
        drawn.link.expires_at,
        seconds,
        imported=app.imports_qr == "own",
        svg=mark_safe(qr_svg(setup_links.url(drawn.token), label)),  # noqa: S308 - built and escaped by ElementTree
        without_service=by_service,
    )


def draw_tap_link(request, softphone: Softphone, app: App, now: datetime) -> str:
    """A new link that opens `app` on this machine and sets it up; '' where this app takes none."""
    platform = platform_of(_agent(request))
    if not app.tap_link(setup_links.url("token"), platform):
        return ""
    drawn = setup_links.draw(softphone=softphone, user=request.user, ip=client_ip(request), now=now)
    return app.tap_link(setup_links.url(drawn.token), platform) or ""


def sign_now(about: int | str) -> str:
    """This moment, signed for the pages about a phone (its primary key), or for one page (its path).

    The light's freshness hangs on when a page was opened.
    """
    return signing.dumps(timezone.now().timestamp(), salt=f"light:{about}")


def signed_time(about: int | str, text: str) -> datetime | None:
    """The moment that `sign_now` signed; None if it was not us."""
    try:
        return datetime.fromtimestamp(signing.loads(text, salt=f"light:{about}"), tz=timezone.get_default_timezone())
    except signing.BadSignature:
        return None


def began(softphone: Softphone, opened_at: datetime | None) -> datetime | None:
    """When this set-up began: when its page was opened, or when the phone got a new password after that.

    A connection that is older has the old password, and is no work of this set-up.
    """
    renewed_at = changes.password_set_at(softphone)
    return max(opened_at, renewed_at) if opened_at and renewed_at else opened_at


def as_of_now(light: lights.Light) -> lights.Light:
    """The light that was seen last, as far as it still says something."""
    return lights.as_of(light, timezone.now())


def shown_as(light: lights.Light) -> str:
    """A light in one word, by which a page says what it already shows."""
    since = int(light.since.timestamp()) if light.since else 0
    return f"{light.state}-{'fresh' if light.fresh else 'old'}-{since}"


def _agent(request) -> str:
    return request.headers.get("User-Agent", "")
