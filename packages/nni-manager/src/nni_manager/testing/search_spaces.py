"""Search spaces of every kind, and what a trial may get from each."""

from __future__ import annotations

import math
from typing import Any

SPACES: dict[str, dict[str, Any]] = {
    "choice": {"a": {"_type": "choice", "_value": ["x", 2, 3.5, None, [1, 2]]}},
    "randint": {"a": {"_type": "randint", "_value": [3, 7]}, "b": {"_type": "randint", "_value": [-5, 5]}},
    "uniform": {
        "a": {"_type": "uniform", "_value": [-1, 1]},
        "same": {"_type": "uniform", "_value": [99.9, 99.9]},
    },
    "quniform": {
        "a": {"_type": "quniform", "_value": [0.2, 0.8, 0.3]},
        "b": {"_type": "quniform", "_value": [5, 100, 7]},
    },
    "loguniform": {"a": {"_type": "loguniform", "_value": [1e-5, 1e-1]}},
    "qloguniform": {"a": {"_type": "qloguniform", "_value": [1, 1000, 10]}},
    "normal": {"a": {"_type": "normal", "_value": [3.0, 2.0]}},
    "qnormal": {"a": {"_type": "qnormal", "_value": [0, 10, 3]}},
    "lognormal": {"a": {"_type": "lognormal", "_value": [-1, 2]}},
    "qlognormal": {"a": {"_type": "qlognormal", "_value": [1, 1, 0.5]}},
    "nested": {
        "layer": {
            "_type": "choice",
            "_value": [
                {"_name": "Empty"},
                {
                    "_name": "Conv",
                    "kernel": {"_type": "choice", "_value": [1, 3]},
                    "inner": {
                        "_type": "choice",
                        "_value": [
                            {"_name": "A", "rate": {"_type": "uniform", "_value": [0, 1]}},
                            {"_name": "B"},
                        ],
                    },
                },
            ],
        },
        "n": {"_type": "randint", "_value": [0, 100]},
    },
    "group": {
        "optimizer": {
            "lr": {"_type": "loguniform", "_value": [1e-4, 1]},
            "k": {"_type": "choice", "_value": [1]},
        }
    },
    "mixed": {
        "lr": {"_type": "loguniform", "_value": [1e-5, 1]},
        "layers": {"_type": "randint", "_value": [1, 10]},
        "act": {"_type": "choice", "_value": ["relu", "tanh"]},
        "drop": {"_type": "quniform", "_value": [0, 0.9, 0.1]},
        "Größe / x.y:": {"_type": "uniform", "_value": [-1e300, 1e300]},
    },
    "huge": {
        "n": {"_type": "randint", "_value": [0, 10**15]},
        **{f"x{index}": {"_type": "uniform", "_value": [0, 1]} for index in range(40)},
    },
}
"""Search spaces by what they hold."""

FINITE: dict[str, Any] = {
    "a": {"_type": "randint", "_value": [0, 3]},
    "b": {
        "_type": "choice",
        "_value": [{"_name": "none"}, {"_name": "some", "c": {"_type": "choice", "_value": ["x", "y"]}}],
    },
}
"""A search space of 9 points."""

ADDED = ("TRIAL_BUDGET", "load_checkpoint_dir", "save_checkpoint_dir")
"""What some tuners add to the parameters of a trial, behind them."""


def without_added(parameters: Any) -> Any:
    """Returns the parameters of a trial without what a tuner added, anything else as it is."""
    if not isinstance(parameters, dict):
        return parameters
    return {name: value for name, value in parameters.items() if name not in ADDED}


def parameter_problems(parameters: Any, space: dict[str, Any]) -> list[str]:
    """Returns what is wrong with the parameters of a trial: a place and what is there."""
    names = [name for name in space if name != "_name"]
    if type(parameters) is not dict or list(parameters) != names:
        return [f"{parameters!r} does not have the names {names}"]
    problems = []
    for name, value in parameters.items():
        definition = space[name]
        if "_type" not in definition:
            problems += parameter_problems(value, definition)
        elif not is_value_of(value, definition["_type"], definition["_value"]):
            problems.append(f"{name}: {value!r} ({type(value).__name__}) is no value of {definition}")
    return problems


def is_value_of(value: Any, type_: str, values: list[Any]) -> bool:
    """Returns whether a value is one of a parameter, of the right type."""
    if type_ == "choice":
        return any(_is_option(value, option) for option in values)
    if type_ == "randint":
        return type(value) is int and values[0] <= value < values[1]
    if not type_.startswith("q"):
        in_range = type_.endswith("normal") or values[0] <= value <= values[1]
        return type(value) is float and math.isfinite(value) and in_range
    low, high, q = (-math.inf, math.inf, values[2]) if type_.endswith("normal") else values
    integers = all(type(entry) is int for entry in values)
    nearest = [round(value / q) + step for step in (-1, 0, 1)]
    allowed = [min(max(steps * q, low), high) for steps in nearest]
    return type(value) is (int if integers else float) and value in allowed


def _is_option(value: Any, option: Any) -> bool:
    if not isinstance(option, dict) or "_name" not in option:
        return type(value) is type(option) and bool(value == option)
    if type(value) is not dict or value.get("_name") != option["_name"]:
        return False
    return not parameter_problems({name: v for name, v in value.items() if name != "_name"}, option)
