"""Files of ours that the trial's processes have open from the start, for those that cannot open them.

The trial's folder is for its user alone. A process of another user, or one in a mount namespace where the
folder is hidden, uses what it has inherited. A script may close that and get the number for a file of its
own, so it is looked at before.
"""

from __future__ import annotations

import os

VARIABLE = "NNI_OPEN_FILES"
"""Names them, as `name=descriptor:device:inode` with spaces between."""

LOWEST_DESCRIPTOR = 100
"""Scripts use low numbers for files of their own."""


def descriptor(name: str) -> int | None:
    """Returns the descriptor of one of our files, None if this process has not inherited it.

    Args:
        name: The file's name in the trial's folder.
    """
    for entry in os.environ.get(VARIABLE, "").split():
        found, _, place = entry.partition("=")
        if found != name:
            continue
        number, _, identity = place.partition(":")
        try:
            return int(number) if _identity(int(number)) == identity else None
        except (OSError, ValueError):  # it is closed, or the variable is not ours
            return None
    return None


def read(name: str) -> str | None:
    """Returns the text of one of our files, None if this process has not inherited it.

    Args:
        name: The file's name in the trial's folder.

    Raises:
        OSError: It cannot be read.
    """
    number = descriptor(name)
    if number is None:
        return None
    return os.pread(number, os.fstat(number).st_size, 0).decode("utf-8")


def why_hidden(error: OSError) -> str:
    """Returns what a process can do that cannot reach one of our files, "" if it is not about that.

    Args:
        error: What opening the file by its path raised.
    """
    if isinstance(error, PermissionError):
        return (
            f"this process runs as user {_user()}, who may not enter the trial's folder. Run the script as "
            "the user who runs the experiment, or change the user by a program that passes open files on: "
            "setpriv, runuser or su, but not sudo"
        )
    if isinstance(error, FileNotFoundError):
        return (
            "this process does not see the trial's folder, as in a container that has not got it. Show it "
            "the experiment's folder at the same path, and pass all variables NNI_* on"
        )
    return ""


def share(files: list[tuple[str, str, int]]) -> tuple[str, list[int]]:
    """Opens files for the processes that are started next.

    Args:
        files: The name of each, its path and the flags to open it with.

    Returns:
        What VARIABLE is to be, and the descriptors, which the caller closes once the process has started.

    Raises:
        OSError: One cannot be opened.
    """
    import fcntl  # which Windows has not; nothing is shared there

    entries, numbers = [], []
    for name, path, flags in files:
        opened = os.open(path, flags, 0o600)
        try:
            numbers.append(fcntl.fcntl(opened, fcntl.F_DUPFD, LOWEST_DESCRIPTOR))
        finally:
            os.close(opened)
        entries.append(f"{name}={numbers[-1]}:{_identity(numbers[-1])}")
    return " ".join(entries), numbers


def _user() -> str:
    number = os.geteuid()
    try:
        import pwd

        return f"{pwd.getpwuid(number).pw_name} ({number})"
    except (ImportError, KeyError):  # a container may not know its users
        return str(number)


def _identity(number: int) -> str:
    status = os.fstat(number)
    return f"{status.st_dev}:{status.st_ino}"
