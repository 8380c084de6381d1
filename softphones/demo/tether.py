"""Runs a program so that it gets SIGTERM when its parent ends: `tether.py PARENT_PID USER PROGRAM ARGUMENT...`

A program of its own, started without site packages, because Python should not run code between fork and exec once it has
threads. USER is who the program runs as; "" changes nothing. Outside of Linux nobody tells it of its parent's end.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); kept over exec, but not over a change of the user


def main() -> None:
    parent, user, *command = sys.argv[1:]
    if user:
        become(user)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != int(parent):  # it ended in between
            sys.exit("The process that started this one has ended.")
    try:
        os.execvp(command[0], command)  # noqa: S606  (no shell is the point)
    except OSError as error:
        sys.exit(f"{command[0]} can't be started: {error.strerror}.")


def become(user: str) -> None:
    import pwd

    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    main()
