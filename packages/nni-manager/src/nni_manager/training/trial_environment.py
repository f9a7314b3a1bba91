"""The environment variables that every trial gets (behaviour.md T3, T4, T6)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

FOREIGN_NNI_MESSAGE = (
    "import://this_trial_imported_the_nni_package_of_Microsoft"
    "__which_cannot_report_to_this_experiment__remove_it_from_this_environment_by__pip_uninstall_nni"
    ".channel"
)
"""Microsoft's nni tries to import this as a module and fails at once, with this sentence in its error.

One name before the last dot: of a dotted one the error says the first part only.
"""


def trial_environment(platform: str, code_directory: str, trial_gpu_number: int | None) -> dict[str, str]:
    """Returns what is added to the environment of every trial; the courier adds what names the trial.

    Args:
        platform: The training service's name, for NNI_PLATFORM.
        code_directory: The trials' code, as the machine they run on names it.
        trial_gpu_number: How many GPUs a trial uses: None leaves CUDA_VISIBLE_DEVICES alone, 0 empties it.
    """
    environment = {
        "NNI_PLATFORM": platform,
        "NNI_CODE_DIR": code_directory,
        "NNI_TRIAL_COMMAND_CHANNEL": FOREIGN_NNI_MESSAGE,
        "PYTHONUNBUFFERED": "1",
    }
    if trial_gpu_number == 0:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    return environment


def path_with_own_interpreter(environment: Mapping[str, str]) -> str:
    """Returns PATH, with our own interpreter's folder first where a virtual environment is not activated."""
    path = environment.get("PATH", os.defpath)
    own = Path(sys.prefix, "bin")
    virtual = sys.prefix != sys.base_prefix or Path(sys.prefix, "conda-meta").is_dir()
    if not virtual or any(folder and Path(folder) == own for folder in path.split(os.pathsep)):
        return path
    return f"{own}{os.pathsep}{path}"


def python_path(sdk_directory: Path, environment: Mapping[str, str]) -> str:
    """Returns PYTHONPATH with the folder of our SDK first."""
    inherited = environment.get("PYTHONPATH", "")
    return f"{sdk_directory}{os.pathsep}{inherited}" if inherited else str(sdk_directory)
