"""The forms of bulk work: a spreadsheet to check, and the one question before the start."""

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from softphones import imports
from softphones.imports.reading import MOST_BYTES
from softphones.models import Import


class UploadForm(forms.Form):
    """A file, or rows that were pasted. `instead_of`: the check that this one replaces, where somebody mends a file."""

    file = forms.FileField(
        label=_("CSV or Excel file"),
        required=False,
        allow_empty_file=True,  # the check says what is wrong with it
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx,text/csv"}),
    )
    text = forms.CharField(
        label=_("Or paste the rows"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off", "wrap": "off"}),
    )
    instead_of = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict:
        given = self.cleaned_data
        if given.get("file") and given.get("text", "").strip():
            self.add_error("text", _("There are a file and pasted rows. Empty one of the two."))
        elif given.get("file") is None and not given.get("text", "").strip() and not self.errors:
            self.add_error("file", _("Choose a file, or paste the rows with their header."))
        return given

    def content(self) -> bytes:
        """What is to be checked; of a file that is too large no more than it takes to see that."""
        file = self.cleaned_data["file"]
        return file.read(MOST_BYTES + 1) if file is not None else self.cleaned_data["text"].encode()

    def name(self) -> str:
        file = self.cleaned_data["file"]
        return file.name if file is not None else ""


class StartForm(forms.Form):
    """The question before the start. What does not apply to this import is not asked."""

    skip_errors = forms.BooleanField(required=False)
    skip_owned = forms.BooleanField(required=False)
    typed = forms.IntegerField(required=False, widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}))

    def __init__(self, *args, batch: Import, said: imports.Summary, **kwargs):
        super().__init__(*args, **kwargs)
        self.batch, self.said = batch, said
        self.fields["skip_errors"].label = ngettext(
            "Leave out the %(count)d row with an error", "Leave out the %(count)d rows with errors", said.errors
        ) % {"count": said.errors}
        self.fields["typed"].label = _("Type %(count)d to confirm") % {"count": said.will}
        self.fields["typed"].error_messages["invalid"] = _("Type the number, in digits.")
        self.fields["skip_owned"].label = ngettext(
            "Leave out the %(count)d row whose person has a softphone already",
            "Leave out the %(count)d rows whose person has a softphone already",
            batch.owned,
        ) % {"count": batch.owned}
        asked = {"skip_errors": said.errors, "skip_owned": batch.owned, "typed": said.has_to_type}
        for name, applies in asked.items():
            if not applies:
                del self.fields[name]

    def clean_skip_errors(self) -> bool:
        if not self.cleaned_data["skip_errors"]:
            raise forms.ValidationError(_("Mend these rows, or tick this to start without them."))
        return True

    def clean_typed(self) -> int | None:
        typed = self.cleaned_data["typed"]
        if typed != self.said.will:
            raise forms.ValidationError(_("Type the number %(count)d to confirm."), params={"count": self.said.will})
        return typed
