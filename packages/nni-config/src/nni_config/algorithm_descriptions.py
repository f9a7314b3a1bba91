"""Reads the files with which algorithms are registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nni_config.algorithms import BUILT_IN_ALGORITHMS
from nni_config.names import closest, short
from nni_config.problems import InvalidConfigError, Problem, Report
from nni_config.registered_algorithms import AlgoMeta
from nni_config.yaml_file import read_yaml

_KEYS: dict[str, type] = {
    "algoType": str,
    "builtinName": str,
    "className": str,
    "alias": str,
    "acceptClassArgs": bool,
    "classArgs": dict,
    "classArgsValidator": str,
    "isAdvisor": bool,
    "source": str,
    "nniVersion": str,
}
_NEEDED = ("algoType", "builtinName", "className")
_WORDS = {str: "text", bool: "true or false", dict: "names with values"}


def read_descriptions(path: Path) -> list[AlgoMeta]:
    """Reads a YAML file of one algorithm, or of several in a list named algorithms.

    Raises:
        InvalidConfigError: The file is not valid; every problem is named with its line.
        OSError: The file cannot be read.
    """
    document = read_yaml(path)
    report = Report()
    value = document.value
    listed = isinstance(value, dict) and "algorithms" in value
    entries = value["algorithms"] if listed else [value]
    if not isinstance(entries, list) or not entries:
        report.add(f"{short(entries)} is not a list of algorithms; allowed is one or more", "algorithms")
    else:
        for index, entry in enumerate(entries):
            _check(entry, report.at("algorithms", index) if listed else report)
        if listed and len(value) > 1:
            others = ", ".join(str(key) for key in value if key != "algorithms")
            report.add(f"{others}: not allowed beside algorithms; write it into each of them")
    problems = [*document.problems, *(document.origin.located(each) for each in report.problems)]
    if problems:
        raise InvalidConfigError(sorted(problems, key=lambda problem: problem.line))
    return [AlgoMeta.load(entry)._replace(is_builtin=False) for entry in entries]


def _check(entry: Any, report: Report) -> None:
    if not isinstance(entry, dict):
        report.add(f"{short(entry)} is no algorithm; needed are {', '.join(_NEEDED)}")
        return
    for key in _NEEDED:
        if entry.get(key) is None:
            report.add("it is not set; an algorithm needs it", key)
    for key, value in entry.items():
        if key not in _KEYS:
            guess = closest(str(key), _KEYS)
            hint = f"; did you mean {guess}?" if guess else f"; allowed are {', '.join(_KEYS)}"
            report.add(f"there is no such field{hint}", str(key))
        elif value is not None and not isinstance(value, _KEYS[key]):
            report.add(f"{short(value)} is not allowed; allowed is {_WORDS[_KEYS[key]]}", key)
    if not report.problems:
        _check_values(entry, report)


def _check_values(entry: dict[str, Any], report: Report) -> None:
    if entry["algoType"] not in ("tuner", "assessor", "advisor"):
        report.add(
            f"{short(entry['algoType'])} is not allowed; allowed are tuner, assessor and advisor", "algoType"
        )
    elif entry["algoType"] == "assessor" and entry.get("isAdvisor"):
        report.add("an assessor is no advisor; allowed is true with algoType advisor or tuner", "isAdvisor")
    for key in ("className", "classArgsValidator"):
        class_name = entry.get(key)
        if class_name is not None and not all(map(str.isidentifier, ["a", *class_name.split(".")])):
            report.add(f'{short(class_name)} is not a class; allowed is "module.Class"', key)
        elif class_name is not None and "." not in class_name:
            report.add(f'{short(class_name)} has no module; allowed is "module.Class"', key)
    for key in ("builtinName", "alias"):
        name = entry.get(key)
        if name is not None and (not name.strip() or not name.isprintable()):
            report.add(f"{short(name)} is not a name; allowed is text", key)
        elif name is not None and is_built_in_name(name):
            report.add(f"{name} is the name of a built-in algorithm; allowed is a name of its own", key)


def is_built_in_name(name: str) -> bool:
    """Returns whether a name is that of a built-in tuner or assessor, in any case."""
    return any(each.has_name(name) for each in BUILT_IN_ALGORITHMS)


def conflicts(new: list[AlgoMeta], existing: list[AlgoMeta]) -> list[Problem]:
    """Returns where names and aliases of new algorithms are those of others; the same name replaces one."""
    problems = []
    for index, meta in enumerate(new):
        others = [it for it in existing if it.name != meta.name] + new[:index]
        for name in (meta.name, meta.alias):
            other = next((it for it in others if name is not None and it.has_name(name)), None)
            if other is not None:
                text = f"{name} is a name of {other.algo_type} {other.name}; allowed is a name of its own"
                problems.append(Problem((meta.name,), text))
    return problems
