"""The mails that did not go out, or not yet."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from softphones import audit, mail, paging
from softphones.access import MAIL_AGAIN, MAILS, account_for, mail_of_account, mails_again
from softphones.models import Message


@never_cache
@require_safe
def unsent(request, slug):
    account = account_for(request, slug, MAILS)
    found = mail.troubled(account, now=timezone.now())
    state = request.GET.get("state", "")
    counts = {each: found.filter(state=each).count() for each in (Message.State.FAILED, Message.State.QUEUED)}
    shown = found.filter(state=state) if state in counts else found
    page = paging.page_by(
        "created_at", shown, descending=True, after=request.GET.get("after", ""), before=request.GET.get("before", "")
    )
    again = mails_again(request.user, account, [each for each in page.rows if each.kind not in Message.CODES])
    context = {"page": page, "state": state if state in counts else "", "counts": counts, "again": again}
    context["codes"] = Message.CODES
    return render(request, "messages/page.html", context | {"account": account, "here": slug, "part": "mail"})


@never_cache
@require_POST
def again(request, slug, pk):
    message = mail_of_account(request, slug, pk, MAIL_AGAIN)
    try:
        mail.try_again(message=message, by=request.user, ip=audit.client_ip(request), now=timezone.now())
        messages.success(request, _("The mail is on its way again."))
    except mail.NoAddress as why:
        messages.error(request, str(why))
    return redirect("mails", slug=slug)
