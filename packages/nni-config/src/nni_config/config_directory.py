"""The folder of what a user has registered with an installation: algorithms and training services."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def config_directory() -> Path:
    """Returns the folder; it need not be there.

    It is $NNI_CONFIG_DIR, else nni in the virtual or conda environment, else nni in the user's folder of
    configurations (%APPDATA% on Windows, ~/.config elsewhere).
    """
    named = os.environ.get("NNI_CONFIG_DIR")
    if named:
        return Path(named).expanduser().absolute()
    if sys.prefix != sys.base_prefix or Path(sys.prefix, "conda-meta").is_dir():
        return Path(sys.prefix) / "nni"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "nni"
    return Path.home() / ".config" / "nni"


def write_registry(file_name: str, text: str) -> Path:
    """Writes a file of the folder, whole or not at all, and returns its path. The folder is made if missing.

    Raises:
        OSError: It cannot be written.
    """
    path = config_directory() / file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{file_name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # Others who use the same environment are to read it too; mkstemp makes it private.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
    return path
