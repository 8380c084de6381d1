"""What helpdesk and admins see of an account."""

from django.shortcuts import render
from django.views.decorators.http import require_safe

from softphones.access import LIST, account_for


@require_safe
def softphones(request, slug):
    account = account_for(request.user, slug, LIST)
    return render(request, "staff/softphones.html", {"account": account, "here": slug})
