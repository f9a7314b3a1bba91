"""Commands that show something."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from nni_config.local_state import ManagerRecord, running_managers
from nni_proto.resource_names import experiment_name, parse_trial_name
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.experiment_service_pb2 import CreateSignInCodeRequest, GetExperimentRequest
from nni_proto.values import from_message

from nni_client import words
from nni_client.commands.selection import connection_to, select
from nni_client.errors import CallError
from nni_client.methods import CREATE_SIGN_IN_CODE, GET_EXPERIMENT
from nni_client.results import job_statistics

_LIST_SECONDS = 5.0
_COLUMNS = ("ID", "NAME", "STATUS", "TRIALS", "PORT", "PID", "STARTED")


def show_running(as_json: bool) -> None:
    """Prints the experiments that run; one whose manager does not answer is shown with its fault."""
    rows = [_row(record) for record in running_managers()]
    if as_json:
        print(json.dumps(rows, indent=4))
        return
    if not rows:
        print("No experiment is running.")
        return
    table = [_COLUMNS, *(tuple(str(row[name.lower()] or "-") for name in _COLUMNS) for row in rows)]
    widths = [max(len(line[index]) for line in table) for index in range(len(_COLUMNS))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    for row in rows:
        if row["problem"]:
            print(f"{row['id']}: {row['problem']}")


def show_status(experiment_id: str | None, as_json: bool) -> None:
    """Prints how far an experiment is.

    Raises:
        RuntimeError: No such experiment runs.
    """
    record = select(experiment_id)
    experiment = _experiment(record, None)
    if as_json:
        print(json.dumps(_facts(record, experiment), indent=4))
        return
    print(f"{record.experiment_id}: {words.experiment_status(experiment.status)}")
    if experiment.end_reason.message:
        print(f"  {experiment.end_reason.message}")
    print(f"  {words.counts(experiment)}")
    if best := words.best(experiment):
        print(f"  best {best}")
    for warning in experiment.warnings:
        print(f"  warning: {warning}")
    for error in experiment.errors:
        print("  " + error.replace("\n", "\n  "))


def show_url(experiment_id: str | None) -> None:
    """Prints the address of an experiment's page.

    Raises:
        RuntimeError: No such experiment runs.
    """
    record = select(experiment_id)
    request = CreateSignInCodeRequest(name=experiment_name(record.experiment_id))
    print(f"Web UI url: {connection_to(record).call(CREATE_SIGN_IN_CODE, request).url}")


def _experiment(record: ManagerRecord, timeout: float | None) -> Experiment:
    request = GetExperimentRequest(name=experiment_name(record.experiment_id))
    return connection_to(record, timeout).call(GET_EXPERIMENT, request).experiment


def _row(record: ManagerRecord) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": record.experiment_id,
        "name": None,
        "status": None,
        "trials": None,
        "port": record.port,
        "pid": record.pid,
        "started": None,
        "directory": record.directory,
        "problem": None,
    }
    try:
        experiment = _experiment(record, _LIST_SECONDS)
    except CallError as error:
        row["problem"] = str(error)
        return row
    row["name"] = experiment.config.experiment_name or None
    row["status"] = words.experiment_status(experiment.status)
    row["trials"] = experiment.trial_count
    if experiment.HasField("start_time"):
        row["started"] = _local(experiment.start_time)
    return row


def _facts(record: ManagerRecord, experiment: Experiment) -> dict[str, Any]:
    best = None
    if experiment.HasField("best_trial"):
        trial = experiment.best_trial
        best = {
            "id": parse_trial_name(trial.name)[1],
            "objective": trial.objective,
            "parameters": from_message(trial.parameters),
        }
    return {
        "id": record.experiment_id,
        "status": words.experiment_status(experiment.status),
        "reason": experiment.end_reason.message,
        "errors": list(experiment.errors),
        "warnings": list(experiment.warnings),
        "trials": {entry["trialJobStatus"]: entry["trialJobNumber"] for entry in job_statistics(experiment)},
        "best": best,
        "seconds": experiment.running_time.ToTimedelta().total_seconds(),
        "port": record.port,
        "pid": record.pid,
        "directory": experiment.directory,
    }


def _local(time: Timestamp) -> str:
    return time.ToDatetime().astimezone().isoformat(sep=" ", timespec="seconds")
