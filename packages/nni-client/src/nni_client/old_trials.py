"""Rows of NNI's record as trials and results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from nni_client.data import TrialHyperParameters, TrialJob, TrialMetricData

Row = Mapping[str, Any]

_STATUSES = frozenset(
    {
        "WAITING",
        "RUNNING",
        "UNKNOWN",
        "SUCCEEDED",
        "FAILED",
        "USER_CANCELED",
        "SYS_CANCELED",
        "EARLY_STOPPED",
    }
)
_UNENDED = frozenset({"WAITING", "RUNNING", "UNKNOWN"})
_NOT_ENDED = "NNI's record does not say how it ended"
_SOURCES = {"customized": "customized"}


def profile_of(rows: Iterable[Row]) -> dict[str, Any]:
    """Returns the newest profile, its configuration decoded.

    Args:
        rows: The rows of ExperimentProfile, the newest last. Every change has added one.
    """
    newest: dict[str, Any] = {}
    for row in rows:
        newest = {name: value for name, value in row.items() if value is not None}
    if "params" in newest:
        newest["params"] = _decoded(newest["params"])
    return newest


def metrics_of(rows: Iterable[Row]) -> dict[str, list[TrialMetricData]]:
    """Returns the results by trial, in the order stored.

    Args:
        rows: The rows of MetricData.
    """
    metrics: dict[str, list[TrialMetricData]] = {}
    for row in rows:
        if row["type"] not in ("PERIODICAL", "FINAL"):
            continue
        trial = str(row["trialJobId"])
        metric = TrialMetricData(
            timestamp=_number(row["timestamp"]),
            trialJobId=trial,
            parameterId=None if row["parameterId"] is None else str(row["parameterId"]),
            type=row["type"],
            sequence=_number(row["sequence"], 0),
            data=_metric(row["data"]),
        )
        metrics.setdefault(trial, []).append(metric)
    return metrics


def trials_of(
    rows: Iterable[Row], metrics: Mapping[str, list[TrialMetricData]]
) -> tuple[list[TrialJob], list[dict[str, Any]]]:
    """Returns the trials in the order of their numbers, and what was imported.

    Args:
        rows: The rows of TrialJobEvent in the order stored.
        metrics: The results by trial.
    """
    trials: dict[str, TrialJob] = {}
    imported: list[dict[str, Any]] = []
    for row in rows:
        if row["event"] == "IMPORT_DATA":
            imported += _imported(row["data"])
        elif row["trialJobId"]:
            trial_id = str(row["trialJobId"])
            _apply(row, trials.setdefault(trial_id, TrialJob(trial_id, "UNKNOWN")))
    for trial in trials.values():
        _complete(trial, metrics.get(trial.trialJobId, []))
    return sorted(trials.values(), key=lambda trial: trial.sequenceId), imported


def _apply(row: Row, trial: TrialJob) -> None:
    """Brings a trial to where it was after an event."""
    event = "USER_CANCELED" if row["event"] == "USER_TO_CANCEL" else row["event"]
    if event in _STATUSES:
        trial.status = event
        if event in ("WAITING", "RUNNING"):
            trial.startTime = _number(row["timestamp"])
        elif event not in _UNENDED:
            trial.endTime = _number(row["timestamp"])
    trial.logPath = row["logPath"] or trial.logPath
    trial.message = row.get("message") or trial.message
    if row["sequenceId"] is not None:
        trial.sequenceId = _number(row["sequenceId"])
    parameters = _hyper_parameters(row["data"])
    indexes = {it.parameter_index for it in trial.hyperParameters}
    if parameters is not None and parameters.parameter_index not in indexes:
        trial.hyperParameters.append(parameters)


def _complete(trial: TrialJob, metrics: list[TrialMetricData]) -> None:
    if trial.status in _UNENDED:
        # Nothing runs any more in a record of NNI.
        trial.status, trial.message = "UNKNOWN", _NOT_ENDED
    if trial.status == "SUCCEEDED":
        trial.finalMetricData = [metric for metric in metrics if metric.type == "FINAL"][:1]
    if trial.status == "FAILED" and trial.logPath:
        trial.stderrPath = f"{trial.logPath}/stderr"


def _hyper_parameters(text: Any) -> TrialHyperParameters | None:
    record = _decoded(text)
    if not isinstance(record, dict) or "parameters" not in record:
        return None
    index = record.get("parameter_index")
    return TrialHyperParameters(
        parameter_id=record.get("parameter_id"),
        parameter_source=_SOURCES.get(str(record.get("parameter_source")), "algorithm"),
        parameters=record["parameters"],
        parameter_index=index if isinstance(index, int) else 0,
    )


def _imported(text: Any) -> list[dict[str, Any]]:
    entries = _decoded(text)
    if not isinstance(entries, list):
        return []
    return [
        {"parameter": entry["parameter"], "value": _if_json(entry.get("value"))}
        for entry in entries
        if isinstance(entry, dict) and "parameter" in entry
    ]


def _metric(text: Any) -> Any:
    """Returns what a trial reported: JSON in a text that is JSON itself."""
    return _if_json(_decoded(text))


def _if_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _decoded(text: Any) -> Any:
    return _if_json(text) if isinstance(text, str) else None


def _number(value: Any, default: int = -1) -> int:
    return int(value) if isinstance(value, (int, float)) else default
