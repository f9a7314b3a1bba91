"""What lists show of experiments, under NNI's keys."""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from nni_config.experiment_folders import FolderKind, FolderSummary, find_experiment, find_experiments
from nni_config.experiment_summary import ExperimentSummary
from nni_config.local_state import ManagerRecord
from nni_config.wire import config_from_message
from nni_proto.resource_names import experiment_name
from nni_proto.v1.experiment_service_pb2 import GetExperimentRequest

from nni_client import words
from nni_client.address import ManagerAddress, host_to_call
from nni_client.experiment_log import LOGGER
from nni_client.methods import GET_EXPERIMENT
from nni_client.unattached import told_truly
from nni_client.viewing import record_reader

_UNKNOWN = "N/A"


def metadata_of(experiment_id: str) -> dict[str, Any]:
    """Returns what lists show of an experiment, {} when there is none.

    Args:
        experiment_id: The experiment.

    Returns:
        "id", "port" and "pid" of its manager (None when none runs), "startTime" and "endTime" (milliseconds
        since 1970, "N/A" when there is none), "status", "platform", "experimentName", "tag", "webuiUrl",
        "logDir" (the folder that holds the experiment's folder), "prefixUrl"; and "interrupted", whether
        it ended because its manager vanished.
    """
    found = find_experiment(experiment_id)
    return {} if found is None else _metadata(found)


def all_metadata() -> list[dict[str, Any]]:
    """Returns what lists show of all experiments, the oldest first; see `metadata_of`."""
    return [_metadata(folder) for folder in find_experiments() if folder.has_record or folder.is_running]


def _metadata(folder: FolderSummary) -> dict[str, Any]:
    manager, summary, status = folder.manager, folder.summary, folder.status
    if summary is None and manager is None and folder.has_record and folder.kind is FolderKind.EXPERIMENT:
        summary, status = _from_record(folder)
    return {
        "id": folder.experiment_id,
        "port": None if manager is None else manager.port,
        "startTime": _milliseconds(None if summary is None else summary.started_at),
        "endTime": _milliseconds(None if summary is None else summary.ended_at),
        "status": status or "UNKNOWN",
        "platform": _UNKNOWN if summary is None else summary.platform,
        "experimentName": "" if summary is None else summary.name,
        "tag": [],
        "pid": None if manager is None else manager.pid,
        "webuiUrl": [] if manager is None else [_page(manager)],
        "logDir": str(folder.directory),
        "prefixUrl": manager.url_prefix or None if manager is not None else None,
        "interrupted": folder.is_interrupted,
    }


def _from_record(folder: FolderSummary) -> tuple[ExperimentSummary | None, str | None]:
    """Returns what the record has of an experiment whose folder has no summary, and its status."""
    request = GetExperimentRequest(name=experiment_name(folder.experiment_id))
    try:
        with record_reader(folder.directory, folder.experiment_id, None) as connection:
            experiment = told_truly(connection.call(GET_EXPERIMENT, request).experiment)
    except RuntimeError as error:
        LOGGER.warning("The record of experiment %s cannot be read: %s", folder.experiment_id, error)
        return None, None
    config = config_from_message(experiment.config)
    status = words.experiment_status(experiment.status)
    summary = ExperimentSummary(
        experiment_id=folder.experiment_id,
        name=config.experiment_name or "",
        status=status,
        platform=",".join(service.platform for service in config.training_services()),
        created_at=_seconds(experiment.create_time),
        started_at=_seconds(experiment.start_time) if experiment.HasField("start_time") else None,
        ended_at=_seconds(experiment.end_time) if experiment.HasField("end_time") else None,
    )
    return summary, status


def _page(manager: ManagerRecord) -> str:
    scheme = "https" if manager.ca_file else "http"
    address = ManagerAddress(manager.tls_name or host_to_call(manager.bind), manager.port, "")
    prefix = f"{manager.url_prefix.strip('/')}/" if manager.url_prefix else ""
    return f"{scheme}://{address.authority}/{prefix}"


def _seconds(time: Timestamp) -> float:
    return time.ToMilliseconds() / 1000


def _milliseconds(seconds: float | None) -> int | str:
    return _UNKNOWN if seconds is None else round(seconds * 1000)
