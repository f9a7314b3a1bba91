"""The trial API outside a trial: a script that is run by hand."""

from __future__ import annotations

import json
import os
import warnings

from nni._exports import load
from nni._logs import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def parameters() -> dict[str, Any]:
    """Returns the parameters in the file that NNI_PARAMETERS names, or none with a warning.

    Raises:
        RuntimeError: The file cannot be read or holds no JSON object.
    """
    path = os.environ.get("NNI_PARAMETERS")
    if not path:
        warnings.warn(
            "Running trial code without runtime. nni.get_next_parameter() returns {}, and results are only "
            f"shown. {_advice()}",
            RuntimeWarning,
            stacklevel=3,
        )
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError) as error:
        raise RuntimeError(f"NNI_PARAMETERS names {path}, which cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise RuntimeError(f"NNI_PARAMETERS names {path}, which holds no JSON object but {content!r:.100}")
    logger().info("Parameters: %s", path)
    return content


def _advice() -> str:
    if "NNI_PLATFORM" not in os.environ and _is_below_runner():
        return (
            "This process was started by a trial of an experiment, but has not got its environment: "
            "something like env -i, sudo or su - came between. Pass all variables NNI_* and PYTHONPATH on."
        )
    return "To run it in an experiment, see nni.experiment.Experiment."


def _is_below_runner() -> bool:
    processes = load("nni.processes")
    return bool(processes.has_ancestor(processes.RUNNER_NAME))


def show(kind: str, value: Any, index: int) -> None:
    """Shows a result: kind "i" for an intermediate one with its index, "f" for a final one."""
    if kind == "f":
        logger().info("Final result: %s", value)
    else:
        logger().info("Intermediate result: %s  (Index %s)", value, index)
