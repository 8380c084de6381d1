"""What is drawn at random, from the system's random source: passwords and usernames."""

import secrets

from softphones.models import Account, Softphone

# Without the letters and digits that people take for one another.
_LETTERS = "abcdefghjkmnpqrstuvwxyz"
_DIGITS = "23456789"
_UNAMBIGUOUS = _LETTERS + "ABCDEFGHJKLMNPQRSTUVWXYZ" + _DIGITS
_SHORTEST, _LONGEST = 5, 32  # audian-api.md section 3


def new_password(length: int = 20) -> str:
    """A SIP password. Raises ValueError for a length that Audian refuses (5..32)."""
    if not _SHORTEST <= length <= _LONGEST:
        raise ValueError(f"A SIP password has {_SHORTEST} to {_LONGEST} characters, not {length}.")
    return "".join(secrets.choice(_UNAMBIGUOUS) for _place in range(length))


def generated_username() -> str:
    """One in the vendor's own style (audian-api.md section 10)."""
    return "user_" + "".join(secrets.choice(_LETTERS + _DIGITS) for _place in range(10))


def free_username(account: Account) -> str:
    """A generated one that nobody has."""
    while True:
        username = generated_username()
        if not Softphone.objects.filter(account=account, username_folded=username).exists():
            return username
