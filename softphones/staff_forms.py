"""The forms of staff pages."""

import re

from django import forms
from django.core import signing
from django.utils.crypto import get_random_string
from django.utils.translation import gettext_lazy as _

from softphones import changes, listing, names
from softphones.access import is_oneself
from softphones.models import Account, Membership, Owner, Softphone, User

_ANY = ("", _("Any"))
_LONGEST_CALLER_ID = 35  # kazoo-schemas: caller_id
_SEEN = "staff_forms.seen"
FIELDS = ("name", "enabled", "caller_id_number", "caller_id_name")


class _Asked(forms.Form):
    """A form of the address: what makes no sense in it counts as not asked for."""

    def asked(self) -> dict[str, str]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


class ListForm(_Asked):
    text = forms.CharField(
        label=_("Find"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name, number, username"), "autocomplete": "off"}),
    )
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[_ANY, ("enabled", _("Switched on")), ("disabled", _("Switched off")), ("gone", _("Deleted at Audian"))],
    )
    owner = forms.ChoiceField(
        label=_("Person"),
        required=False,
        choices=[_ANY, ("has", _("Has one")), ("none", _("Nobody")), ("dangling", _("Unknown at Audian"))],
    )
    connected = forms.ChoiceField(
        label=_("Connection"),
        required=False,
        choices=[_ANY, ("yes", _("Connected")), ("no", _("Not connected")), ("unknown", _("Not known"))],
    )
    trouble = forms.ChoiceField(
        label=_("Trouble"),
        required=False,
        choices=[
            _ANY,
            ("unsynced", _("Change on its way")),
            ("failed", _("Change failed")),
            ("fault", _("Fault at Audian")),
        ],
    )

    def filter(self) -> listing.Filter:
        return listing.Filter(**self.asked())


