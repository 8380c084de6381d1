"""The forms of the portal."""

from django import forms
from django.utils.translation import gettext_lazy as _

from softphones.people import codes


class AddressForm(forms.Form):
    email = forms.EmailField(
        label=_("Work e-mail address"),
        max_length=254,
        error_messages={
            "required": _("Enter your e-mail address."),
            "invalid": _("Enter an e-mail address such as name@company.com."),
        },
        widget=forms.EmailInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )


class PasswordForm(AddressForm):
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=4096,
        error_messages={"required": _("Enter your password.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class CodeInput(forms.TextInput):
    """Empty again after a wrong code: on a phone it would have to be deleted first."""

    def format_value(self, value):
        return None


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code from the mail"),
        max_length=40,
        error_messages={"required": _("Enter the code from the mail.")},
        widget=CodeInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", "autofocus": True}
        ),
    )

    def clean_code(self) -> str:
        """The bare digits. Something that can't be a code costs no try."""
        digits = codes.digits(self.cleaned_data["code"])
        if not (digits.isascii() and digits.isdigit() and len(digits) in {codes.SHORT, codes.LONG}):
            raise forms.ValidationError(_("A code has six digits. Enter the one from the mail."))
        return digits
