"""The folder of what runs on one machine alone, where several may share the folder of an experiment."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from contextlib import suppress
from typing import Optional

from nni.trial_folder import make_private_folder, read_json, write_json

COURIER_NOTE = "courier.json"
FILES_NOTE = "files.json"
UNATTENDED_NOTE = "unattended.json"

_SOCKET_NOTE = "socket.json"
_MAX_SOCKET_PATH = 95  # the system allows 107, 103 on macOS; the courier puts its process id behind it


def attended_file(run_directory: str) -> str:
    """Returns the path of the file that is touched whenever a manager asks for something."""
    return os.path.join(run_directory, "attended")


def attend(run_directory: str) -> None:
    """Notes that a manager was there now.

    Raises:
        OSError: That cannot be noted.
    """
    path = attended_file(run_directory)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    os.utime(path)


def socket_path(run_directory: str) -> str:
    """Returns where processes ask for their next trial, always the same: they outlive a courier.

    It is in the folder if its path is short enough and its file system has sockets, else in a private folder
    among the temporary files.

    Raises:
        OSError: There is no place for it.
    """
    make_private_folder(run_directory)
    note = os.path.join(run_directory, _SOCKET_NOTE)
    path = _noted(note)
    if path is None:
        path = os.path.join(run_directory, "socket")
        if not _can_hold_socket(path):
            path = os.path.join(tempfile.mkdtemp(prefix="nni-", dir="/tmp"), "socket")
        write_json(note, {"socket": path})
    return path


def remove_socket_folder(run_directory: str) -> None:
    """Removes the private folder among the temporary files, if there is one."""
    path = _noted(os.path.join(run_directory, _SOCKET_NOTE))
    if path is not None and os.path.dirname(path) != run_directory:
        shutil.rmtree(os.path.dirname(path), ignore_errors=True)


def _noted(note: str) -> Optional[str]:
    try:
        path = str((read_json(note) or {})["socket"])
        status = os.lstat(os.path.dirname(path))
    except (OSError, ValueError, KeyError):
        return None
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    return path if is_ours else None


def _can_hold_socket(path: str) -> bool:
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH:
        return False
    probe = f"{path}.{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
        try:
            tried.bind(probe)
        except OSError:
            return False
        finally:
            with suppress(FileNotFoundError):
                os.unlink(probe)
    return True
