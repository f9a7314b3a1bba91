"""Which experiment a command is about."""

from __future__ import annotations

from pathlib import Path

from nni_config import default_experiments_directory
from nni_config.local_state import ManagerRecord, running_managers

from nni_client.connection import Connection
from nni_client.discovery import from_record


def select(experiment_id: str | None = None, port: int | None = None) -> ManagerRecord:
    """Returns the running manager that is meant.

    Args:
        experiment_id: The experiment's id or its first letters; None for the only one that runs.
        port: Its port; None for any.

    Raises:
        RuntimeError: There is none, or there are several; the text names them, or one that has ended.
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
    ended = _ended(experiment_id) if experiment_id and port is None else None
    if ended is not None:
        others = f": {ended} has ended; see it with: nnictl view {ended}"
    raise RuntimeError(f"There is no experiment running{wanted}{others}")


def connection_to(record: ManagerRecord, timeout: float | None = None) -> Connection:
    """Returns the way to a manager; see `Connection` for the timeout."""
    return Connection(from_record(record).address, timeout)


def _ended(beginning: str) -> str | None:
    """Returns the only experiment with a record that has this id, or an id that begins so."""
    directory = default_experiments_directory()
    if not directory.is_dir():
        return None
    found = [it.name for it in directory.iterdir() if it.name.startswith(beginning) and _has_record(it)]
    if beginning in found:
        return beginning
    return found[0] if len(found) == 1 else None


def _has_record(folder: Path) -> bool:
    return (folder / "db").is_dir() and not folder.is_symlink()


def _names(managers: list[ManagerRecord]) -> str:
    return ", ".join(f"{it.experiment_id} (port {it.port})" for it in managers)
