"""Bulk work: a spreadsheet to check, and one page for each import, from the check to the result."""

from urllib.parse import urlsplit

from django.contrib import messages
from django.http import QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import reswap, retarget, trigger_client_event

from softphones import audit, imports
from softphones.access import MANAGE, account_for
from softphones.import_forms import StartForm, UploadForm
from softphones.models import Import
from softphones.views import import_page
from softphones.views.staff import frame


@never_cache
@sensitive_post_parameters("text")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
def listed(request, slug):
    """A spreadsheet to be checked, and the newest bulk work."""
    account = account_for(request, slug, MANAGE)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_bound and form.is_valid():
        asked = {"account": account, "by": request.user, "now": timezone.now()}
        batch = imports.check(file=form.content(), name=form.name(), **asked)
        _drop(account, form.cleaned_data["instead_of"], batch, request.user)
        if batch.state != Import.State.CHECKED:
            messages.info(request, _("This file is being imported already. Here is how far it is."))
        return redirect("import", slug, batch.pk)
    page = imports.newest(account, after=request.GET.get("after", ""), before=request.GET.get("before", ""))
    import_page.with_headlines(page.rows)
    context = {"form": form, "columns": imports.columns(), "limits": imports.LIMITS, "page": page}
    return render(request, "imports/list.html", frame(request, account, "imports") | context)


@require_safe
def template(request, slug):
    account_for(request, slug, MANAGE)
    return _csv(imports.template_csv(), "softphones.csv")


@never_cache
@require_safe
def batch(request, slug, pk):
    """One import: what it would do, how far it is, or what came of it. While it moves, the page asks again by itself."""
    found = _batch(request, slug, pk)
    query = _query_of_page(request) if request.htmx.target == "live" else request.GET
    context = import_page.context(found, query, now=timezone.now()) | frame(request, found.account, "imports")
    if not request.htmx or request.htmx.history_restore_request:
        return render(request, "imports/page.html", context)
    if request.htmx.target == "rows":
        return render(request, "imports/page.html#rows", context)
    if request.GET.get("shown") == context["progress"].state:
        return render(request, "imports/page.html#live", context)
    # It came into another state: all of it is drawn anew, and said.
    response = render(request, "imports/page.html#batch", context)
    trigger_client_event(response, "say", context["progress"].sentence)
    return reswap(retarget(response, "#batch"), "outerHTML")


@require_POST
def start(request, slug, pk):
    found = _batch(request, slug, pk)
    now = timezone.now()
    form = StartForm(request.POST, batch=found, said=imports.summary(found, now=now))
    if found.state == Import.State.CHECKED and form.is_valid():
        try:
            imports.start(batch=found, by=request.user, ip=audit.client_ip(request), now=now, **form.cleaned_data)
        except imports.NotPossible as reason:
            messages.error(request, str(reason))
    if found.state != Import.State.CHECKED or form.is_valid():
        return redirect("import", slug, pk)
    context = import_page.context(found, request.GET, now=now, form=form) | frame(request, found.account, "imports")
    return render(request, "imports/page.html", context)


@require_POST
def pause(request, slug, pk):
    return _do(request, slug, pk, imports.pause)


@require_POST
def resume(request, slug, pk):
    return _do(request, slug, pk, imports.resume)


@require_POST
def cancel(request, slug, pk):
    """End the rest. What was only checked is dropped."""
    found = _batch(request, slug, pk)
    if found.state != Import.State.CHECKED:
        return _do(request, slug, pk, imports.cancel)
    imports.cancel(batch=found, by=request.user, ip=audit.client_ip(request), now=timezone.now())
    if Import.objects.filter(pk=pk).exists():  # somebody started it just before
        return redirect("import", slug, pk)
    messages.success(request, _("%(name)s is dropped. Nothing was changed.") % {"name": found.name})
    return redirect("imports", slug)


@require_POST
def again(request, slug, pk):
    """What failed of it, or was not done, as an import of its own, which asks before it starts."""
    found = _batch(request, slug, pk)
    try:
        rest = imports.check_rest(batch=found, by=request.user, now=timezone.now())
    except imports.NotPossible as reason:
        messages.error(request, str(reason))
        return redirect("import", slug, pk)
    return redirect("import", slug, rest.pk)


@require_POST
def undo(request, slug, pk):
    """What undoing would do, as an import of its own, which asks before it starts."""
    undone = imports.undo(batch=_batch(request, slug, pk), by=request.user, now=timezone.now())
    return redirect("import", slug, undone.pk)


@require_POST
def mails(request, slug, pk):
    """Whom it would mail, as an import of its own, which asks before it starts."""
    mailed = imports.mail_setup(batch=_batch(request, slug, pk), by=request.user, now=timezone.now())
    return redirect("import", slug, mailed.pk)


@never_cache
@require_safe
def result(request, slug, pk):
    """What has become of each row, as a file that can be mended or imported again."""
    found = _batch(request, slug, pk)
    return _csv(imports.result_csv(found), f"{found.name.rpartition('.')[0] or found.name}-result.csv")


def _batch(request, slug: str, pk: int) -> Import:
    """The import, if the visitor is an admin of its account. Raises as account_for does."""
    account = account_for(request, slug, MANAGE)
    return get_object_or_404(Import.objects.select_related("account", "asked_by", "parent"), account=account, pk=pk)


def _query_of_page(request) -> QueryDict:
    """What the address of the page asks for, in which a part looks again."""
    return QueryDict(urlsplit(request.htmx.current_url_abs_path or "").query)


def _do(request, slug, pk, act):
    act(batch=_batch(request, slug, pk), by=request.user, ip=audit.client_ip(request), now=timezone.now())
    return redirect("import", slug, pk)


def _drop(account, pk: int | None, instead: Import, by) -> None:
    """Forget the check of a file that was mended since."""
    checked = Import.objects.filter(account=account, pk=pk, state=Import.State.CHECKED).exclude(pk=instead.pk).first()
    if checked:
        imports.cancel(batch=checked, by=by, now=timezone.now())


def _csv(lines, name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response
