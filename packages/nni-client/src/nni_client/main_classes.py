"""Tuners and assessors whose class is in the script itself or in a notebook's cell: "__main__.MyTuner".

The process of an algorithm cannot import `__main__`, which is another module there, and running the script
once more would start another experiment. So the classes are pickled by value into a module in the folder of
the experiment, where they are found after a resume too.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

from nni_config import ExperimentConfig, InvalidConfigError, Problem
from nni_config.algorithm_instances import FOLDER

from nni_client.class_files import digest_of

_MAIN = "__main__."
_MODULE = "main_classes"

_TEXT = '''\
"""The classes of a script or a notebook that this experiment uses. Written for it; changes are lost."""

import base64
import pickle
import sys

sys.path[1:1] = {directories!r}
globals().update(pickle.loads(base64.b64decode({pickled!r})))
'''


def main_classes(config: ExperimentConfig, folder: Path) -> dict[Path, bytes]:
    """Finds the classes of `__main__` in a configuration; returns what is to be written where.

    Args:
        config: The configuration in its canonical form; it is changed.
        folder: The experiment's folder.

    Raises:
        InvalidConfigError: There is no such class, or it cannot be pickled; the text says why.
    """
    found: dict[str, type[Any]] = {}
    algorithms = []
    directories: list[str] = []
    problems = []
    for kind in ("tuner", "assessor"):
        algorithm = getattr(config, kind)
        class_name = None if algorithm is None else algorithm.class_name
        if class_name is None or not class_name.startswith(_MAIN) or algorithm.instance_file is not None:
            continue
        name = class_name.removeprefix(_MAIN)
        value = getattr(sys.modules["__main__"], name, None)
        if not isinstance(value, type):
            message = f"there is no class {name} in this script or notebook; allowed is one that it has"
            problems.append(Problem((kind, "class_name"), message))
            continue
        found[name] = value
        directories.append(str(algorithm.code_directory))
        algorithm.class_name = f"{_MODULE}.{name}"
        algorithms.append(algorithm)
    if problems:
        raise InvalidConfigError(problems)
    if not found:
        return {}
    pickled = base64.b64encode(_pickled(found)).decode()
    content = _TEXT.format(directories=list(dict.fromkeys(directories)), pickled=pickled).encode()
    directory = folder / FOLDER / digest_of(content)
    for algorithm in algorithms:
        algorithm.code_directory = str(directory)
    return {directory / f"{_MODULE}.py": content}


def _pickled(classes: dict[str, type[Any]]) -> bytes:
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(classes))
    except Exception as error:  # whatever the objects that the classes use raise when they are pickled
        names = ", ".join(classes)
        message = (
            f"{names} cannot be sent to the process of the algorithm, since something that it uses cannot be "
            f"pickled: {error}. Put it into a module of its own and name that: module.Class"
        )
        raise InvalidConfigError([Problem(("tuner", "class_name"), message)]) from error
