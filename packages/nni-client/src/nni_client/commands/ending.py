"""nnictl stop."""

from __future__ import annotations

import sys

from nni_config.local_state import ManagerRecord
from nni_proto.resource_names import experiment_name

from nni_client.attached import AttachedManager
from nni_client.commands.selection import connection_to, select, select_all
from nni_client.errors import CallError
from nni_client.stopping import stop_experiment


def stop_experiments(experiment_id: str | None, port: int | None, everything: bool) -> int:
    """Stops experiments and waits until their managers have ended.

    Args:
        experiment_id: Which one, by its id or its first letters; with "*" at the end all that begin so; None
            for the only one that runs.
        port: The one on this port.
        everything: All that run.

    Returns:
        The exit code: 1 when one of several could not be stopped.

    Raises:
        RuntimeError: No such experiment runs, or it cannot be stopped.
        ValueError: An id or a port goes together with everything.
    """
    if experiment_id == "all":
        raise ValueError(
            '"nnictl stop all" is abolished, please use "nnictl stop --all" to stop all experiments'
        )
    if everything and (experiment_id is not None or port is not None):
        raise ValueError("--all goes with neither an id nor a port")
    if everything:
        managers = select_all()
        if not managers:
            print("No experiment is running.")
        return _stop_each(managers)
    if experiment_id is not None and experiment_id.endswith("*"):
        if port is not None:
            raise ValueError("--port does not go with several experiments")
        managers = select_all(experiment_id[:-1])
        if not managers:
            raise RuntimeError(f"There is no experiment running with an id like {experiment_id}")
        return _stop_each(managers)
    _stop(select(experiment_id, port))
    return 0


def _stop_each(managers: list[ManagerRecord]) -> int:
    failed = 0
    for record in managers:
        try:
            _stop(record)
        except CallError as error:
            print(f"ERROR: experiment {record.experiment_id}: {error}", file=sys.stderr)
            failed = 1
    return failed


def _stop(record: ManagerRecord) -> None:
    print(f"Stopping experiment {record.experiment_id}", flush=True)
    manager = AttachedManager(connection_to(record), record=record)
    stop_experiment(manager, experiment_name(record.experiment_id))
    print("Stop experiment success.")
