"""Tuners and assessors that are instances: `config.tuner = MyTuner()`.

They are pickled before anything starts, into the experiment's folder, where each new process of the algorithm
takes a fresh copy: a resume, and a process that died, begin with what was assigned.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nni_config import ExperimentConfig, InvalidConfigError, Problem
from nni_config.algorithm_instances import FOLDER

from nni_client.class_files import digest_of

_DEPTH = 5
"""How many attributes deep the one that cannot be pickled is looked for."""


def pickled_instances(config: ExperimentConfig, folder: Path) -> dict[Path, bytes]:
    """Pickles the algorithms of a configuration that are instances; returns what is to be written where.

    Args:
        config: The configuration in its canonical form; it is changed.
        folder: The experiment's folder.

    Raises:
        InvalidConfigError: One cannot be pickled; the text names the attribute. Or a configuration from a
            record names an instance that the folder does not have.
    """
    files = {}
    problems = []
    for kind in ("tuner", "assessor"):
        algorithm = getattr(config, kind)
        if algorithm is None or algorithm.instance_file is None:
            continue
        if algorithm.instance is None:
            path = folder / FOLDER / algorithm.instance_file
            if not path.is_file():
                problems.append(Problem((kind, "instance_file"), f"there is no {path}: {no_instance(kind)}"))
            continue
        try:
            content = _pickled(algorithm.instance.value)
        except InvalidConfigError as error:
            problems += [problem.below(kind) for problem in error.problems]
        else:
            algorithm.instance_file = f"{kind}_{digest_of(content)}.pickle"
            files[folder / FOLDER / algorithm.instance_file] = content
    if problems:
        raise InvalidConfigError(problems)
    return files


def no_instance(kind: str) -> str:
    """Returns what is said of a configuration that names the instance of another experiment."""
    return (
        f"the {kind} was an instance in Python, which no configuration file holds; assign one in Python "
        "again, or name the class: class_name, code_directory and class_args"
    )


def _pickled(instance: Any) -> bytes:
    """Returns the folders that this process imports from, and the instance, as two pickles."""
    import cloudpickle

    directories = [str(Path(entry).absolute()) for entry in sys.path if Path(entry).is_dir()]
    content = io.BytesIO()
    pickle.dump(directories, content)
    try:
        cloudpickle.dump(instance, content)
    except Exception as error:  # whatever the objects in it raise when they are pickled
        name = type(instance).__name__
        attribute = next(_unpicklable(instance, f"its attribute {name}"), "something that it uses")
        message = (
            f"the instance of {name} cannot be sent to the process of the algorithm, since {attribute} "
            f"cannot be pickled: {error}. Make it later, in update_search_space for one, or leave it out of "
            "what __getstate__ returns"
        )
        raise InvalidConfigError([Problem((), message)]) from error
    return content.getvalue()


def _unpicklable(value: Any, path: str, depth: int = _DEPTH) -> Iterator[str]:
    """Yields the ways to the innermost attributes that cannot be pickled, each with its type."""
    if depth == 0:
        return
    for name, part in _parts(value):
        if _is_picklable(part):
            continue
        way = f"{path}{name}"
        yield from _unpicklable(part, way, depth - 1)
        yield f"{way} ({type(part).__module__}.{type(part).__qualname__})"


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"[{key!r}]", part) for key, part in value.items()]
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    return [(f".{name}", part) for name, part in getattr(value, "__dict__", {}).items()]


def _is_picklable(value: Any) -> bool:
    import cloudpickle

    try:
        cloudpickle.dumps(value)
    except Exception:  # see _pickled
        return False
    return True
