"""Checks parameters that are to be tried first against the search space of a built-in tuner."""

from __future__ import annotations

import math
from typing import Any

from nni_config.names import closest, short
from nni_config.problems import Problem, Report
from nni_config.search_space_types import PARAMETER_TYPES

_TOLERANCE = 1e-9
"""How far a number may be from a multiple of q, of which floating-point numbers are only near."""


def initial_parameters_problems(parameters: list[dict[str, Any]], space: dict[str, Any]) -> list[Problem]:
    """Returns where parameters do not fit a valid search space, each with the way to it within the list.

    An element may lack parameters of the space's top level, which the tuner adds; what it has must be whole.
    """
    report = Report()
    for index, element in enumerate(parameters):
        _check_names(element, space, report.at(index))
        for name in element.keys() & space.keys():
            _check_value(element[name], space[name], report.at(index, name))
    return sorted(report.problems, key=lambda problem: problem.path[:1])


def _check_group(values: Any, space: dict[str, Any], report: Report) -> None:
    """Checks the parameters of a group, or of the chosen option of a nested choice: all must be there."""
    if not isinstance(values, dict):
        report.add(f"{short(values)} is not a group; allowed are {_listed(space)} with values")
        return
    _check_names(values, space, report)
    for name, entry in space.items():
        if name == "_name":
            continue
        if name in values:
            _check_value(values[name], entry, report.at(name))
        else:
            report.add("it is missing; the tuner adds whole parameters only, allowed is all in here", name)


def _check_names(values: dict[str, Any], space: dict[str, Any], report: Report) -> None:
    for name in values.keys() - space.keys():
        guess = closest(name, space)
        hint = f" (did you mean {guess}?)" if guess else ""
        report.add(f"the search space does not name it{hint}; allowed: {_listed(space)}", name)


def _listed(space: dict[str, Any]) -> str:
    names = [name for name in space if name != "_name"]
    more = [f"and {len(names) - 20} more"] if len(names) > 20 else []
    return ", ".join([*names[:20], *more]) or "none"


def _check_value(value: Any, entry: dict[str, Any], report: Report) -> None:
    if "_type" not in entry:
        _check_group(value, entry, report)
    elif entry["_type"] == "choice":
        _check_choice(value, entry["_value"], report)
    else:
        allowed = _allowed_numbers(value, entry["_type"], entry["_value"])
        if allowed:
            report.add(f"{short(value)} is not within the search space; allowed is {allowed}")


def _check_choice(value: Any, options: list[Any], report: Report) -> None:
    if not any(isinstance(option, dict) and "_name" in option for option in options):
        if not any(_is_same(value, option) for option in options):
            report.add(f"{short(value)} is no option; allowed: {_shown(options)}")
        return
    names = [option["_name"] for option in options]
    if not isinstance(value, dict) or "_name" not in value:
        report.add(f"{short(value)} is no option; allowed is an object with _name: {_shown(names)}")
        return
    chosen = next((option for option in options if _is_same(value["_name"], option["_name"])), None)
    if chosen is None:
        report.add(f"{short(value['_name'])} is no option's name; allowed: {_shown(names)}", "_name")
        return
    _check_group(value, chosen, report)


def _shown(options: list[Any]) -> str:
    more = [f"and {len(options) - 20} more"] if len(options) > 20 else []
    return ", ".join([*(short(option) for option in options[:20]), *more])


def _is_same(value: Any, option: Any) -> bool:
    """Returns whether two values are the same in JSON, where true is not 1, but 1.0 is."""
    if isinstance(value, list) and isinstance(option, list):
        return len(value) == len(option) and all(map(_is_same, value, option))
    if isinstance(value, dict) and isinstance(option, dict):
        return value.keys() == option.keys() and all(_is_same(value[key], option[key]) for key in value)
    if isinstance(value, float) and isinstance(option, float) and math.isnan(value):
        return math.isnan(option)
    return bool(value == option) and isinstance(value, bool) == isinstance(option, bool)


def _allowed_numbers(value: Any, kind: str, arguments: list[Any]) -> str:
    """Returns which numbers a parameter may have, or nothing if the value is one of them."""
    parameter = PARAMETER_TYPES[kind]
    step = arguments[-1] if parameter.names[-1] == "q" else None
    is_whole = parameter.is_whole or (step is not None and all(isinstance(each, int) for each in arguments))
    allowed = "a whole number" if is_whole else "a number"
    is_fine = isinstance(value, int if is_whole else (int, float)) and not isinstance(value, bool)
    is_fine = is_fine and math.isfinite(value)
    bounds: tuple[Any, ...] = ()
    if parameter.names[0] == "low":
        bounds = low, high = arguments[0], arguments[1]
        last = "to" if parameter.includes_high else "up to but without"
        allowed += f" from {low} {last} {high}"
        is_fine = is_fine and low <= value <= high and (parameter.includes_high or value < high)
    elif kind == "lognormal":
        allowed += " above 0"
        is_fine = is_fine and value > 0
    elif kind == "qlognormal":
        allowed += " from 0"
        is_fine = is_fine and value >= 0
    if step is not None:
        allowed += f", a multiple of {step}" + (" or one of these two" if bounds else "")
        is_fine = is_fine and (value in bounds or _is_multiple(value, step))
    return "" if is_fine else allowed


def _is_multiple(value: float, step: float) -> bool:
    quotient = value / step
    return math.isclose(quotient, round(quotient), rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
