"""What admins do to one softphone: create, edit, delete. Each leads to the page of the change."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from softphones import audit, changes, lights, search
from softphones.access import MANAGE, account_for, is_oneself, phone_of_account
from softphones.forms import primary_key
from softphones.models import Owner
from softphones.staff_forms import CreateForm, DeleteForm, EditForm
from softphones.views.staff import frame

OWNERS_SHOWN = 8


@never_cache
@sensitive_post_parameters("sip_password")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request, slug):
    account = account_for(request, slug, MANAGE)
    looking = "find" in request.POST
    initial = {"enabled": True, "key": get_random_string(20), "owner": _asked_owner(request, account)}
    form = CreateForm(request.POST or None, account=account, by=request.user, initial=initial)
    if not looking and form.is_valid():
        wanted = form.cleaned_data
        change = changes.create(
            account=account,
            by=request.user,
            username=wanted.pop("sip_username"),
            password=wanted.pop("sip_password"),
            ip=audit.client_ip(request),
            now=timezone.now(),
            **wanted,
        )
        return redirect("staff_change", slug, change.pk)
    context = frame(request, account, "softphones") | {"form": form} | _owners(request, account, form)
    return render(request, "staff/create.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request, slug, pk):
    phone = phone_of_account(request, slug, pk, MANAGE)
    form = EditForm(request.POST or None, account=phone.account, by=request.user, softphone=phone)
    if "find" not in request.POST and form.is_valid():
        values, seen, key = form.values(), form.cleaned_data["seen"], form.cleaned_data["key"]
        given = {"values": values, "seen": {name: seen[name] for name in values}, "key": key}
        return _ask(request, changes.update, phone, **given)
    context = frame(request, phone.account, "softphones") | {"form": form, "softphone": phone}
    return render(request, "staff/edit.html", context | _owners(request, phone.account, form))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request, slug, pk):
    phone = phone_of_account(request, slug, pk, MANAGE)
    form = DeleteForm(request.POST or None, softphone=phone, initial={"key": get_random_string(20)})
    if form.is_valid():
        return _ask(request, changes.delete, phone, key=form.cleaned_data["key"])
    seen = lights.watch(softphones=[phone], now=timezone.now())[phone.pk]
    context = frame(request, phone.account, "softphones") | {"form": form, "softphone": phone, "light": seen}
    return render(request, "staff/delete.html", context)


@never_cache
@require_safe
def owners(request, slug):
    """The people whom a search finds, to choose one from: a fragment."""
    account = account_for(request, slug, MANAGE)
    if not request.htmx:
        raise Http404
    chosen = _owner(account, request.GET.get("owner", ""))
    context = _matching(request, account, request.GET.get("owner_text", ""), chosen)
    return render(request, "staff/owners.html", context)


def _ask(request, act, phone, **values):
    given = {"by": request.user, "ip": audit.client_ip(request), "now": timezone.now()}
    try:
        change = act(softphone=phone, **given, **values)
    except changes.NothingChanged as said:
        messages.info(request, str(said))
        return redirect(request.path)
    except changes.NotPossible as reason:
        messages.error(request, str(reason))
        return redirect("staff_softphones", phone.account.slug)
    return redirect("staff_change", phone.account.slug, change.pk)


def _owners(request, account, form) -> dict:
    """What the choice of a person shows: the chosen one, and those whom a search found."""
    return _matching(request, account, request.POST.get("owner_text", ""), _owner(account, form["owner"].value()))


def _matching(request, account, text: str, chosen: Owner | None) -> dict:
    found = search.find(account=account, text=text)
    rows = Owner.objects.filter(pk__in=found.owners[:OWNERS_SHOWN], gone_at=None)
    people = [each for each in rows.order_by("name", "id") if each != chosen and not is_oneself(each, request.user)]
    more = len(found.owners) > OWNERS_SHOWN
    return {"account": account, "owner_text": text, "chosen": chosen, "people": people, "more": more}


def _owner(account, pk) -> Owner | None:
    return Owner.objects.filter(account=account, pk=primary_key(str(pk))).first()


def _asked_owner(request, account) -> int | None:
    """The person for whom the page was opened, from their own page."""
    owner = _owner(account, request.GET.get("owner", ""))
    return owner.pk if owner else None
