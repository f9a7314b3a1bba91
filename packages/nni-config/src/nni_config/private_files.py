"""Files and folders that only their owner can read."""

from __future__ import annotations

import getpass
import os
import stat
import tempfile
from pathlib import Path


def runtime_directory() -> Path:
    """Returns the folder for sockets and records of this user's running programs, made if missing.

    It is $NNI_RUNTIME_DIR, else nni in $XDG_RUNTIME_DIR if that is usable, else nni-<user> in the folder for
    temporary files.

    Raises:
        PermissionError: It belongs to someone else, or others may write to it.
    """
    named = os.environ.get("NNI_RUNTIME_DIR")
    if named:
        directory = Path(named).absolute()
        directory.parent.mkdir(parents=True, exist_ok=True)
    else:
        session = os.environ.get("XDG_RUNTIME_DIR", "")
        user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
        usable = Path(session).is_absolute() and _is_usable(Path(session))
        directory = Path(session) / "nni" if usable else Path(tempfile.gettempdir()) / f"nni-{user}"
    directory.mkdir(mode=0o700, exist_ok=True)
    _check_is_private(directory)
    return directory


def write_private_file(path: Path, content: str | bytes) -> None:
    """Writes a file that only its owner can read, whole or not at all.

    Args:
        path: The file.
        content: What it is to hold; text is written as UTF-8.

    Raises:
        OSError: It cannot be written.
    """
    # mkstemp makes the file with mode 0600.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


def _is_usable(directory: Path) -> bool:
    # Under sudo and su the variable may name the folder of another user.
    is_ours = directory.is_dir() and (not hasattr(os, "getuid") or directory.stat().st_uid == os.getuid())
    return is_ours and os.access(directory, os.W_OK | os.X_OK)


def _check_is_private(directory: Path) -> None:
    if not hasattr(os, "getuid"):
        return
    found = directory.lstat()
    advice = "remove it, or name another folder in the environment variable NNI_RUNTIME_DIR"
    if not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"The runtime folder {directory} is a link or a file; {advice}")
    if found.st_uid != os.getuid():
        raise PermissionError(f"The runtime folder {directory} belongs to user {found.st_uid}; {advice}")
    if found.st_mode & 0o077:
        raise PermissionError(
            f"The runtime folder {directory} is open to other users (mode {found.st_mode & 0o777:o}); "
            f"close it with chmod 700, or {advice}"
        )
