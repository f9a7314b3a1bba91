"""What the environment says about the trial that this process belongs to."""

from __future__ import annotations

import os


def in_trial() -> bool:
    """Returns whether this process belongs to a trial. `NNI_PLATFORM=unittest` stands for none."""
    return os.environ.get("NNI_PLATFORM", "") not in ("", "unittest")


def system_file(name: str) -> str:
    """Returns the path of one of our files in the trial's folder.

    Raises:
        RuntimeError: The environment is that of a trial but for the folder.
    """
    folder = os.environ.get("NNI_SYS_DIR")
    if not folder:
        raise RuntimeError(
            f"NNI_PLATFORM is {os.environ['NNI_PLATFORM']!r}, as in a trial, but NNI_SYS_DIR is not set. "
            "Pass all NNI_ variables on, or unset NNI_PLATFORM to run this process by hand."
        )
    return os.path.join(folder, name)


def needs_number(kind: str) -> bool:
    """Returns whether the experiment's tuner or assessor needs a number in results of this kind.

    NNI_NUMERIC_RESULTS names the kinds: "intermediate", "final", or both with a comma between.

    Args:
        kind: "i" for intermediate results, "f" for final ones.
    """
    name = "final" if kind == "f" else "intermediate"
    return name in os.environ.get("NNI_NUMERIC_RESULTS", "").split(",")
