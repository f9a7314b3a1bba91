"""nnictl config check and nnictl config show."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nni_config.problems import Problem
from nni_config.wire import config_from_message

from nni_client.commands.output import print_json
from nni_client.commands.selection import find_readable
from nni_client.commands.showing import read_experiment
from nni_client.config_check import check_file


def show_check(path: Path, as_json: bool) -> bool:
    """Prints what is wrong with a configuration file; as JSON on standard output, else on standard error.

    Returns:
        Whether an experiment can be started with it.

    Raises:
        OSError: The file cannot be read.
    """
    found = check_file(path)
    if as_json:
        problems = [_described(path, problem) for problem in found.problems]
        print_json({"valid": not problems, "problems": problems, "warnings": found.warnings})
        return not found.problems
    for problem in found.problems:
        print(problem, file=sys.stderr)
    for warning in found.warnings:
        print(f"WARNING: {warning}", file=sys.stderr)
    if not found.problems:
        print(f"{path} is a valid configuration")
    return not found.problems


def show_config(experiment_id: str | None, directory: Path | None) -> None:
    """Prints the configuration of an experiment as JSON, which is YAML too, without secrets.

    Raises:
        RuntimeError: There is no such experiment, or its record cannot be read.
    """
    experiment = read_experiment(find_readable(experiment_id, directory))
    config = config_from_message(experiment.config).to_dict(secrets=False)
    # Not sorted: grids and seeds depend on the order of a search space.
    print(json.dumps(config, indent=4, ensure_ascii=False))


def _described(path: Path, problem: Problem) -> dict[str, str | int | None]:
    place = problem.shown_path or ".".join(map(str, problem.path))
    return {"file": str(path), "line": problem.line or None, "field": place, "message": problem.message}
