"""The forms of the portal."""

import secrets

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import validate_totp_code
from allauth.mfa.webauthn.forms import AddWebAuthnForm, AuthenticateWebAuthnForm
from django import forms
from django.core import signing
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from softphones import limits, names
from softphones.models import Softphone, User
from softphones.people import codes

LARGEST_KEY = 2**63 - 1
_OLD_PAGE = _("Not renamed: the page was old. Try again.")


def primary_key(text: str) -> int | None:
    """The primary key that a visitor sent; None where it can't be one."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST_KEY))
    return int(text) if is_number and int(text) <= LARGEST_KEY else None


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


class NameForm(forms.Form):
    """What a softphone is to be called; `key` tells the same press from another one."""

    name = forms.CharField(
        max_length=128,
        validators=[names.check_visible],
        error_messages={
            "required": _("A softphone needs a name, such as “Alice Smith - mobile”."),
            "max_length": _("A name has 128 characters at most."),
        },
    )
    key = forms.CharField(required=False, max_length=40)

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())


class RenameForm(NameForm):
    """A new name for a softphone; `seen` is the one that was on the page, as `sign_seen` gave it out with it."""

    seen = forms.CharField(error_messages={"required": _OLD_PAGE})

    def __init__(self, *args, softphone: Softphone, **kwargs):
        super().__init__(*args, **kwargs)
        self.softphone = softphone

    def clean_seen(self) -> str:
        try:
            return signing.loads(self.cleaned_data["seen"], salt=_salt(self.softphone))
        except signing.BadSignature:
            raise forms.ValidationError(_OLD_PAGE) from None


def sign_seen(softphone: Softphone, name: str) -> str:
    """This name of the softphone's, signed: nobody can say that they saw another one."""
    return signing.dumps(name, salt=_salt(softphone))


def _salt(softphone: Softphone) -> str:
    return f"forms.seen:{softphone.pk}"


class NewSoftphoneForm(NameForm):
    """The name of a new softphone; none means the default one."""

    name = forms.CharField(
        required=False,
        max_length=128,
        validators=[names.check_visible],
        error_messages={"max_length": _("A name has 128 characters at most.")},
    )


def _app_code(label, **more) -> forms.CharField:
    attributes = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", "autofocus": True}
    wanted = {"required": _("Enter the code that your app shows.")}
    return forms.CharField(label=label, max_length=40, error_messages=wanted, widget=forms.TextInput(attrs=attributes), **more)


class FactorCodeForm(AuthenticateForm):
    """A code from `user`'s authenticator app, or a recovery code; each opens once. Wrong ones are limited."""

    code = _app_code(_("Code from your app"))

    def __init__(self, *args, user: User, browser: str, **kwargs):
        super().__init__(*args, user=user, **kwargs)
        self.limits = [("factor_browser", user.pk, browser), ("factor_person", user.pk)]

    def clean_code(self) -> str:
        now = timezone.now()
        if not all(limits.take(*each, now=now) for each in self.limits):
            raise forms.ValidationError(_("Too many wrong codes. Wait five minutes, or use a passkey."))
        digits = codes.digits(super().clean_code())
        if self.authenticator.type == Authenticator.Type.TOTP and not limits.take("factor_code", self.user.pk, digits, now=now):
            raise forms.ValidationError(_("This code has been used. Wait until your app shows the next one."))
        for each in self.limits:
            limits.give_back(*each)
        return digits


class EnrolAppForm(forms.Form):
    """The first code of an authenticator app that has learned `secret`."""

    code = _app_code(_("Code that the app shows"))

    def __init__(self, *args, secret: str, **kwargs):
        super().__init__(*args, **kwargs)
        self.secret = secret

    def clean_code(self) -> str:
        if not validate_totp_code(self.secret, self.cleaned_data["code"]):
            raise get_adapter().validation_error("incorrect_code")
        return self.cleaned_data["code"]


class _Passkey:
    """What a browser sent need not be a passkey's answer at all, and allauth lets some of fido2's errors through."""

    def _checked(self, check):
        try:
            return check()
        except (AttributeError, KeyError, TypeError, ValueError):
            raise get_adapter().validation_error("incorrect_code") from None


class EnrolPasskeyForm(_Passkey, AddWebAuthnForm):
    name = forms.CharField(
        label=_("Name of the passkey"),
        required=False,
        max_length=100,
        help_text=_("So that you know it again, such as “Laptop”."),
    )

    def clean(self) -> dict:
        return self._checked(super().clean)


class PasskeyForm(_Passkey, AuthenticateWebAuthnForm):
    """A passkey of `user`'s, shown. What it signs can't be guessed, so nothing is limited."""

    def clean_credential(self) -> Authenticator:
        return self._checked(super().clean_credential)


class KeyForm(forms.Form):
    """A form whose `key` is drawn with it: sent twice, it is done once."""

    key = forms.CharField(max_length=60, required=False, initial=lambda: secrets.token_urlsafe(16), widget=forms.HiddenInput)

    @property
    def sent_key(self) -> str:
        """The key, empty where it can't be one of ours."""
        return self.cleaned_data["key"] if self.is_valid() else ""


class ReasonForm(KeyForm):
    """Why something is done to somebody's phone."""

    reason = forms.CharField(
        label=_("Reason or ticket number"),
        required=False,
        max_length=300,
        help_text=_("Optional. It stands in the history."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )


class ConfirmPersonForm(forms.Form):
    reset = forms.BooleanField(required=False)
