"""The history: who did what, on whose softphone, when, from where, why, and how it came out."""

from datetime import date

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from softphones import acts, audit, history
from softphones.access import HISTORY, account_for, has_role
from softphones.models import Membership
from softphones.views.staff import frame

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)  # well inside what every database and time zone can tell


def _day(label) -> forms.DateField:
    within = _("Choose a day from 2000 to 2099.")
    bounds = [MinValueValidator(FIRST_DAY, within), MaxValueValidator(LAST_DAY, within)]
    shown = forms.DateInput(attrs={"type": "date", "min": FIRST_DAY, "max": LAST_DAY}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, widget=shown, validators=bounds)


class HistoryForm(forms.Form):
    """What to show of the history. A field that makes no sense is told and counts as empty."""

    who = forms.CharField(label=_("Who"), required=False, max_length=100)
    whose = forms.CharField(label=_("Whose phone"), required=False, max_length=100)
    act = forms.ChoiceField(label=_("What"), required=False)
    since = _day(_("From"))
    until = _day(_("To"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        names = sorted(((name, str(act.name)) for name, act in acts.ACTS.items()), key=lambda choice: choice[1])
        self.fields["act"].choices = [("", _("Everything")), *names]

    def clean(self) -> dict:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and since > until:
            self.add_error("until", _("The last day is before the first one."))
        return self.cleaned_data

    def filter(self) -> history.Filter:
        self.is_valid()
        return history.Filter(**{name: value for name, value in self.cleaned_data.items() if value})


@never_cache
@require_safe
def events(request, slug):
    account = account_for(request, slug, HISTORY)
    form = HistoryForm(request.GET)
    filter = form.filter()
    found = history.page(account, filter, after=request.GET.get("after", ""), before=request.GET.get("before", ""))
    asked = {name: value for name, value in request.GET.items() if name in form.fields and value}
    context = frame(request, account, "history") | {"form": form, "filter": filter, "page": found}
    return render(request, "history/page.html", context | {"asked": asked, "query": urlencode(asked)})


@never_cache
@require_POST
def export(request, slug):
    """The events of the form as a CSV file, as the page shows them. On record itself, hence no GET."""
    account = account_for(request, slug, HISTORY)
    form = HistoryForm(request.POST)
    filter = form.filter()
    if not form.is_valid():
        return redirect(f"{reverse('history', args=[slug])}?{urlencode(form.data.dict())}")
    now = timezone.now()
    lines = history.csv_lines(account, filter, whole=has_role(request.user, account, Membership.Role.ADMIN))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"history-{account.slug}-{now.astimezone(account.zone):%Y-%m-%d-%H%M}.csv"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    audit.record(act="history:exported", actor=request.user, account=account, ip=audit.client_ip(request), now=now)
    return response
