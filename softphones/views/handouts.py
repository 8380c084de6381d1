"""Hand-outs to print: one page a person, with the address of their set-up page. It holds neither token nor password."""

from dataclasses import dataclass

from django.conf import settings
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from softphones import imports
from softphones.access import MANAGE, account_for
from softphones.clients import App, Step, app_for, apps, qr_svg, recommended
from softphones.models import Account, Import
from softphones.sip_settings import settings_without_password
from softphones.views.setup_page import imports_code
from softphones.views.staff import frame


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page: `address` opens the set-up page, or the list of their softphones where it is several; `code` draws it.

    `steps`: what they do in the app, each with the names that the app has for what is entered.
    """

    handout: imports.Handout
    address: str
    code: SafeString
    scans: bool
    steps: list[tuple[Step, list[str]]]


@never_cache
@require_safe
def handouts(request, slug, pk):
    account = account_for(request, slug, MANAGE)
    batch = get_object_or_404(Import.objects.filter(account=account, kind=Import.Kind.CREATE), pk=pk)
    found = imports.handouts(batch=batch, after=request.GET.get("after", ""), before=request.GET.get("before", ""))
    app = _app(account)
    context = frame(request, account, "imports") | {
        "batch": batch,
        "found": found,
        "app": app,
        "install": app.install_step(),
        "microphone": app.microphone_step(),
        "sheets": [_sheet(each, app) for each in found.pages],
    }
    return render(request, "imports/handouts.html", context)


def _app(account: Account) -> App:
    """The account's recommended one, on whichever machine it runs; else the first for a mobile: paper meets a camera."""
    slug = account.recommended_app
    if slug in {app.slug for app in apps()} and slug not in account.hidden_apps:
        return app_for(slug)
    return recommended("Mobile", account.hidden_apps, slug)


def _sheet(handout: imports.Handout, app: App) -> Sheet:
    phone = handout.softphones[0]
    path = reverse("setup", args=[phone.pk]) if len(handout.softphones) == 1 else reverse("softphones")
    address = f"{settings.PUBLIC_URL}{path}"
    label = _("Code with the address %(address)s") % {"address": address}
    sip = settings_without_password(phone)
    labels = {field.key: str(field.label) for field in app.fields(sip)}
    scans = imports_code(app, phone)
    steps = app.scan_steps() if scans else app.enter_steps(sip)
    return Sheet(
        handout,
        address,
        mark_safe(qr_svg(address, label)),  # noqa: S308 - built and escaped by ElementTree
        scans,
        [(step, [labels[key] for key in step.fields]) for step in steps],
    )
