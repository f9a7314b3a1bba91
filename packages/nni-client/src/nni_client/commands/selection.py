"""Which experiment a command is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nni_config.experiment_folders import (
    FolderSummary,
    experiments_directories,
    find_experiments,
)
from nni_config.local_state import ManagerRecord, running_managers

from nni_client.connection import Connection, Session
from nni_client.discovery import from_record
from nni_client.finding import refuse_old

_NAMED_AT_MOST = 8
"""How many experiments an error names."""


def select(experiment_id: str | None = None, port: int | None = None) -> ManagerRecord:
    """Returns the running manager that is meant.

    Args:
        experiment_id: The experiment's id or its first letters; None for the only one that runs.
        port: Its port; None for any.

    Raises:
        RuntimeError: There is none, or there are several; the text names them, or one that has ended.
    """
    managers = running_managers(experiments_directories())
    fitting = [it for it in managers if port is None or it.port == port]
    if experiment_id is not None:
        exact = [it for it in fitting if it.experiment_id == experiment_id]
        fitting = exact or [it for it in fitting if _begins(it.experiment_id, experiment_id)]
    if len(fitting) == 1:
        return fitting[0]
    wanted = "" if experiment_id is None else f" with the id {experiment_id}"
    wanted += "" if port is None else f" on port {port}"
    if fitting:
        raise RuntimeError(f"Several experiments are running{wanted}; name one: {_names(fitting)}")
    others = f"; running are {_names(managers)}" if managers and wanted else ""
    ended = _ended(experiment_id) if experiment_id and port is None else None
    if ended is not None:
        others = (
            f": {ended} has ended; see it with: nnictl view {ended}; go on with it: nnictl resume {ended}"
        )
    raise RuntimeError(f"There is no experiment running{wanted}{others}")


def select_all(beginning: str = "") -> list[ManagerRecord]:
    """Returns the running managers of the experiments whose ids begin so, by port."""
    managers = running_managers(experiments_directories())
    return [it for it in managers if it.experiment_id.startswith(beginning)]


def find(experiment_id: str | None, directory: Path | None = None) -> FolderSummary:
    """Returns the experiment that is to be read, whether it runs or has ended.

    Args:
        experiment_id: Its id or its first letters; None for the only one that runs.
        directory: The folder that holds the experiment's folder, or that folder itself; None for all that
            were ever used.

    Raises:
        RuntimeError: There is none, or there are several; the text names them.
    """
    if experiment_id is None and directory is None:
        path = Path(select().directory)
        return next(it for it in find_experiments([path.parent]) if it.path.name == path.name)
    if directory is not None and not directory.is_dir():
        raise RuntimeError(f"{directory} is no folder")
    found = find_experiments(_folders(directory))
    if experiment_id is None:
        fitting = [it for it in found if it.is_running]
    else:
        exact = [it for it in found if it.experiment_id == experiment_id]
        fitting = exact or [it for it in found if _begins(it.experiment_id, experiment_id)]
    if len(fitting) == 1:
        return fitting[0]
    where = "" if directory is None else f" in {directory}"
    wanted = f"experiment{where}" if experiment_id is None else f"experiment {experiment_id}{where}"
    if fitting:
        raise RuntimeError(f"Several experiments are meant by {wanted}; name one: {_folders_text(fitting)}")
    raise RuntimeError(f"There is no {wanted}; see: nnictl experiment list --all")


def find_readable(experiment_id: str | None, directory: Path | None = None) -> FolderSummary:
    """Returns the experiment that is to be read; one with a record of this software.

    Raises:
        RuntimeError: There is none, there are several, it was made by NNI, or its start failed.
    """
    folder = find(experiment_id, directory)
    refuse_old(folder)
    if not folder.has_record and not folder.is_running:
        raise RuntimeError(
            f"Experiment {folder.experiment_id} has no record: it was never started. "
            f"Its logs are in {folder.path / 'log'}"
        )
    return folder


@contextmanager
def open_session(folder: FolderSummary, timeout: float | None = None) -> Iterator[Session]:
    """Opens a connection to the manager of an experiment, or to one that reads its record.

    Args:
        folder: The experiment.
        timeout: How many seconds a call may take; None for the usual limit.

    Raises:
        RuntimeError: The record cannot be read.
    """
    if folder.manager is not None:
        with connection_to(folder.manager, timeout).session() as session:
            yield session
        return
    from nni_client.viewing import record_reader

    reader = record_reader(folder.directory, folder.experiment_id, timeout)
    with reader as connection, connection.session() as session:
        yield session


def connection_to(record: ManagerRecord, timeout: float | None = None) -> Connection:
    """Returns the way to a manager; see `Connection` for the timeout."""
    return Connection(from_record(record).address, timeout)


def _begins(experiment_id: str, beginning: str) -> bool:
    return bool(beginning) and experiment_id.startswith(beginning)


def _folders(directory: Path | None) -> list[Path] | None:
    if directory is None:
        return None
    # NNI's --experiment_dir may name the experiment's own folder.
    is_experiment = (directory / "db").is_dir()
    return [directory.absolute().parent if is_experiment else directory]


def _ended(beginning: str) -> str | None:
    """Returns the only experiment with a record that has this id, or an id that begins so."""
    found = [it.experiment_id for it in find_experiments() if _begins(it.experiment_id, beginning)]
    if beginning in found:
        return beginning
    return found[0] if len(found) == 1 else None


def _names(managers: Sequence[ManagerRecord]) -> str:
    return ", ".join(f"{it.experiment_id} (port {it.port})" for it in managers)


def _folders_text(folders: Sequence[FolderSummary]) -> str:
    same_id = len({it.experiment_id for it in folders}) < len(folders)
    texts = [str(it.path) if same_id else it.experiment_id for it in folders[:_NAMED_AT_MOST]]
    more = len(folders) - len(texts)
    return (
        ", ".join(texts)
        + (f" and {more} more" if more else "")
        + ("; --experiments-dir names the folder" if same_id else "")
    )
