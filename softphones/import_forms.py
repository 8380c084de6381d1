"""The forms of bulk work: a spreadsheet to check, and the one question before the start."""

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from softphones import imports
from softphones.imports.reading import MOST_BYTES, too_large
from softphones.models import Import


class PastedRows(forms.Textarea):
    """Never shown again: passwords may stand in them."""

    def format_value(self, value):
        return None


class UploadForm(forms.Form):
    """A file, or rows that were pasted. `instead_of`: the check that this one replaces, where somebody mends a file."""

    file = forms.FileField(
        label=lazy("CSV or Excel file"),
        required=False,
        allow_empty_file=True,  # the check says what is wrong with it
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx,text/csv"}),
    )
    text = forms.CharField(
        label=lazy("Rows, with their header"),
        required=False,
        strip=False,
        widget=PastedRows(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off", "wrap": "off"}),
    )
    instead_of = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # What no text may hold is told by the check, with its line.
        self.fields["text"].validators = []

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file is not None and file.size > MOST_BYTES:
            raise forms.ValidationError(too_large(file.size))
        return file

    def clean(self) -> dict:
        file, text = self.cleaned_data.get("file"), self.cleaned_data.get("text", "")
        if self.errors.pop("instead_of", None):
            self.add_error(None, _("The page that this came from is not known. Choose the file again."))
        if file is not None and text.strip():
            self.add_error("text", _("There are both a file and pasted rows. Give one of the two."))
        elif file is None and not text.strip() and not self.errors:
            self.add_error("file", _("Choose a file, or paste rows."))
        return self.cleaned_data

    def content(self) -> bytes:
        file = self.cleaned_data["file"]
        return self.cleaned_data["text"].encode() if file is None else file.read()

    def name(self) -> str:
        """Of the file; "" for pasted rows."""
        file = self.cleaned_data["file"]
        return "" if file is None else file.name


class StartForm(forms.Form):
    """The question before the start. What does not apply to this import is not asked."""

    skip_errors = forms.BooleanField(required=False)
    skip_owned = forms.BooleanField(required=False)
    typed = forms.IntegerField(required=False, widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}))

    def __init__(self, *args, batch: Import, said: imports.Summary, **kwargs):
        super().__init__(*args, **kwargs)
        self.batch, self.said = batch, said
        labels = {"skip_errors": _errors(batch), "skip_owned": _owned(batch), "typed": _("Type %(count)d to confirm")}
        counts = {"skip_errors": said.errors, "skip_owned": batch.owned, "typed": said.will}
        for name, label in labels.items():
            self.fields[name].label = label % {"count": counts[name]}
        self.fields["typed"].error_messages["invalid"] = _("Type the number, in digits.")
        asked = {"skip_errors": said.errors, "skip_owned": batch.owned, "typed": said.has_to_type}
        for name, applies in asked.items():
            if not applies:
                del self.fields[name]

    def clean_skip_errors(self) -> bool:
        if not self.cleaned_data["skip_errors"]:
            raise forms.ValidationError(_("Tick this to start without them."))
        return True

    def clean_typed(self) -> int | None:
        typed = self.cleaned_data["typed"]
        if typed != self.said.will:
            raise forms.ValidationError(_("Type the number %(count)d to confirm."), params={"count": self.said.will})
        return typed


def _errors(batch: Import) -> str:
    if batch.is_file:
        return ngettext("Leave out the %(count)d row with an error", "Leave out the %(count)d rows with errors", batch.errors)
    return ngettext("Leave out the one that is not possible", "Leave out the %(count)d that are not possible", batch.errors)


def _owned(batch: Import) -> str:
    return ngettext(
        "Leave out the %(count)d row whose person has a softphone already",
        "Leave out the %(count)d rows whose person has a softphone already",
        batch.owned,
    )
