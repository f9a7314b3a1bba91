"""Makes a configuration of a YAML file, with every problem at its line."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nni_config.names import comparable, short
from nni_config.paths import base_path
from nni_config.problems import InvalidConfigError, NotAMappingError, Problem, Report, Steps, error_of
from nni_config.yaml_file import YamlDocument, read_yaml

if TYPE_CHECKING:
    from nni_config.base import ConfigBase

Config = TypeVar("Config", bound="ConfigBase")

_DEEPEST = 4
"""How deep configurations are nested at most."""


def load_config(config_class: type[Config], path: Path) -> Config:
    """Reads a configuration; see `ConfigBase.load`."""
    return config_of(config_class, path, read_yaml(path))


def config_of(config_class: type[Config], path: Path, document: YamlDocument) -> Config:
    """Makes a configuration of what was read from a file.

    Raises:
        InvalidConfigError: It is not valid.
    """
    problems = document.problems
    if not isinstance(document.value, dict):
        if problems:
            raise error_of(problems)
        found = "the file is empty" if document.value is None else f"it holds {short(document.value)}"
        message = f"{found}; allowed are fields with values"
        raise NotAMappingError([Problem((), message, location=str(path))])
    with base_path(path.absolute().parent):
        try:
            config = config_class(**_text_keys(document.value))
        except InvalidConfigError as error:
            problems += [document.origin.located(problem) for problem in error.problems]
            problems += _further_problems(config_class, document, error.problems)
    if problems:
        raise error_of(sorted(problems, key=lambda problem: problem.line))
    config._origin = document.origin
    return config


def _text_keys(mapping: dict[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in mapping.items()}


def _further_problems(
    config_class: type[ConfigBase], document: YamlDocument, found: Sequence[Problem]
) -> list[Problem]:
    """Returns what else would be wrong if the values that are wrong were left out."""
    rest = _text_keys(copy.deepcopy(document.value))
    wrong: set[Steps] = set()
    # Where leaving out a value is wrong too, the part around it is left out.
    for shortened in range(_DEEPEST):
        for problem in found:
            path = problem.path[: max(1, len(problem.path) - shortened)]
            wrong |= {problem.path, path}
            _remove(rest, path)
        try:
            config = config_class(**rest)
        except InvalidConfigError as error:
            found = error.problems
            continue
        config._origin = document.origin
        report = Report(already_wrong=frozenset(wrong))
        made = config._make_canonical_copy(report)
        return [made._located(problem) for problem in report.problems]
    return []


def _remove(mapping: Any, path: Steps) -> None:
    """Removes the value at a path, or the nearest value around it that exists."""
    for depth, step in enumerate(path):
        if isinstance(step, int):
            key: Any = step if isinstance(mapping, list) and step < len(mapping) else None
        else:
            names = mapping if isinstance(mapping, dict) else {}
            key = next((name for name in names if comparable(str(name)) == comparable(step)), None)
        if key is None:
            return
        if depth == len(path) - 1:
            # An element of a list becomes null, so that the positions of the others stay.
            if isinstance(mapping, list):
                mapping[key] = None
            else:
                del mapping[key]
        else:
            mapping = mapping[key]
