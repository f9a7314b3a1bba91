"""Which experiment a command is about."""

from __future__ import annotations

from nni_config.local_state import ManagerRecord, running_managers

from nni_client.connection import Connection
from nni_client.discovery import from_record


def select(experiment_id: str | None = None, port: int | None = None) -> ManagerRecord:
    """Returns the running manager that is meant.

    Args:
        experiment_id: The experiment's id or its first letters; None for the only one that runs.
        port: Its port; None for any.

    Raises:
        RuntimeError: There is none, or there are several; the text names them.
    """
    managers = running_managers()
    fitting = [it for it in managers if port is None or it.port == port]
    if experiment_id is not None:
        exact = [it for it in fitting if it.experiment_id == experiment_id]
        fitting = exact or [it for it in fitting if it.experiment_id.startswith(experiment_id)]
    if len(fitting) == 1:
        return fitting[0]
    wanted = "" if experiment_id is None else f" with the id {experiment_id}"
    wanted += "" if port is None else f" on port {port}"
    if fitting:
        raise RuntimeError(f"Several experiments are running{wanted}; name one: {_names(fitting)}")
    others = f"; running are {_names(managers)}" if managers and wanted else ""
    raise RuntimeError(f"There is no experiment running{wanted}{others}")


def connection_to(record: ManagerRecord, timeout: float | None = None) -> Connection:
    """Returns the way to a manager; see `Connection` for the timeout."""
    return Connection(from_record(record).address, timeout)


def _names(managers: list[ManagerRecord]) -> str:
    return ", ".join(f"{it.experiment_id} (port {it.port})" for it in managers)
