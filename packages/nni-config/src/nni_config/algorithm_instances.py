"""Tuners and assessors that are given as objects: `config.tuner = MyTuner()`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from nni_config.algorithms import AlgorithmKind, OptimizeMode

FOLDER = "classes"
"""The folder in the experiment's folder that holds the pickled instances."""

_FILE_NAME = re.compile(r"\w+\.pickle", re.ASCII)
_METHODS = {
    "tuner": ("generate_multiple_parameters", "receive_trial_result", "update_search_space"),
    "assessor": ("assess_trial",),
}
_ADVISOR_METHODS = ("handle_initialize", "handle_request_trial_jobs", "process_command")


@dataclass(frozen=True, slots=True, eq=False)
class AlgorithmInstance:
    """An object that is a tuner or an assessor. Copies of a configuration have the same one.

    Attributes:
        value: The object.
    """

    value: Any

    def __deepcopy__(self, memo: dict[int, Any]) -> AlgorithmInstance:
        return self

    @property
    def class_name(self) -> str:
        """Its class, "module.Class"."""
        kind = type(self.value)
        return f"{kind.__module__}.{kind.__qualname__}"

    @property
    def optimize_mode(self) -> OptimizeMode | None:
        """Whether larger or smaller results are better for it, None if its attributes do not say."""
        for name in ("optimize_mode", "_mode"):  # the built-in ones have the latter
            mode = getattr(self.value, name, None)
            mode = mode.value if isinstance(mode, Enum) else mode
            if mode in ("maximize", "minimize"):
                return mode  # type: ignore[no-any-return]
        return None

    def missing_method(self, kind: AlgorithmKind) -> str | None:
        """Returns a method that it lacks to be a tuner or an advisor, or an assessor; None if it has all."""
        if kind == "tuner" and all(callable(getattr(self.value, name, None)) for name in _ADVISOR_METHODS):
            return None
        return next((name for name in _METHODS[kind] if not callable(getattr(self.value, name, None))), None)


def is_algorithm(value: Any) -> bool:
    """Returns whether an object looks like a tuner or an assessor."""
    instance = AlgorithmInstance(value)
    return not isinstance(value, type) and any(
        instance.missing_method(kind) is None for kind in ("tuner", "assessor")
    )


def file_of(kind: str) -> str:
    """Returns the name of the file that the instance of a "tuner" or an "assessor" is pickled to."""
    return f"{kind}.pickle"


def is_file_name(name: str) -> bool:
    """Returns whether a text is the name of such a file, and no path."""
    return _FILE_NAME.fullmatch(name) is not None
