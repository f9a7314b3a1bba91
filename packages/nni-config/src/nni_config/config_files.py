"""What people import as `nni.runtime.config`: files of the folder of what a user has registered."""

from __future__ import annotations

import shutil
from pathlib import Path

from nni_config.config_directory import config_directory

__all__ = ["get_builtin_config_file", "get_config_directory", "get_config_file"]

_DEFAULTS = Path(__file__).parent / "defaults"


def get_config_directory() -> Path:
    """Returns the folder of what is registered, made if missing.

    Raises:
        OSError: It cannot be made.
    """
    directory = config_directory()
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def get_config_file(name: str) -> Path:
    """Returns a file of that folder; where it is missing it begins as a copy of what is packaged.

    Args:
        name: registered_algorithms.yml or training_services.json.

    Raises:
        OSError: There is no such file, or it cannot be written.
    """
    path = get_config_directory() / name
    if not path.exists():
        shutil.copyfile(get_builtin_config_file(name), path)
    return path


def get_builtin_config_file(name: str) -> Path:
    """Returns a packaged file; do not change it.

    Args:
        name: builtin_algorithms.yml, registered_algorithms.yml or training_services.json.
    """
    return _DEFAULTS / name
