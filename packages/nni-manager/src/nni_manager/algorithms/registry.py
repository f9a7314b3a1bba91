"""The algorithms that are chosen by name, and what their arguments may be."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from nni_config.registered_algorithms import AlgoMeta, RegistryError, find_registered, registered_algorithms

from nni_manager.algorithms.argument_checks import argument_problems
from nni_manager.algorithms.built_ins import BUILT_INS, ELSEWHERE, BuiltIn
from nni_manager.algorithms.registered import argument_problems as registered_argument_problems


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
        return registered_argument_problems(registered, class_args)
    place = f"{kind} {built_in.name}"
    problems = [] if kind != "tuner" else built_in.space_problems(search_space)
    problems += [f"{place}: {text}" for text in _missing(built_in)]
    found = argument_problems(place, built_in.arguments, class_args or {})
    return problems + (
        found or [f"{place}: {text}" for text in built_in.combination_problems(class_args or {})]
    )


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
    note = ELSEWHERE.get(name.lower())
    if note is not None:
        raise LookupError(f"{kind} {name}: {note}; available are: {available}")
    close = get_close_matches(name.lower(), [built_in.name.lower() for built_in in built_ins], n=1)
    hint = next(
        (f"did you mean {built_in.name}? " for built_in in built_ins if [built_in.name.lower()] == close), ""
    )
    raise LookupError(f"{kind} {name!r} is unknown; {hint}available are: {available}")


def algorithm_notice(kind: str, name: str) -> str:
    """Returns what a person who chose an algorithm is to know; "" for nothing, and if it is unknown."""
    try:
        return find_algorithm(kind, name).notice
    except (LookupError, RegistryError):
        return ""


def _registered(kind: str, name: str) -> AlgoMeta | None:
    """Returns the registered algorithm of a name that is not built in, or None."""
    if any(_has_name(built_in, name) for built_in in built_in_algorithms(kind)):
        return None
    return find_registered(name, kind)


def _has_name(built_in: BuiltIn, name: str) -> bool:
    return name.lower() in (known.lower() for known in (built_in.name, *built_in.aliases))


def built_in_algorithms(kind: str) -> list[BuiltIn]:
    """Returns the built-in algorithms that are a "tuner" or an "assessor"."""
    return [built_in for built_in in BUILT_INS if built_in.kind == kind]


def _missing(built_in: BuiltIn) -> list[str]:
    missing = built_in.missing_packages()
    if not missing:
        return []
    return [
        f"it needs {' and '.join(missing)}, not installed for {sys.executable}; "
        f'install with: pip install "nni-manager[{built_in.extra}]"'
    ]
