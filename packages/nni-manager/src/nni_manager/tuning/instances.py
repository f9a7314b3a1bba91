"""Takes a copy of a tuner or an assessor that was pickled when the experiment was started from Python."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

from nni_manager.tuning.errors import CannotMakeError


def load_instance(path: Path) -> Any:
    """Returns a fresh copy of an instance.

    Args:
        path: The file, which holds two pickles: the folders that the script imported from, and the instance.

    Raises:
        CannotMakeError: The file is not there, or a module of the instance's class is not.
        Exception: Code of the instance's own failed.
    """
    try:
        with path.open("rb") as file:
            directories = pickle.load(file)
            sys.path[:0] = [entry for entry in directories if entry not in sys.path]
            return pickle.load(file)
    except OSError as error:
        raise CannotMakeError(f"the pickled instance {path} cannot be read: {error.strerror}") from error
    except (ModuleNotFoundError, AttributeError) as error:
        tried = ", ".join(sys.path)
        raise CannotMakeError(
            f"the instance in {path} cannot be loaded: {error}; looked for in {tried}; the interpreter is "
            f"{sys.executable}"
        ) from error
