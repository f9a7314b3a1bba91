"""Where processes that loop over trials ask for their next one."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

from nni_config.private_files import runtime_directory, write_private_file

from nni_manager.training.interface import TrainingServiceError

_MAX_SOCKET_PATH = 95  # the system allows 107, 103 on macOS; the courier puts its process id behind it
_NOTE = "courier-socket.json"


def socket_path(experiment_directory: Path) -> str:
    """Returns the path of an experiment's socket, always the same: its processes outlive a courier.

    It is noted in the experiment's folder, since the next manager may have another runtime folder.

    Args:
        experiment_directory: The experiment's folder, absolute.

    Raises:
        TrainingServiceError: There is no path that can be used.
    """
    note = experiment_directory / _NOTE
    try:
        noted = _noted(note)
        if noted is not None:
            return noted
        path = _new_path(experiment_directory)
        write_private_file(note, json.dumps({"directory": str(experiment_directory), "socket": path}))
    except OSError as error:
        raise TrainingServiceError(f"reuse_mode: the socket for its processes: {error}") from error
    return path


def _noted(note: Path) -> str | None:
    """Returns the path in a note, None when the experiment was moved or the path's folder has gone."""
    try:
        values = json.loads(note.read_text(encoding="utf-8"))
        path, directory = values["socket"], values["directory"]
        folder = Path(path).parent.lstat()
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    is_private = stat.S_ISDIR(folder.st_mode) and folder.st_uid == os.getuid() and not folder.st_mode & 0o077
    return path if is_private and directory == str(note.parent) else None


def _new_path(experiment_directory: Path) -> str:
    name = hashlib.sha256(os.fsencode(experiment_directory)).hexdigest()[:16]
    path = runtime_directory() / f"courier-{name}"
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH:
        raise TrainingServiceError(
            f"reuse_mode: {path} is too long for a socket, {_MAX_SOCKET_PATH} bytes are allowed; "
            "name a folder with a shorter path in the environment variable NNI_RUNTIME_DIR"
        )
    return str(path)
