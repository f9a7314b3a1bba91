"""Reads an experiment that this process is not attached to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nni_config.experiment_folders import INTERRUPTED, find_experiment
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.trial_pb2 import EndReason

from nni_client.connection import Connection
from nni_client.discovery import from_record
from nni_client.finding import refuse_old, runs_elsewhere
from nni_client.viewing import record_reader

_NOT_RUNNING = "Experiment is not running"

_UNFINISHED = frozenset(
    {
        Experiment.STATUS_RUNNING,
        Experiment.STATUS_STOPPING,
        Experiment.STATUS_NO_MORE_TRIAL,
        Experiment.STATUS_TUNER_NO_MORE_TRIAL,
    }
)


@contextmanager
def unattached_connection(
    experiment_id: str, places: Sequence[Path], directory: Path | None, timeout: float | None
) -> Iterator[tuple[Connection, bool]]:
    """Opens a way to read an experiment: by its manager if one runs, else by one that only reads its record.

    Args:
        experiment_id: The experiment.
        places: The folders that its folder may be in.
        directory: The folder that its folder is known to be in; None when it may be nowhere.
        timeout: How many seconds a call may take; None for the usual limit.

    Yields:
        The way, and whether it leads to the record.

    Raises:
        RuntimeError: There is no such experiment, it was recorded by NNI, or its record cannot be read.
    """
    found = find_experiment(experiment_id, places)
    if found is not None and found.manager is not None:
        yield Connection(from_record(found.manager).address, timeout), False
        return
    if found is not None and found.has_record:
        refuse_old(found)
        directory = found.directory
    if directory is None:
        raise RuntimeError(_NOT_RUNNING)
    with record_reader(directory, experiment_id, timeout) as connection:
        yield connection, True


def not_running(experiment_id: str, places: Sequence[Path]) -> str:
    """Returns why an experiment cannot be changed by an Experiment that is attached to no manager."""
    found = find_experiment(experiment_id, places)
    if found is not None and found.manager is not None:
        return runs_elsewhere(found.manager)
    return _NOT_RUNNING


def is_interrupted(experiment: Experiment) -> bool:
    """Returns whether an experiment is STOPPED only because its manager has gone without ending it."""
    reason = experiment.end_reason
    return (
        experiment.status == Experiment.STATUS_STOPPED
        and reason.actor == EndReason.ACTOR_MANAGER
        and reason.message == INTERRUPTED
    )


def told_truly(experiment: Experiment) -> Experiment:
    """Returns an experiment that no manager runs: one whose record says that it runs has stopped."""
    if experiment.status not in _UNFINISHED:
        return experiment
    truth = Experiment()
    truth.CopyFrom(experiment)
    truth.status = Experiment.STATUS_STOPPED
    truth.end_reason.CopyFrom(EndReason(actor=EndReason.ACTOR_MANAGER, message=INTERRUPTED))
    return truth
