"""Checks a configuration file as a start would, without starting anything."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nni_config import AlgorithmConfig, ExperimentConfig, InvalidConfigError, Problem, start_problems
from nni_config.registered_algorithms import RegistryError

from nni_client.algorithm_instances import no_instance
from nni_client.algorithm_questions import ask

_KINDS = ("tuner", "assessor")
_ARGUMENT = re.compile(r"^(?:(?P<table>\w+): )?(?:unknown argument '(?P<unknown>[^']*)'|(?P<wrong>\w+) is )")


@dataclass(frozen=True)
class CheckedFile:
    """What a check of a configuration file found.

    Attributes:
        problems: Why no experiment can be started with it, in the order of its lines.
        warnings: What is allowed but probably not meant.
    """

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_file(path: Path) -> CheckedFile:
    """Checks a file.

    Raises:
        OSError: It cannot be read.
    """
    try:
        given = ExperimentConfig.load(path)
        config = given.canonical_copy()
    except InvalidConfigError as error:
        return CheckedFile(list(error.problems))
    problems = [config._located(problem) for problem in _algorithm_problems(config)]
    problems += start_problems(config)
    warnings = list(given.warnings())
    try:
        found, notices = _named_algorithms(config)
        problems += [config._located(problem) for problem in found]
        warnings += notices
    except (RuntimeError, RegistryError) as error:
        warnings.append(f"the arguments of tuner and assessor are not checked: {error}")
    return CheckedFile(sorted(problems, key=lambda problem: problem.line), warnings)


def _algorithm_problems(config: ExperimentConfig) -> list[Problem]:
    """Returns which classes of the user's have no module, and instances. They are not imported."""
    problems = []
    for kind in _KINDS:
        algorithm = getattr(config, kind)
        if algorithm is None or algorithm.class_name is None:
            continue
        if algorithm.instance_file is not None:
            problems.append(Problem((kind, "instance_file"), no_instance(kind)))
            continue
        module = algorithm.class_name.partition(".")[0]
        folder = Path(algorithm.code_directory or ".")
        is_there = (folder / f"{module}.py").is_file() or (folder / module).is_dir()
        if not is_there and importlib.util.find_spec(module) is None:
            text = f"there is no module {module} in {folder}; allowed is a module there or an installed one"
            problems.append(Problem((kind, "class_name"), text))
    return problems


def _named_algorithms(config: ExperimentConfig) -> tuple[list[Problem], list[str]]:
    """Returns what is wrong with algorithms that are chosen by name, and what a person is to know of them."""
    chosen: dict[str, AlgorithmConfig] = {}
    for kind in _KINDS:
        algorithm = getattr(config, kind)
        if algorithm is not None and algorithm.name:
            chosen[kind] = algorithm
    if not chosen:
        return [], []
    use = {kind: {"name": it.name, "class_args": it.class_args} for kind, it in chosen.items()}
    found: dict[str, Any] = ask({"use": use, "search_space": config.search_space})
    problems = [
        _placed(kind, chosen[kind], text) for kind, texts in found["problems"].items() for text in texts
    ]
    return problems, [notice for notice in found["notices"].values() if notice]


def _placed(kind: str, algorithm: AlgorithmConfig, text: str) -> Problem:
    """Returns a problem at the argument that it is about, as far as the text says."""
    said = text.partition(": ")[2] or text
    match = _ARGUMENT.match(said)
    if match is None:
        return Problem((kind, "class_args"), said)
    within, steps = algorithm.class_args or {}, []
    for name in (match["table"], match["unknown"] or match["wrong"]):
        if name is not None and name in within:
            steps.append(name)
            within = within[name]
    table_is_in_path = match["table"] is not None and bool(steps)
    return Problem((kind, "class_args", *steps), said[match.end("table") + 2 :] if table_is_in_path else said)
