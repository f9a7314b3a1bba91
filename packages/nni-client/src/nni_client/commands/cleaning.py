"""nnictl platform clean."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import typer
from nni_config import ExperimentConfig

from nni_client.commands.output import print_table, size_text
from nni_client.commands.selection import find

_MODULE = "nni_manager.server.platform_cleaning"


def clean(
    experiment_id: str | None,
    config_file: Path | None,
    directory: Path | None,
    *,
    same_id: bool,
    files: bool,
    dry_run: bool,
) -> None:
    """Stops the jobs that an experiment left on platforms; without one, says how to remove what is left.

    Args:
        experiment_id: The experiment.
        config_file: A configuration, in place of the recorded one.
        directory: The folder that holds the experiment's folder.
        same_id: Whether all experiments that have this id are meant.
        files: Whether its files in storages are removed.
        dry_run: Only print what there is.

    Raises:
        ValueError: The configuration is not valid.
        OSError: The file cannot be read.
        RuntimeError: There is no such experiment, it runs, or nobody can look for jobs here.
        typer.Exit: Something is left; the exit code is 1.
    """
    if experiment_id is None:
        if config_file is None:
            raise typer.BadParameter("an id, or --config is needed")
        _explain(config_file)
        return
    question: dict[str, Any] = {
        "experiment_id": experiment_id,
        "folder": "",
        "same_id": same_id,
        "files": files,
        "dry_run": dry_run,
    }
    try:
        folder = find(experiment_id, directory)
    except RuntimeError:
        if config_file is None:
            raise
    else:
        if folder.is_running:
            raise RuntimeError(
                f"Experiment {folder.experiment_id} is running and needs its jobs; stop it first: "
                f"nnictl stop {folder.experiment_id}"
            )
        question |= {"experiment_id": folder.experiment_id, "folder": str(folder.path)}
    if config_file is not None:
        question["config"] = str(config_file.absolute())
    answer = _ask(question)
    if "problem" in answer:
        raise RuntimeError(answer["problem"])
    went_well = _show(answer["services"], str(question["experiment_id"]), dry_run)
    _show_files(answer["services"], files, dry_run)
    if not went_well:
        raise typer.Exit(1)


def _ask(question: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", _MODULE],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.splitlines() or [f"it ended with exit code {done.returncode}"])[-1]
        if "nni_manager" in last and "ModuleNotFoundError" in last:
            last = f"this needs the package nni-manager: {sys.executable} -m pip install nni-manager"
        raise RuntimeError(f"Jobs could not be looked for: {last}") from None
    return answer


def _show(services: list[dict[str, Any]], experiment_id: str, dry_run: bool) -> bool:
    """Prints what was found and done; returns whether all went well."""
    jobs = [
        [job["name"], service["name"], job["state"], job["reason"]]
        for service in services
        for job in service["jobs"]
    ]
    if jobs:
        print_table(("JOB", "PLATFORM", "STATE", "REASON"), jobs, cut=("REASON",))
        print(f"{'Would stop' if dry_run else 'Stopped'} {len(jobs)} job{'' if len(jobs) == 1 else 's'}.")
    elif not services:
        print(f"Experiment {experiment_id} runs no jobs on platforms.")
    problems = [service["problem"] for service in services if service["problem"]]
    for problem in problems:
        print(f"ERROR: {problem}", file=sys.stderr)
    if services and not jobs and not problems:
        print(f"Experiment {experiment_id} has no job left on {', '.join(it['name'] for it in services)}.")
    return not problems


def _show_files(services: list[dict[str, Any]], removes: bool, dry_run: bool) -> None:
    """Prints which files there are in storages, and what became of them."""
    found = [(service, part) for service in services for part in service["files"]]
    if not found:
        return
    rows = [
        [part["name"], service["name"], str(part["count"]), size_text(part["bytes"])]
        for service, part in found
    ]
    print_table(("FOLDER", "STORAGE OF", "FILES", "SIZE"), rows)
    count = sum(part["count"] for _, part in found)
    total = f"{count} file{'' if count == 1 else 's'} ({size_text(sum(part['bytes'] for _, part in found))})"
    if not removes:
        print(f"{total} are in the storage; --files removes them.")
    elif dry_run:
        print(f"Would remove {total} from the storage.")
    elif any(service["problem"] for service in services):
        print(f"{total} are in the storage still.")
    else:
        print(f"Removed {total} from the storage.")


def _explain(config_file: Path) -> None:
    """Prints how to remove what trials of a configuration left on other machines."""
    config = ExperimentConfig.load(config_file)
    services = config.training_service
    for service in services if isinstance(services, list) else [services]:
        print(_advice(service.platform if service is not None else "local"))


def _advice(platform: str) -> str:
    if platform == "local":
        return "local: nothing lies on other machines; nnictl experiment delete ID removes an experiment."
    if platform != "remote":
        return (
            f"{platform}: an experiment stops its jobs when it ends. Where the platform could not be reached "
            "then, nnictl platform clean ID finds jobs that are left, and stops them."
        )
    return (
        f"{platform}: an experiment removes what it put on other machines when it ends. Where one could not "
        "be reached then, remove the experiment's folder there by hand, ~/nni-experiments/ID or what the "
        "configuration names instead."
    )
