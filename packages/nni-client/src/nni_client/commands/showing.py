"""Commands that show one experiment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from nni_config.experiment_folders import INTERRUPTED, FolderSummary
from nni_proto.resource_names import experiment_name, parse_trial_name
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.experiment_service_pb2 import (
    CreateSignInCodeRequest,
    GetExperimentRequest,
    ListTrialsRequest,
)
from nni_proto.v1.trial_pb2 import Trial
from nni_proto.values import from_message

from nni_client import results, words
from nni_client.commands.output import print_json
from nni_client.commands.selection import connection_to, find_readable, open_session, select
from nni_client.connection import Session
from nni_client.methods import CREATE_SIGN_IN_CODE, GET_EXPERIMENT, LIST_TRIALS
from nni_client.unattached import is_interrupted

_WAITING_LOOKED_AT = 100


def show_status(experiment_id: str | None, as_json: bool, directory: Path | None = None) -> None:
    """Prints how far an experiment is.

    Raises:
        RuntimeError: There is no such experiment, or its record cannot be read.
    """
    folder = find_readable(experiment_id, directory)
    with open_session(folder) as session:
        experiment = _experiment(session, folder)
        reasons = waiting_reasons(session, experiment) if folder.is_running else []
    if as_json:
        print_json({**_facts(folder, experiment), "waiting": reasons})
        return
    paused = " (paused)" if experiment.paused else ""
    print(f"{folder.experiment_id}: {status_text(folder, experiment)}{paused}")
    if reason := end_reason(experiment):
        print(f"  {reason}")
    print(f"  {words.counts(experiment)}")
    for reason in reasons:
        print(f"  waiting: {reason}")
    if best := words.best(experiment):
        print(f"  best {best}")
    for warning in experiment.warnings:
        print(f"  warning: {warning}")
    for error in words.further_errors(experiment):
        print("  " + error.replace("\n", "\n  "))


def show_profile(experiment_id: str | None, directory: Path | None) -> None:
    """Prints all that there is to know of an experiment, as JSON in NNI's form.

    Raises:
        RuntimeError: There is no such experiment, or its record cannot be read.
    """
    folder = find_readable(experiment_id, directory)
    experiment = read_experiment(folder)
    profile = results.profile(experiment)
    profile["status"] = status_of(folder, experiment)
    print_json(profile)


def show_best(experiment_id: str | None, as_json: bool, directory: Path | None) -> int:
    """Prints the best succeeded trial; as JSON its parameters alone, for NNI_PARAMETERS.

    Returns:
        The exit code: 1 when there is none yet.

    Raises:
        RuntimeError: There is no such experiment, or its record cannot be read.
    """
    folder = find_readable(experiment_id, directory)
    experiment = read_experiment(folder)
    if not experiment.HasField("best_trial"):
        text = f"Experiment {folder.experiment_id} has no best trial: none succeeded with a number as result."
        print(text, file=sys.stderr)
        return 1
    trial = experiment.best_trial
    if as_json:
        print_json(_parameters(trial))
        return 0
    _, trial_id = parse_trial_name(trial.name)
    goal = "highest" if experiment.optimize_mode == "maximize" else "lowest"
    print(f"trial       {trial_id} (number {trial.sequence_number})")
    print(f"objective   {words.number(trial.objective)}, the {goal} of {words.counts(experiment)}")
    print(f"parameters  {words.parameters(trial)}")
    return 0


def show_url(experiment_id: str | None, view_only: bool) -> None:
    """Prints the address of an experiment's page.

    Args:
        experiment_id: The experiment; None for the only one that runs.
        view_only: Whether the address signs in for looking only.

    Raises:
        RuntimeError: No such experiment runs.
    """
    record = select(experiment_id)
    request = CreateSignInCodeRequest(name=experiment_name(record.experiment_id), view_only=view_only)
    print(f"Web UI url: {connection_to(record).call(CREATE_SIGN_IN_CODE, request).url}")


def read_experiment(folder: FolderSummary, timeout: float | None = None) -> Experiment:
    """Reads an experiment from its manager, or from its record.

    Raises:
        RuntimeError: It cannot be read.
    """
    with open_session(folder, timeout) as session:
        return _experiment(session, folder)


def waiting_reasons(session: Session, experiment: Experiment) -> list[str]:
    """Returns why trials wait that are not started yet, each reason once, of the first ones that wait."""
    if not any(it.count for it in experiment.trial_counts if it.status == Trial.STATUS_WAITING):
        return []
    request = ListTrialsRequest(
        parent=experiment.name, page_size=_WAITING_LOOKED_AT, statuses=[Trial.STATUS_WAITING]
    )
    trials = session.call(LIST_TRIALS, request).trials
    return list(dict.fromkeys(trial.waiting_reason for trial in trials if trial.waiting_reason))


def _experiment(session: Session, folder: FolderSummary) -> Experiment:
    request = GetExperimentRequest(name=experiment_name(folder.experiment_id))
    return session.call(GET_EXPERIMENT, request).experiment


def status_of(folder: FolderSummary, experiment: Experiment) -> str:
    """Returns an experiment's status; one whose manager was killed is STOPPED, whatever its record says."""
    return status_text(folder, experiment).partition(" ")[0]


def status_text(folder: FolderSummary, experiment: Experiment) -> str:
    """Returns an experiment's status, and what a person is to know of it."""
    from nni_config.experiment_summary import ENDED_STATUSES

    status = words.experiment_status(experiment.status)
    if is_interrupted(experiment):
        return f"{status} ({INTERRUPTED})"
    if folder.is_running or status in ENDED_STATUSES or status == "INITIALIZED":
        return status
    return f"STOPPED ({INTERRUPTED})"


def end_reason(experiment: Experiment) -> str:
    """Returns why an experiment has ended, "" where that is not known or its status text tells it."""
    return "" if is_interrupted(experiment) else experiment.end_reason.message


def _facts(folder: FolderSummary, experiment: Experiment) -> dict[str, Any]:
    best = None
    if experiment.HasField("best_trial"):
        trial = experiment.best_trial
        best = {
            "id": parse_trial_name(trial.name)[1],
            "objective": trial.objective,
            "parameters": _parameters(trial),
        }
    counts = results.job_statistics(experiment)
    return {
        "id": folder.experiment_id,
        "status": status_of(folder, experiment),
        "paused": experiment.paused,
        "reason": experiment.end_reason.message,
        "errors": list(experiment.errors),
        "warnings": list(experiment.warnings),
        "trials": {entry["trialJobStatus"]: entry["trialJobNumber"] for entry in counts},
        "best": best,
        "seconds": experiment.running_time.ToTimedelta().total_seconds(),
        "port": folder.manager.port if folder.manager is not None else None,
        "pid": folder.manager.pid if folder.manager is not None else None,
        "directory": experiment.directory or str(folder.path),
    }


def _parameters(trial: Trial) -> Any:
    return from_message(trial.parameters) if trial.HasField("parameters") else None
