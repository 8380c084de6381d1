"""Names of softphones: what people can tell apart on a screen."""

from unicodedata import category

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

INVISIBLE = _("Only characters that can’t be seen are in this name. Type it anew.")
_BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"  # of Hangul and Braille: letters and signs that draw nothing


def is_visible(name: str) -> bool:
    """Whether there is anything to see in it. Joiners may stand beside letters, as in Arabic and emoji."""
    return any(category(letter)[0] not in "CZM" and letter not in _BLANK_LETTERS for letter in name)


def check_visible(name: str) -> None:
    """For the fields of forms. Raises ValidationError for a name that nobody can see."""
    if not is_visible(name):
        raise ValidationError(INVISIBLE, code="invisible")
