"""The overview of an account, and the list of its softphones."""

from django.http import QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from softphones import helpdesk, imports, listing, mail, mirror, search, vitals
from softphones.access import LIST, account_for, has_role
from softphones.bulk_forms import MOST
from softphones.models import Change, Import, Membership, SyncRun
from softphones.staff_forms import ListForm
from softphones.views import list_rows
from softphones.views.import_page import with_headlines

_COLUMNS = ("name", "number", "seen")


@never_cache
@require_safe
def home(request, slug):
    account = account_for(request, slug, LIST)
    context = frame(request, account, "home") | {
        "run": SyncRun.objects.filter(account=account).order_by("-started_at").first(),
        "held": mirror.held(account),
        "leaving": helpdesk.people_leaving(account),
        "unsynced": listing.unsynced(account).values("softphone").distinct().count(),
        "failed": listing.failed(account).count(),
        "faults": listing.softphones(account, listing.Filter(trouble="fault"))[0].count(),
        "charges": Change.objects.filter(account=account, state=Change.State.HELD, folded_into=None).count(),
        "unsent": mail.troubled(account, now=timezone.now()).filter(state="failed").count(),
    }
    context["calm"] = not context["unsynced"] and not vitals.is_silent()
    context |= _bulk(account) if context["manages"] else {"stopped": [], "under_way": []}
    return render(request, "staff/home.html", context)


@never_cache
@require_safe
def softphones(request, slug):
    account = account_for(request, slug, LIST)
    form = ListForm(request.GET)
    filter, order = form.filter(), _order(request)
    if request.htmx.target == "matching":
        return matching(request, listing.softphones(account, filter)[0])
    marks = {name: request.GET.get(name, "") for name in ("after", "before")}
    page, capped = listing.page(account, filter, order=order, **marks)
    wishes = listing.open_changes(page.rows)
    context = frame(request, account, "softphones")
    chooses = context["manages"] and filter.state != "gone"
    context |= {
        "form": form,
        "filter": filter,
        "page": page,
        "capped": capped and search.MOST,
        "choose_all": not capped,
        "rows": list_rows.rows(page.rows, slug, wishes, chooses=chooses),
        "chooses": chooses,
        "orders": {column: _turned(request, column, order) for column in _COLUMNS},
        "order": order,
        "query": _query(request),
        "read": not page.rows and listing.last_read(account),
    }
    return render(request, "staff/softphones.html#list" if request.htmx else "staff/softphones.html", context)


def matching(request, rows):
    """How many rows a list finds on all its pages, as far as one piece of bulk work takes them: a fragment."""
    found = len(rows.values_list("pk")[: MOST + 1])
    return render(request, "imports/matching.html", {"found": found, "most": MOST})


def frame(request, account, part: str) -> dict:
    """What the frame of a staff page needs, and whether the visitor is an admin."""
    manages = has_role(request.user, account, Membership.Role.ADMIN)
    return {"account": account, "here": account.slug, "part": part, "manages": manages}


def _bulk(account) -> dict:
    """The bulk work that waits for an admin, and that goes by itself."""
    found = with_headlines(imports.under_way(account))
    stopped = [batch for batch in found if batch.state in (Import.State.CHECKED, Import.State.PAUSED)]
    return {"stopped": stopped, "under_way": [batch for batch in found if batch not in stopped]}


def _order(request) -> str:
    order = request.GET.get("order", "")
    return order if order.removeprefix("-") in _COLUMNS else "name"


def _turned(request, column: str, order: str) -> tuple[str, str]:
    """The query that orders by this column, or turns it round; and how it is ordered now, in ARIA's words."""
    query = request.GET.copy()
    for mark in ("after", "before"):
        query.pop(mark, None)
    first = f"-{column}" if column == "seen" else column
    other = column if column == "seen" else f"-{column}"
    query["order"] = other if order == first else first
    now = {column: "ascending", f"-{column}": "descending"}.get(order, "none")
    return query.urlencode(), now


def _query(request) -> str:
    """The address's filters and order, without the page."""
    query = QueryDict(mutable=True)
    for name, value in request.GET.items():
        if value and name in {*ListForm.base_fields, "order"}:
            query[name] = value
    return query.urlencode()
