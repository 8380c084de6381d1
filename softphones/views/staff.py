"""What helpdesk and admins see of an account."""

from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from softphones import lights
from softphones.access import LIST, account_for
from softphones.models import Softphone, SyncRun
from softphones.paging import page_by_name
from softphones.views.setup_page import as_of_now


@never_cache
@require_safe
def softphones(request, slug):
    account = account_for(request.user, slug, LIST)
    present = Softphone.objects.filter(account=account).present().select_related("account", "owner").defer("password")
    page = page_by_name(present, after=request.GET.get("after", ""), before=request.GET.get("before", ""))
    runs = SyncRun.objects.filter(account=account).order_by("-started_at")
    context = {
        "account": account,
        "here": slug,
        "page": page,
        "rows": [(phone, as_of_now(lights.last_seen(phone))) for phone in page.rows],
        "run": runs.first(),
        "complete": runs.filter(state=SyncRun.State.COMPLETE).first(),
    }
    return render(request, "staff/softphones.html", context)
