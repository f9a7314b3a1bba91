"""Optuna's samplers by their names. Optuna is imported only when one is looked up."""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple


class SamplerFacts(NamedTuple):
    """What is to be known of a sampler.

    Attributes:
        packages: What it imports beyond what Optuna installs.
        notes_in_trials: Whether it keeps notes in the study, so that it has to draw again on a resume.
        takes_parts: Whether it learns from trials in which some parameters of the search space are missing.
    """

    packages: tuple[str, ...] = ()
    notes_in_trials: bool = False
    takes_parts: bool = False


SAMPLERS = {
    "TPESampler": SamplerFacts(takes_parts=True),
    "RandomSampler": SamplerFacts(takes_parts=True),
    "CmaEsSampler": SamplerFacts(("cmaes",), notes_in_trials=True),
    "GPSampler": SamplerFacts(("torch", "scipy")),
    "NSGAIISampler": SamplerFacts(notes_in_trials=True),
    "NSGAIIISampler": SamplerFacts(notes_in_trials=True),
    "QMCSampler": SamplerFacts(("scipy",), notes_in_trials=True),
}
"""The samplers that the tuner takes."""
DEFAULT_SAMPLER = "TPESampler"

_ELSEWHERE = {
    "GridSampler": "the tuner GridSearch does this",
    "BruteForceSampler": "the tuner GridSearch does this",
    "PartialFixedSampler": "a parameter that is fixed has one value in the search space",
}
_QUIET = {"warn_independent_sampling": False, "warn_asynchronous_seeding": False, "constant_liar": True}
_TYPES = {"int": int, "float": (int, float), "bool": bool, "str": str, "None": type(None)}
_WORDS = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "None": "null",
}


def is_object(value: Any) -> str:
    """Is the check of a value that is an object or None."""
    return "" if isinstance(value, (dict, type(None))) else "an object, or null"


def combination_problems(arguments: Mapping[str, Any]) -> list[str]:
    """Returns what is wrong with the sampler and its arguments among the arguments of the tuner."""
    return sampler_problems(arguments.get("sampler", DEFAULT_SAMPLER), arguments.get("sampler_args"))


def sampler_problems(sampler: Any, sampler_args: Any) -> list[str]:
    """Returns what is wrong with a sampler and its arguments. If Optuna is not installed, nothing is known.

    Args:
        sampler: The name.
        sampler_args: Its arguments, an object or None.
    """
    if sampler in _ELSEWHERE:
        return [f"sampler {sampler} is not one of this tuner: {_ELSEWHERE[sampler]}"]
    if sampler not in SAMPLERS:
        names = {name.lower(): name for name in SAMPLERS}
        close = get_close_matches(f"{sampler}sampler".lower(), names, n=1)
        hint = f"did you mean {names[close[0]]}? " if close else ""
        return [f"sampler {sampler!r} is unknown; {hint}available are: {', '.join(SAMPLERS)}"]
    if not isinstance(sampler_args, (dict, type(None))) or find_spec("optuna") is None:
        return []
    missing = [package for package in SAMPLERS[sampler].packages if find_spec(package) is None]
    if missing:
        return [
            f"sampler {sampler} needs {' and '.join(missing)}, not installed for {sys.executable}; "
            f"install with: pip install {' '.join(missing)}"
        ]
    return _argument_problems(sampler, sampler_args or {})


def make_sampler(sampler: str, sampler_args: Mapping[str, Any], root_seed: int, seed: int) -> Any:
    """Returns a new sampler.

    Args:
        sampler: Its name.
        sampler_args: Its arguments.
        root_seed: The seed of the whole search, for a sampler whose points are one sequence.
        seed: The seed of what it draws now.
    """
    samplers = import_module("optuna.samplers")
    kind = getattr(samplers, sampler)
    takes = _signature(kind)
    arguments = {name: value for name, value in _QUIET.items() if name in takes} | dict(sampler_args)
    if sampler == "QMCSampler":
        arguments["independent_sampler"] = samplers.RandomSampler(seed=seed)
        seed = root_seed
    with warnings.catch_warnings():
        # That some arguments are experimental is said in Optuna's documentation.
        warnings.simplefilter("ignore")
        return kind(**arguments, seed=seed)


def _argument_problems(sampler: str, given: Mapping[str, Any]) -> list[str]:
    takes = {
        name: expected
        for name, parameter in _signature(getattr(import_module("optuna.samplers"), sampler)).items()
        if (expected := _plain_types(parameter.annotation)) and name != "seed"
    }
    problems = []
    for name, value in given.items():
        if name == "seed":
            problems.append("sampler_args: the seed is the argument seed of the tuner")
        elif name not in takes:
            allowed = ", ".join(takes) or "no arguments"
            problems.append(f"sampler_args: unknown argument {name!r}; {sampler} takes {allowed}")
        elif not _is_one_of(value, takes[name]):
            allowed = ", or ".join(_WORDS[kind] for kind in takes[name])
            problems.append(f"sampler_args: {name} is {value!r}; it should be {allowed}")
    if not problems:
        try:
            _rehearse(sampler, given)
        except Exception as error:
            problems.append(f"sampler_args: {error or repr(error)}")
    return problems


def _rehearse(sampler: str, given: Mapping[str, Any]) -> None:
    """Lets a sampler propose a few points, which raises whatever it does not like about its arguments."""
    trials = import_module("nni_manager.algorithms.optuna_bridge.trials")
    soon = dict(given)
    if "n_startup_trials" in _signature(getattr(import_module("optuna.samplers"), sampler)):
        soon["n_startup_trials"] = min(given.get("n_startup_trials", 1), 1)
    study = trials.new_study(make_sampler(sampler, soon, 0, 0))
    for _ in range(3):
        trial = study.ask()
        study.tell(trial, trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1))


def _signature(kind: type[Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(kind).parameters)


def _plain_types(annotation: Any) -> list[str]:
    """Returns the types of an argument if a configuration can hold them all, else none."""
    text = re.sub(r"Optional\[(.*)\]", r"\1 | None", str(annotation))
    types = [part.strip() for part in text.split("|")]
    return types if all(name in _TYPES for name in types) else []


def _is_one_of(value: Any, types: list[str]) -> bool:
    if isinstance(value, bool):
        return "bool" in types
    return any(isinstance(value, _TYPES[name]) for name in types)  # type: ignore[arg-type]
