"""The algorithms that are chosen by name, and what their arguments may be."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from nni_config.registered_algorithms import AlgoMeta, RegistryError, find_registered, registered_algorithms

from nni_manager.algorithms.hpo_utils.validation import search_space_problems
from nni_manager.algorithms.registered import argument_problems

Check = Callable[[Any], str]
"""Returns what is expected of a value, or "" when it is that."""


@dataclass(frozen=True)
class BuiltIn:
    """An algorithm that is chosen by its name.

    Attributes:
        name: Its name.
        kind: "tuner" or "assessor".
        class_path: Its class, "module.Class".
        arguments: What each of its arguments has to be; empty for a registered one.
        aliases: Its other names.
    """

    name: str
    kind: str
    class_path: str
    arguments: Mapping[str, Check]
    aliases: tuple[str, ...] = ()

    def load(self) -> type[Any]:
        """Returns its class."""
        module, _, name = self.class_path.rpartition(".")
        loaded: type[Any] = getattr(importlib.import_module(module), name)
        return loaded


def check_algorithm(
    kind: str, name: str, class_args: Mapping[str, Any] | None, search_space: Any
) -> list[str]:
    """Returns what is wrong with the choice of an algorithm by its name.

    Nothing is started for a built-in one. What checks the arguments of a registered one is imported in
    another process.

    Args:
        kind: "tuner" or "assessor".
        name: Its name, in upper or lower case.
        class_args: The arguments for it.
        search_space: The search space, which only a tuner looks at.
    """
    try:
        registered = _registered(kind, name)
        built_in = find_algorithm(kind, name)
    except (LookupError, RegistryError) as error:
        return [str(error)]
    if registered is not None:
        return argument_problems(registered, class_args)
    problems = [] if kind != "tuner" else search_space_problems(search_space)
    return problems + _argument_problems(f"{kind} {built_in.name}", built_in.arguments, class_args or {})


def find_algorithm(kind: str, name: str) -> BuiltIn:
    """Returns an algorithm by its name or alias, in upper or lower case.

    What is known of a registered one's arguments, its validator knows.

    Raises:
        LookupError: There is none; the text says which ones there are.
        RegistryError: The file of registered algorithms is broken.
    """
    built_ins = built_in_algorithms(kind)
    for built_in in built_ins:
        if _has_name(built_in, name):
            return built_in
    registered = _registered(kind, name)
    if registered is not None:
        return BuiltIn(registered.name, kind, registered.class_name, {})
    names = [built_in.name for built_in in built_ins]
    names += [it.name for it in registered_algorithms(kind)]
    available = ", ".join(names) or "none"
    note = _NOT_HERE.get(name.lower())
    if note is not None:
        raise LookupError(f"{kind} {name}: {note}; available are: {available}")
    close = get_close_matches(name.lower(), [built_in.name.lower() for built_in in built_ins], n=1)
    hint = next(
        (f"did you mean {built_in.name}? " for built_in in built_ins if [built_in.name.lower()] == close), ""
    )
    raise LookupError(f"{kind} {name!r} is unknown; {hint}available are: {available}")


def _registered(kind: str, name: str) -> AlgoMeta | None:
    """Returns the registered algorithm of a name that is not built in, or None."""
    if any(_has_name(built_in, name) for built_in in built_in_algorithms(kind)):
        return None
    return find_registered(name, kind)


def _has_name(built_in: BuiltIn, name: str) -> bool:
    return name.lower() in (known.lower() for known in (built_in.name, *built_in.aliases))


def built_in_algorithms(kind: str) -> list[BuiltIn]:
    """Returns the built-in algorithms that are a "tuner" or an "assessor"."""
    return [built_in for built_in in _BUILT_INS if built_in.kind == kind]


def _argument_problems(place: str, arguments: Mapping[str, Check], given: Mapping[str, Any]) -> list[str]:
    problems = []
    for name, value in given.items():
        if name not in arguments:
            allowed = ", ".join(arguments)
            problems.append(f"{place}: unknown argument {name!r}; it takes {allowed}")
            continue
        expected = arguments[name](value)
        if expected:
            problems.append(f"{place}: {name} is {value!r}; it should be {expected}")
    return problems


def _one_of(*allowed: Any) -> Check:
    text = ", ".join("null" if value is None else repr(value) for value in allowed)
    return lambda value: (
        "" if any(value is a or (a is not None and value == a) for a in allowed) else f"one of {text}"
    )


def _number(kind: type, low: float, high: float = float("inf"), *, optional: bool = False) -> Check:
    noun = "an integer" if kind is int else "a number"
    limits = f"{noun} of at least {low}" if high == float("inf") else f"{noun} from {low} to {high}"
    expected = f"{limits}, or null" if optional else limits
    types = (int,) if kind is int else (int, float)

    def check(value: Any) -> str:
        if value is None and optional:
            return ""
        right_type = isinstance(value, types) and not isinstance(value, bool)
        return "" if right_type and low <= value <= high else expected

    return check


def _table(entries: Mapping[str, Check]) -> Check:
    def check(value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, dict):
            return f"an object with {', '.join(entries)}"
        problems = _argument_problems("", entries, value)
        return (
            "an object in which" + ";".join(problem.removeprefix(":") for problem in problems)
            if problems
            else ""
        )

    return check


_OPTIMIZE_MODE = {"optimize_mode": _one_of("minimize", "maximize")}
_SEED = {"seed": _number(int, 0, optional=True)}
_TPE_ARGUMENTS = {
    "constant_liar_type": _one_of("best", "worst", "mean", None),
    "n_startup_jobs": _number(int, 1),
    "n_ei_candidates": _number(int, 1),
    "linear_forgetting": _number(int, 1),
    "prior_weight": _number(float, 1e-6),
    "gamma": _number(float, 1e-6),
}
_TUNERS = "nni_manager.algorithms.tuners"

_BUILT_INS = (
    BuiltIn(
        "TPE",
        "tuner",
        f"{_TUNERS}.tpe.TpeTuner",
        {**_OPTIMIZE_MODE, **_SEED, "tpe_args": _table(_TPE_ARGUMENTS)},
    ),
    BuiltIn("Random", "tuner", f"{_TUNERS}.random.RandomTuner", {**_OPTIMIZE_MODE, **_SEED}),
    BuiltIn("GridSearch", "tuner", f"{_TUNERS}.grid_search.GridSearchTuner", _OPTIMIZE_MODE),
)

_NOT_YET = "this algorithm of NNI 3 is not available in this version"
_ARCHITECTURE_SEARCH = "it belongs to architecture search, which is not part of this product"
_NOT_HERE = {
    **dict.fromkeys(("tpe_legacy", "anneal", "batch", "batchtuner", "evolution", "smac", "gp"), _NOT_YET),
    **dict.fromkeys(("gptuner", "metis", "metistuner", "dngo", "dngotuner", "pbt", "pbttuner"), _NOT_YET),
    **dict.fromkeys(("hyperband", "bohb", "medianstop", "curvefitting"), _NOT_YET),
    **dict.fromkeys(
        ("networkmorphism", "ppo", "ppotuner", "regularizedevolutiontuner"), _ARCHITECTURE_SEARCH
    ),
}
