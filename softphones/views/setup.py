"""The page on which a person sets up one phone."""

from functools import wraps

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from softphones import audit, changes, lights, mail, people, self_service
from softphones.access import RENAME, REPLACE, REVEAL, SEE, softphone_for
from softphones.forms import KeyForm, RenameForm
from softphones.views.cuts import look, looks_again, what_is_cut
from softphones.views.setup_page import (
    LOOKS_FOR,
    began,
    chosen_app,
    draw_code,
    draw_tap_link,
    page,
    shown_as,
    sign_now,
    signed_time,
    trouble_of,
)
from softphones.views.sign_in import prove


@never_cache
@require_safe
def setup(request, pk):
    softphone = softphone_for(request.user, pk, SEE)
    mail.came_to_set_up(softphone=softphone, now=timezone.now())
    return render(request, "setup/page.html#path" if request.htmx else "setup/page.html", page(request, softphone))


def reveals(view):
    """A view that shows the password or hands it on: a POST by the phone's own person, with proof that is fresh.

    A GET, as by a reload or a bookmark of what such a POST answered, leads to the page.
    """

    @wraps(view)
    def guarded(request, pk):
        softphone = softphone_for(request.user, pk, REVEAL)
        back = f"{reverse('setup', args=[pk])}?{urlencode({'app': chosen_app(request, softphone).slug})}"
        if request.method != "POST" or trouble_of(softphone):
            return redirect(back)
        if not people.proof_is_fresh(request):
            return prove(request, back)
        return view(request, softphone)

    return never_cache(require_http_methods(["GET", "HEAD", "POST"])(guarded))


@reveals
def password_shown(request, softphone):
    app = chosen_app(request, softphone)
    audit.record(
        act="password:shown",
        actor=request.user,
        softphone=softphone,
        ip=audit.client_ip(request),
        data={"app": app.slug},
    )
    return _answer(request, softphone, "setup/page.html#path", shown=True)


@reveals
def code(request, softphone):
    drawn = draw_code(request, softphone, chosen_app(request, softphone), timezone.now())
    return _answer(request, softphone, "setup/code.html", code=drawn)


@reveals
def app_link(request, softphone):
    link = draw_tap_link(request, softphone, chosen_app(request, softphone), timezone.now())
    return _answer(request, softphone, "setup/tap.html", tap_link=link)


def _answer(request, softphone, fragment, *, shown=False, **more):
    context = page(request, softphone, shown=shown) | more
    return render(request, fragment if request.htmx else "setup/page.html", context)


@never_cache
@require_safe
def light(request, pk):
    """The light as it is now; 204 while that is what the page already shows, so that nothing is said twice."""
    softphone = softphone_for(request.user, pk, SEE)
    if not request.htmx:
        return redirect("setup", pk)
    now = timezone.now()
    looking = request.GET.get("looking", "")
    looking_since = signed_time(softphone.pk, looking)
    context = {"softphone": softphone, "account": softphone.account, "looking": looking}
    if looking_since is None or now - looking_since > LOOKS_FOR:
        return render(request, "setup/light.html", context | {"stopped": True, "looking": sign_now(softphone.pk)})
    opened_at = began(softphone, signed_time(softphone.pk, request.GET.get("opened", "")))
    seen = lights.watch(softphones=[softphone], now=now, opened_at=opened_at)[softphone.pk]
    if request.GET.get("shown") == shown_as(seen):
        return HttpResponse(status=204)
    return render(request, "setup/light.html", context | {"light": seen, "light_shown": shown_as(seen)})


@never_cache
@require_POST
def rename(request, pk):
    softphone = softphone_for(request.user, pk, RENAME)
    form = RenameForm(request.POST, softphone=softphone)
    if form.is_valid():
        try:
            self_service.rename(
                softphone=softphone,
                user=request.user,
                **form.cleaned_data,
                ip=audit.client_ip(request),
                now=timezone.now(),
            )
        except changes.NothingChanged as said:
            messages.info(request, str(said))
        except (self_service.Refused, changes.NotPossible) as refusal:
            messages.error(request, str(refusal))
    for error in form.errors.get("name", []) + form.errors.get("seen", []):
        messages.error(request, error)
    return redirect("setup", pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def replace(request, pk):
    """Says first what it cuts. A new password is asked for with fresh proof alone."""
    softphone, now = softphone_for(request.user, pk, REPLACE), timezone.now()
    if looks_again(request):
        return look(request, [softphone], "setup/replace.html#cut")
    if request.method != "POST":
        return render(request, "setup/replace.html", _what_replacing_cuts(request, softphone, now))
    if not people.proof_is_fresh(request):
        return prove(request, reverse("replace", args=[pk]))
    try:
        self_service.replace(
            softphone=softphone,
            user=request.user,
            key=KeyForm(request.POST).sent_key,
            ip=audit.client_ip(request),
            now=now,
        )
    except (self_service.Refused, changes.NotPossible) as refusal:
        messages.error(request, str(refusal))
    return redirect("setup", pk)


def _what_replacing_cuts(request, softphone, now):
    return what_is_cut(request, [softphone]) | {
        "softphone": softphone,
        "here": "mine",
        "key": self_service.replace_key(softphone),
        "refused": self_service.no_more_passwords(request.user, softphone.account, now=now),
        "ready": trouble_of(softphone) in ("", "no_password"),
    }
