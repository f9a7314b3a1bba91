"""nnictl update, pause and unpause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nni_config.durations import parse_duration
from nni_config.search_space_file import read_search_space
from nni_proto.resource_names import experiment_name
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.experiment_service_pb2 import (
    PauseExperimentRequest,
    UnpauseExperimentRequest,
    UpdateExperimentRequest,
)

from nni_client import updates, words
from nni_client.commands.selection import connection_to, select
from nni_client.methods import PAUSE_EXPERIMENT, UNPAUSE_EXPERIMENT, UPDATE_EXPERIMENT


def change_search_space(experiment_id: str | None, file: Path) -> None:
    """Changes the search space of the trials to come.

    Raises:
        ValueError: The file holds no search space, or the tuner cannot change it.
        OSError: The file cannot be read.
        RuntimeError: No such experiment runs.
    """
    space = read_search_space(file)
    if space is None:
        raise ValueError(f"{file}: it is empty; a search space is needed")
    _update(experiment_id, lambda name: updates.search_space(name, space), "searchSpace")


def change_concurrency(experiment_id: str | None, value: int) -> None:
    """Changes how many trials may run at the same time.

    Raises:
        ValueError: The value is not above 0.
        RuntimeError: No such experiment runs.
    """
    _update(experiment_id, lambda name: updates.trial_concurrency(name, value), "concurrency")


def change_duration(experiment_id: str | None, value: str) -> None:
    """Changes after how long no new trial starts.

    Raises:
        ValueError: The value is no duration.
        RuntimeError: No such experiment runs.
    """
    duration = int(value) if value.isdecimal() else value
    parse_duration(duration)
    _update(experiment_id, lambda name: updates.max_experiment_duration(name, duration), "duration")


def change_trial_number(experiment_id: str | None, value: int) -> None:
    """Changes after how many trials no new one starts.

    Raises:
        ValueError: The value is not above 0.
        RuntimeError: No such experiment runs.
    """
    _update(experiment_id, lambda name: updates.max_trial_number(name, value), "trialnum")


def pause(experiment_id: str | None) -> None:
    """Starts no new trials.

    Raises:
        RuntimeError: No such experiment runs, or it has ended.
    """
    record = select(experiment_id)
    request = PauseExperimentRequest(name=experiment_name(record.experiment_id))
    experiment = connection_to(record).call(PAUSE_EXPERIMENT, request).experiment
    if not experiment.paused:
        raise RuntimeError(f"Experiment {record.experiment_id} is {_status(experiment)}; nothing is paused")
    print(f"Experiment {record.experiment_id} is paused: {words.counts(experiment)}")


def unpause(experiment_id: str | None) -> None:
    """Starts new trials again.

    Raises:
        RuntimeError: No such experiment runs, or it has ended.
    """
    record = select(experiment_id)
    request = UnpauseExperimentRequest(name=experiment_name(record.experiment_id))
    experiment = connection_to(record).call(UNPAUSE_EXPERIMENT, request).experiment
    if experiment.status == Experiment.STATUS_DONE:
        raise RuntimeError(
            f"Experiment {record.experiment_id} is DONE; it goes on when its limits are raised"
        )
    print(f"Experiment {record.experiment_id} goes on: {_status(experiment)}, {words.counts(experiment)}")


def _status(experiment: Experiment) -> str:
    return words.experiment_status(experiment.status)


def _update(experiment_id: str | None, request: Callable[[str], UpdateExperimentRequest], what: str) -> None:
    record = select(experiment_id)
    connection_to(record).call(UPDATE_EXPERIMENT, request(experiment_name(record.experiment_id)))
    print(f"Update {what} success!")
