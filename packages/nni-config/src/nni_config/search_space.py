"""Checks search spaces for the built-in tuners."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from nni_config.names import short
from nni_config.plain import NotPlainError, plain_value
from nni_config.problems import Problem, Report, Steps
from nni_config.search_space_types import PARAMETER_TYPES, refusal_of_type

_RESERVED = ("_name", "_type", "_value")
_SEPARATOR = re.compile(r"[./\[\]]")
_PARAMETER = 'allowed is {"_type": ..., "_value": [...]}'


def check_search_space(space: Any, types: Collection[str] | None = None) -> list[str]:
    """Returns what is wrong with a search space for the built-in tuners, each with the path to it.

    Args:
        space: Parameter names with {"_type", "_value"}; names may also stand for objects of such parameters.
        types: The types that are allowed, all by default. Types of a tuner's own may have any _value.
    """
    try:
        plain = plain_value(space)
    except NotPlainError as error:
        return [str(error)]
    problems = search_space_problems(plain)
    if types is not None:
        problems = [problem for problem in problems if not _is_own_type(plain, problem.path, types)]
        problems += _unsupported_types(plain, types)
    return [str(problem) for problem in problems]


def search_space_problems(space: Any) -> list[Problem]:
    """Returns what is wrong with a search space in plain types."""
    report = Report()
    _check_parameters(space, report)
    return report.problems


def search_space_warnings(space: Any) -> list[str]:
    """Returns what is allowed in a search space but probably not meant, each with the path to it."""
    report = Report()
    _walk(space, report, _warn_of_name, _warn_of_entry)
    return [str(problem) for problem in report.problems]


def _check_parameters(space: Any, report: Report) -> None:
    """Checks an object of parameters: a whole space, a part of it, or the content of a nested option."""
    if not isinstance(space, dict):
        report.add(f"{short(space)} is not a search space; allowed are names with parameters")
        return
    if not space:
        report.add("it is empty; allowed is one parameter or more")
    for name, entry in space.items():
        # The parameters of a very large space are nearly all fine, and numbers.
        if name in _RESERVED or not _is_fine_number(entry):
            _check_entry(name, entry, report.at(name))


def _is_fine_number(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    kind, value = entry.get("_type"), entry.get("_value")
    if not isinstance(kind, str) or kind not in PARAMETER_TYPES or not isinstance(value, list):
        return False
    return not PARAMETER_TYPES[kind].problems(value)


def _check_entry(name: str, entry: Any, report: Report) -> None:
    if name in _RESERVED:
        report.add(f"a parameter cannot have the name {name}; it has a meaning of its own here")
    elif not isinstance(entry, dict):
        constant = {"_type": "choice", "_value": [entry]} if not isinstance(entry, list) else None
        hint = f"; for a constant, {short(constant, 80)}" if constant else ""
        report.add(f"{short(entry)} is not a parameter; {_PARAMETER}{hint}")
    elif "_type" in entry:
        _check_parameter(entry, report)
    elif "_value" in entry:
        report.add(f"it has no _type; {_PARAMETER}")
    else:
        _check_parameters(entry, report)


def _check_parameter(entry: dict[str, Any], report: Report) -> None:
    kind = entry["_type"]
    if kind != "choice" and (not isinstance(kind, str) or kind not in PARAMETER_TYPES):
        report.add(refusal_of_type(kind), "_type")
    elif "_value" not in entry:
        report.add(f"it has no _value; {_PARAMETER}")
    elif not isinstance(entry["_value"], list):
        report.add(f"{short(entry['_value'])} is not a list; allowed is a list", "_value")
    elif kind == "choice":
        _check_options(entry["_value"], report.at("_value"))
    else:
        for index, message in PARAMETER_TYPES[kind].problems(entry["_value"]):
            report.add(message, "_value", *([] if index is None else [index]))


def _check_options(options: list[Any], report: Report) -> None:
    if not options:
        report.add("it is empty; allowed is one option or more")
    named = [isinstance(option, dict) and "_name" in option for option in options]
    if any(named) and not all(named):
        message = "it mixes options with and without _name; allowed are objects with _name, or none of them"
        report.add(message, named.index(False))
        return
    names: set[str | float] = set()
    for index, option in enumerate(options):
        if named[index]:
            _check_nested_option(option, names, report.at(index))
        elif isinstance(option, dict) and any(_is_parameter(value) for value in option.values()):
            report.add("it holds parameters but has no _name; allowed is an object with _name", index)


def _check_nested_option(option: dict[str, Any], names: set[str | float], report: Report) -> None:
    name = option["_name"]
    if not isinstance(name, (str, int, float)) or isinstance(name, bool):
        report.add(f"{short(name)} is not a name; allowed is text", "_name")
    elif name in names:
        report.add(f"{short(name)} is the name of an option above; allowed is a name of its own", "_name")
    else:
        names.add(name)
    for key, entry in option.items():
        if key != "_name":
            _check_entry(key, entry, report.at(key))


def _unsupported_types(space: Any, types: Collection[str]) -> list[Problem]:
    report = Report()

    def check(entry: dict[str, Any], report: Report) -> None:
        kind = entry["_type"]
        if isinstance(kind, str) and kind in ("choice", *PARAMETER_TYPES) and kind not in types:
            report.add(f"{kind} is not supported by this algorithm; allowed are {', '.join(types)}", "_type")

    _walk(space, report, lambda name, report: None, check)
    return report.problems


def _is_own_type(space: Any, path: Steps, types: Collection[str]) -> bool:
    """Returns whether a path leads to a type that is not known here, but allowed."""
    if path[-1:] != ("_type",):
        return False
    for step in path:
        space = space[step]
    return isinstance(space, str) and space in types


def _is_parameter(value: Any) -> bool:
    return isinstance(value, dict) and "_type" in value


def _walk(
    space: Any,
    report: Report,
    on_name: Callable[[str, Report], None],
    on_entry: Callable[[dict[str, Any], Report], None],
) -> None:
    """Visits everything that looks like a parameter."""
    if not isinstance(space, dict):
        return
    for name, entry in space.items():
        if name == "_name":
            continue
        here = report.at(str(name))
        on_name(str(name), here)
        if not _is_parameter(entry):
            _walk(entry, here, on_name, on_entry)
            continue
        on_entry(entry, here)
        options = entry.get("_value")
        if entry["_type"] == "choice" and isinstance(options, list):
            for index, option in enumerate(options):
                if isinstance(option, dict) and "_name" in option:
                    _walk(option, here.at("_value", index), on_name, on_entry)


def _warn_of_name(name: str, report: Report) -> None:
    if name != name.strip() or not name:
        report.add(f"the name {name!r} is empty or begins or ends with a blank")
    elif name.endswith(":"):
        report.add(f"the name {name!r} ends with a colon; was one typed too many?")
    elif not name.isprintable():
        report.add(f"the name {name!r} has characters that cannot be seen")
    elif _SEPARATOR.search(name):
        report.add(f"the name {name!r} has one of the characters . / [ ], which separate names elsewhere")


def _warn_of_entry(entry: dict[str, Any], report: Report) -> None:
    for key in entry.keys() - {"_type", "_value"}:
        report.add(f"{key} has no meaning beside _type and _value", key)
    options = entry.get("_value")
    if entry["_type"] == "choice" and isinstance(options, list):
        seen: set[str] = set()
        for index, option in enumerate(options):
            text = repr(option)
            if isinstance(option, str) and option.startswith("${") and option.endswith("}"):
                report.add(f"{short(option)} looks like a placeholder that is not filled in", "_value", index)
            if text in seen:
                report.add(f"the option {short(option)} is given twice", "_value", index)
            seen.add(text)
