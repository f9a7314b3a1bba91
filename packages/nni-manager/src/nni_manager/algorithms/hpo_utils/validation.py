"""Checks a search space before any tuner sees it."""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Collection, Iterator
from numbers import Integral, Real
from typing import Any

from nni_manager.algorithms.hpo_utils.parameter_spec import is_nested_choice

_logger = logging.getLogger(__name__)

_ARGUMENTS = {
    "choice": "a list of options",
    "randint": "[low, high)",
    "uniform": "[low, high]",
    "quniform": "[low, high, q]",
    "loguniform": "[low, high]",
    "qloguniform": "[low, high, q]",
    "normal": "[mu, sigma]",
    "qnormal": "[mu, sigma, q]",
    "lognormal": "[mu, sigma]",
    "qlognormal": "[mu, sigma, q]",
}

ALL_TYPES = tuple(_ARGUMENTS)
"""Every `_type` there is."""


def validate_search_space(
    search_space: Any, support_types: list[str] | None = None, raise_exception: bool = False
) -> bool:
    """Checks a search space and logs what is wrong with it.

    Args:
        search_space: The search space.
        support_types: The allowed types, all by default.
        raise_exception: Whether to raise what is wrong instead of logging it.

    Returns:
        Whether it is valid.

    Raises:
        ValueError: It is not valid and `raise_exception` is set.
    """
    problems = search_space_problems(search_space, support_types)
    if problems and raise_exception:
        raise ValueError("; ".join(problems))
    for problem in problems:
        _logger.error("%s", problem)
    return not problems


def search_space_problems(search_space: Any, types: Collection[str] | None = None) -> list[str]:
    """Returns what is wrong with a search space, each with the place, what is there and what is allowed.

    Args:
        search_space: The search space.
        types: The allowed types, all by default.
    """
    if not isinstance(search_space, dict):
        return [f"the search space is {_shown(search_space)}, not an object of parameters by name"]
    if not search_space:
        return ["the search space is empty"]
    return list(_space_problems("", search_space, ALL_TYPES if types is None else types))


def _space_problems(path: str, space: dict[Any, Any], types: Collection[str]) -> Iterator[str]:
    for name, definition in space.items():
        if name == "_name" and path:
            continue
        place = f"{path}.{name}" if path else f"search space: {name}"
        if not isinstance(name, str):
            yield f"{place}: the name is not text"
        elif not isinstance(definition, dict):
            yield f"{place}: {_shown(definition)} is not an object with _type and _value"
        elif "_type" in definition:
            yield from _parameter_problems(place, definition, types)
        elif definition and all(isinstance(inner, dict) for inner in definition.values()):
            yield from _space_problems(place, definition, types)
        else:
            yield f"{place}: _type is missing"


def _parameter_problems(place: str, definition: dict[str, Any], types: Collection[str]) -> Iterator[str]:
    type_, extra = definition["_type"], [key for key in definition if key not in ("_type", "_value")]
    if type_ not in ALL_TYPES:
        close = difflib.get_close_matches(str(type_), types, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it should be one of {', '.join(types)}"
        yield f"{place}: _type {_shown(type_)} is unknown; {hint}"
        return
    if type_ not in types:
        yield f"{place}: _type {type_} is not supported by this algorithm; it takes {', '.join(types)}"
        return
    if extra:
        yield f"{place}: {_shown(extra[0])} is not known beside _type and _value"
    values = definition.get("_value")
    if not isinstance(values, (list, tuple)):
        found = _shown(values) if "_value" in definition else "missing"
        yield f"{place}: _value is {found}; {type_} takes {_ARGUMENTS[type_]}"
    elif type_ == "choice":
        yield from _choice_problems(place, list(values), types)
    else:
        problem = _range_problem(type_, list(values))
        if problem:
            yield f"{place}: {type_} {_shown(list(values))}: {problem}"


def _choice_problems(place: str, options: list[Any], types: Collection[str]) -> Iterator[str]:
    if not options:
        yield f"{place}: choice has no options"
    named = [option for option in options if isinstance(option, dict) and "_name" in option]
    if not named:
        return
    if not is_nested_choice(options):
        yield f"{place}: either every option has a _name or none"
        return
    names = [option["_name"] for option in named]
    for name in names:
        if not isinstance(name, str):
            yield f"{place}: the _name {_shown(name)} is not text"
    for name in sorted({name for name in names if isinstance(name, str) and names.count(name) > 1}):
        yield f"{place}: two options have the _name {name!r}"
    for option in named:
        yield from _space_problems(f"{place}.{option['_name']}", option, types)


def _range_problem(type_: str, values: list[Any]) -> str:
    expected = 3 if type_.startswith("q") else 2
    if len(values) != expected:
        return f"it takes {expected} numbers, {_ARGUMENTS[type_]}"
    for value in values:
        if isinstance(value, bool) or not isinstance(value, Real):
            return f"{_shown(value)} is not a number"
        if not math.isfinite(value):
            return f"{_shown(value)} is not finite"
    first, second = values[:2]
    if type_ == "randint":
        if not all(isinstance(value, Integral) for value in values):
            return "both bounds are to be integers"
        return "" if first < second else "the range is empty, since the upper bound does not belong to it"
    if expected == 3 and not values[2] > 0:
        return "q is to be greater than 0"
    if type_.endswith("normal"):
        return "" if second > 0 else "sigma is to be greater than 0"
    if first > second:
        return "the lower bound is above the upper one"
    if not math.isfinite(float(second) - float(first)):
        return "the range is too wide for a float"
    return "" if "log" not in type_ or first > 0 else "both bounds of a logarithm are to be greater than 0"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
