"""The search space of Batch: one list of whole points, each of them what a trial gets."""

from __future__ import annotations

from typing import Any

from nni_config.algorithms import find_algorithm
from nni_config.names import short
from nni_config.problems import Problem, Report

_ALLOWED = (
    'allowed is one parameter, {"_type": "choice", "_value": [...]}, of which each option is a trial\'s'
)


def takes_points(tuner_name: str | None) -> bool:
    """Returns whether a tuner is a built-in one whose search space is a list of points."""
    built_in = find_algorithm(tuner_name, "tuner") if tuner_name else None
    return built_in is not None and built_in.takes_points


def points_problems(space: Any) -> list[Problem]:
    """Returns what is wrong with a search space that is to be a list of points. A point is any JSON value."""
    report = Report()
    if not isinstance(space, dict):
        report.add(f"{short(space)} is not a search space; {_ALLOWED}")
    elif len(space) != 1:
        report.add(f"it has {len(space)} parameters; {_ALLOWED}")
    else:
        ((name, entry),) = space.items()
        _check_list(entry, report.at(name))
    return report.problems


def _check_list(entry: Any, report: Report) -> None:
    if not isinstance(entry, dict) or "_type" not in entry:
        report.add(f"{short(entry)} is not a choice; {_ALLOWED}")
    elif entry["_type"] != "choice":
        report.add(f"{short(entry['_type'])} is not supported by this algorithm; allowed is choice", "_type")
    elif not isinstance(entry.get("_value"), list):
        report.add(f"{short(entry.get('_value'))} is not a list; allowed is a list", "_value")
    elif not entry["_value"]:
        report.add("it is empty; allowed is one option or more", "_value")


INITIAL_PARAMETERS_REFUSED = (
    "this tuner tries the options of its search space in their order; allowed are none, with the options to "
    "be tried first at the beginning of the search space"
)
"""Why there are no initial parameters beside a list of points."""
