"""What somebody chose in a list: the rows that they ticked, or all that its filter finds."""

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from softphones import imports, listing
from softphones.forms import primary_key
from softphones.models import Account, Import, Owner, Softphone, User
from softphones.staff_forms import ListForm

Kind = Import.Kind

#: What one piece of bulk work takes, as of a file.
MOST = 5_000


class KeysField(forms.Field):
    """Primary keys: one a value, or several with commas between them. What is none counts as not there."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: list[str]) -> set[int]:
        return {primary_key(key) for key in ",".join(value or []).split(",")} - {None}


class ChoiceOfRows(forms.Form):
    """`pick`: the ticked ones. `all`: instead, everything that the list finds, whose query `here` is.

    Valid, `chosen` are the rows: at least one, at most MOST. Each kind of list says what can be ticked (`rows`) and what it
    finds (`found`, which raises ValidationError where nobody can see how much that is).
    """

    pick = KeysField(required=False)
    all = forms.BooleanField(required=False)
    here = forms.CharField(required=False, max_length=2000)
    nothing = _("Nothing is ticked.")

    def __init__(self, *args, account: Account, by: User, **kwargs):
        super().__init__(*args, **kwargs)
        self.account, self.by = account, by

    @property
    def query(self) -> QueryDict:
        """The list's query, for the way back too; whatever somebody wrote there."""
        return QueryDict(self.data.get("here", "")[:2000])

    @property
    def said(self) -> str:
        """What is wrong, in one sentence."""
        return str(next(iter(self.errors.values()))[0])

    def clean(self) -> dict:
        if not self.cleaned_data.get("all") and not self.cleaned_data.get("pick"):
            raise forms.ValidationError(self.nothing)
        rows = self.found() if self.cleaned_data["all"] else self.rows().filter(pk__in=self.cleaned_data["pick"])
        chosen = list(rows[: MOST + 1])
        if not chosen:
            raise forms.ValidationError(_("What was chosen is not there any more. Look at the list again."))
        if len(chosen) > MOST:
            raise forms.ValidationError(_("At most 5,000 go at once. Narrow the list down."))
        return self.cleaned_data | {"chosen": chosen}


class ActOnSoftphones(ChoiceOfRows):
    kind = forms.ChoiceField(
        choices=[(kind.value, kind.label) for kind in (Kind.ENABLE, Kind.DISABLE, Kind.RESET, Kind.SEND_LINKS, Kind.DELETE)],
        error_messages=dict.fromkeys(("required", "invalid_choice"), _("Choose what to do with them.")),
    )
    nothing = _("No softphone is ticked. Tick those that you mean, then choose what to do.")

    def rows(self) -> QuerySet[Softphone]:
        return Softphone.objects.present().filter(account=self.account).defer("password")

    def found(self) -> QuerySet[Softphone]:
        rows, capped = listing.softphones(self.account, ListForm(self.query).filter())
        if capped:
            raise forms.ValidationError(_("More are found than shown. Type more, so that you see what you choose."))
        return rows.present().defer("password")


class SoftphonesForPeople(ChoiceOfRows):
    nothing = _("Nobody is ticked. Tick those who get a softphone.")

    def rows(self) -> QuerySet[Owner]:
        return self.found_by("")

    def found(self) -> QuerySet[Owner]:
        return self.found_by(self.query.get("text", ""))

    def found_by(self, text: str) -> QuerySet[Owner]:
        people = imports.people_without(account=self.account, by=self.by, text=text.strip())
        return people.filter(is_oneself=False)
