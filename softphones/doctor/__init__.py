"""What is wrong, and what to do about it: looks at the machine, and at each account's Audian. It changes nothing there.

Whoever asks gets findings one by one as they are found, each a sentence. What can't be told without writing at Audian is
told as unknown.
"""

from softphones.doctor.accounts import look_at_account
from softphones.doctor.findings import Finding, State
from softphones.doctor.machine import look_at_machine

__all__ = ["Finding", "State", "look_at_account", "look_at_machine"]
