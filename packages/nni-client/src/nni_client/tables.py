"""Trials as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from nni_client.csv_cells import column_of
from nni_client.data import TrialJob

_FACTS = ("trialJobId", "sequenceId", "status", "startTime", "endTime", "message")
_REWARD = "reward"
_METRIC = "metric"
_RESERVED = frozenset({*_FACTS, _REWARD, _METRIC})


def dataframe_of(trials: Sequence[TrialJob]) -> Any:
    """Returns a DataFrame with a row for each trial, its number as the index.

    Parameters have columns such as `lr` and `layer0.k`. A final result that is an object has columns such as
    `metric.default`, any other is in the column `reward`. Times are in UTC. What a trial has not is NaN.

    Args:
        trials: The trials.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        pandas = import_module("pandas")
    except ImportError as error:
        raise ImportError(
            "to_dataframe() needs pandas, which is not installed: pip install pandas"
        ) from error
    rows = [_row(trial) for trial in trials]
    columns = dict.fromkeys(name for row in rows for name in row) if rows else dict.fromkeys(_FACTS)
    table = pandas.DataFrame(rows, columns=list(columns))
    for name in ("startTime", "endTime"):
        table[name] = pandas.to_datetime(table[name], unit="ms", utc=True)
    return table.set_index("sequenceId").sort_index()


def _row(trial: TrialJob) -> dict[str, Any]:
    row: dict[str, Any] = {
        "trialJobId": trial.trialJobId,
        "sequenceId": trial.sequenceId,
        "status": trial.status,
        "startTime": None if trial.startTime < 0 else trial.startTime,
        "endTime": None if trial.endTime < 0 else trial.endTime,
        "message": trial.message,
    }
    for parameters in trial.hyperParameters[:1]:
        for path, value in _leaves((), parameters.parameters):
            if path:
                row[column_of(path, _RESERVED)] = value
    for final in trial.finalMetricData[:1]:
        if isinstance(final.data, dict) and final.data:
            for path, value in _leaves((), final.data):
                row[f"{_METRIC}.{column_of(path)}"] = value
        else:
            row[_REWARD] = final.data
    return row


def _leaves(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, element in value.items():
            yield from _leaves((*path, key), element)
    else:
        yield path, value