class MembersForm(_Asked):
    text = forms.CharField(
        label=_("Find"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name or address"), "autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        label=_("Role"),
        required=False,
        choices=[("", _("Staff")), ("admin", _("Admins")), ("helpdesk", _("Helpdesk")), ("user", _("Users"))],
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(
        choices=[
            (Membership.Role.USER, _("user")),
            (Membership.Role.HELPDESK, _("helpdesk")),
            (Membership.Role.ADMIN, _("admin")),
        ]
    )

    def name(self) -> str:
        """What the chosen role is called."""
        return dict(self.fields["role"].choices)[self.cleaned_data["role"]]


class SoftphoneForm(forms.Form):
    """What an admin says of a softphone. `owner` is the primary key of one of the account's people, or empty."""

    name = forms.CharField(
        label=_("Name"),
        max_length=128,
        validators=[names.check_visible],
        error_messages={"required": _("Give the softphone a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    owner = forms.ModelChoiceField(label=_("Person"), queryset=Owner.objects.none(), required=False)
    caller_id_number = forms.RegexField(
        r"^[+*#\d ().-]*$",
        label=_("Extension"),
        required=False,
        max_length=_LONGEST_CALLER_ID,
        help_text=_("Colleagues see this number when the phone calls."),
        error_messages={"invalid": _("An extension has digits, such as 1001.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "tel"}),
    )
    caller_id_name = forms.CharField(
        label=_("Caller name"),
        required=False,
        max_length=_LONGEST_CALLER_ID,
        help_text=_("Colleagues see this name when the phone calls."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    enabled = forms.BooleanField(label=_("Switched on"), required=False)
    key = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)

    def __init__(self, *args, account: Account, by: User, **kwargs):
        super().__init__(*args, **kwargs)
        self.account, self.by = account, by
        self.fields["owner"].queryset = Owner.objects.filter(account=account, gone_at=None)
        self.fields["owner"].error_messages["invalid_choice"] = _("This person is no longer at Audian. Choose another.")

    def refuse_for_oneself(self, owner: Owner | None) -> None:
        if owner and is_oneself(owner, self.by):
            self.add_error("owner", _("Nobody gives a phone to themselves. Another admin can."))


class CreateForm(SoftphoneForm):
    sip_username = forms.RegexField(
        r"^[A-Za-z0-9_.+-]{2,32}$",
        label=_("SIP username"),
        required=False,
        help_text=_("Empty: the portal makes one."),
        error_messages={"invalid": _("2 to 32 letters, digits or _ . + -")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    sip_password = forms.RegexField(
        r"^[!-~]{5,32}$",
        label=_("SIP password"),
        required=False,
        strip=False,
        help_text=_("Empty: the portal makes one, which nobody of the staff sees."),
        error_messages={"invalid": _("5 to 32 letters, digits or signs, without a space.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict:
        self.refuse_for_oneself(self.cleaned_data.get("owner"))
        if self.cleaned_data.get("owner") and self.cleaned_data.get("sip_password"):
            self.add_error(
                "sip_password",
                _("Nobody of the staff knows the password of somebody’s phone. Leave it empty, or choose no person."),
            )
        return self.cleaned_data

    def clean_sip_username(self) -> str:
        username = self.cleaned_data["sip_username"]
        same = Softphone.objects.present().filter(account=self.account, username_folded=username.lower()) if username else None
        if taken := same and same.first():
            raise forms.ValidationError(_("“%(name)s” has this username already."), params={"name": taken.name})
        return username


class EditForm(SoftphoneForm):
    """`seen` is what the visitor saw, signed, so that a value which is another by then is noticed at Audian.

    They see what the softphone is going to be: whoever wants it back as it was then asks for that.
    """

    seen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args, softphone: Softphone, **kwargs):
        self.softphone = softphone
        seen = {name: getattr(softphone, name) for name in FIELDS} | {"owner_id": softphone.owner_audian_id}
        seen |= changes.underway(softphone)
        shown = Owner.objects.filter(account=softphone.account_id, audian_id=seen["owner_id"])
        initial = {name: seen[name] for name in FIELDS} | {"owner": shown.values_list("pk", flat=True).first()}
        initial |= {"seen": signing.dumps(seen, salt=self._salt), "key": get_random_string(20)}
        super().__init__(*args, initial=initial, **kwargs)
        self.fields["owner"].queryset |= shown

    @property
    def _salt(self) -> str:
        return f"{_SEEN}:{self.softphone.pk}"

    def clean_seen(self) -> dict:
        try:
            return signing.loads(self.cleaned_data["seen"], salt=self._salt)
        except signing.BadSignature:
            raise forms.ValidationError(_("Open the page anew and try again.")) from None

    def clean(self) -> dict:
        if not {"owner", "seen"} <= self.cleaned_data.keys():
            return self.cleaned_data
        owner, present = self.cleaned_data["owner"], self.softphone.owner
        if (owner.audian_id if owner else "") != self.cleaned_data["seen"]["owner_id"]:
            self.refuse_for_oneself(owner)
            if present and owner != present and is_oneself(present, self.by):
                self.add_error("owner", _("Nobody gives away their own phone. Another admin can."))
        return self.cleaned_data

    def values(self) -> dict:
        """What the visitor wants, in the terms of changes.update."""
        owner = self.cleaned_data["owner"]
        wanted = {name: self.cleaned_data[name] for name in FIELDS}
        if owner is None and self.initial["owner"] is None:
            return wanted  # somebody whom Audian does not have stays as they are
        return wanted | {"owner_id": owner.audian_id if owner else ""}


class DeleteForm(forms.Form):
    typed = forms.CharField(label=_("Type the softphone’s name"), widget=forms.TextInput(attrs={"autocomplete": "off"}))
    key = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)

    def __init__(self, *args, softphone: Softphone, **kwargs):
        super().__init__(*args, **kwargs)
        self.softphone = softphone
        self.fields["typed"].error_messages["required"] = _("Type the name, so that it is not another phone that ends.")

    def clean_typed(self) -> str:
        typed = self.cleaned_data["typed"]
        if _plain(typed) != _plain(self.softphone.name):
            raise forms.ValidationError(_("That is not its name. It is: %(name)s"), params={"name": self.softphone.name})
        return typed


def _plain(name: str) -> str:
    return re.sub(r"\s+", " ", name).strip().casefold()
