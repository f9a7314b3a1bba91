"""What the programs of one user leave on this machine to find each other: which manager runs what."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nni_config.private_files import runtime_directory, write_private_file
from nni_config.processes import is_same_process
from nni_config.remembered_directories import experiments_directories

__all__ = [
    "ManagerRecord",
    "find_manager_by_experiment",
    "find_manager_by_port",
    "manager_of",
    "remove_manager_record",
    "running_managers",
    "runtime_directory",
    "write_manager_record",
]

RECORD_NAME = "manager.json"
"""The file in an experiment's folder that says which manager runs it."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ManagerRecord:
    """A running manager.

    Attributes:
        experiment_id: The experiment that it runs.
        pid: Its process.
        process_start_time: When the process started, by `nni_config.processes.process_start_time`.
        port: The port that it listens on.
        bind: The address that it listens on.
        url_prefix: What the paths of its page begin with, "" for nothing.
        token: The secret that gives full access; keep it out of logs.
        directory: The experiment's folder.
        ca_file: The file with the certificates that verify it, PEM; "" for one that listens without TLS.
        tls_name: The name that its certificate has; "" without TLS.
    """

    experiment_id: str
    pid: int
    process_start_time: float
    port: int
    bind: str
    url_prefix: str
    token: str = field(repr=False)
    directory: str
    ca_file: str = ""
    tls_name: str = ""

    @property
    def local_host(self) -> str:
        """The address under which programs on this machine reach it."""
        return _ANY_ADDRESS.get(self.bind, self.bind)


_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def write_manager_record(record: ManagerRecord, experiment_directory: Path) -> None:
    """Says that a manager runs an experiment: in the experiment's folder, and in the runtime folder by port.

    Raises:
        OSError: A file cannot be written, or the runtime folder belongs to someone else.
    """
    text = json.dumps(asdict(record), indent=1)
    write_private_file(experiment_directory / RECORD_NAME, text)
    write_private_file(_file_of_port(record.port), text)


def remove_manager_record(record: ManagerRecord, experiment_directory: Path) -> None:
    """Removes what `write_manager_record` wrote, unless another manager has written there since."""
    for path in (experiment_directory / RECORD_NAME, _file_of_port(record.port)):
        _remove_if_of(path, record)


def find_manager_by_port(port: int) -> ManagerRecord | None:
    """Returns this user's manager that listens on a port, or None."""
    record = _running(_file_of_port(port))
    if record is not None and record.port == port:
        return record
    return next((each for each in running_managers() if each.port == port), None)


def find_manager_by_experiment(
    experiment_id: str, directories: Iterable[Path] | None = None
) -> ManagerRecord | None:
    """Returns the manager that runs an experiment, or None.

    Args:
        experiment_id: The experiment.
        directories: Where experiments lie; all folders that were ever used when left out.
    """
    managers = running_managers(directories)
    return next((each for each in managers if each.experiment_id == experiment_id), None)


def manager_of(experiment_directory: Path) -> ManagerRecord | None:
    """Returns the manager that runs the experiment in a folder, or None; it looks into that folder alone."""
    return _running(experiment_directory / RECORD_NAME)


def running_managers(directories: Iterable[Path] | None = None) -> list[ManagerRecord]:
    """Returns this user's running managers, by port. Records of managers that have gone are removed.

    Managers are found by the runtime folder and, should that have been emptied, by the experiments' folders.

    Args:
        directories: Where experiments lie; all folders that were ever used when left out.
    """
    by_process: dict[tuple[int, float], ManagerRecord] = {}
    for path in _record_files(experiments_directories() if directories is None else directories):
        record = _running(path)
        if record is not None:
            by_process.setdefault((record.pid, record.process_start_time), record)
    return sorted(by_process.values(), key=lambda record: record.port)


def _record_files(directories: Iterable[Path]) -> Iterator[Path]:
    yield from sorted(_managers_directory().glob("*.json"))
    for directory in directories:
        yield from sorted(directory.glob(f"*/{RECORD_NAME}"))


def _managers_directory() -> Path:
    directory = runtime_directory() / "managers"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def _file_of_port(port: int) -> Path:
    return _managers_directory() / f"{port}.json"


def _running(path: Path) -> ManagerRecord | None:
    """Returns the record in a file if its manager runs; removes the file if it does not."""
    record = _read(path)
    if record is None or is_same_process(record.pid, record.process_start_time):
        return record
    _remove_if_of(path, record)
    _remove_if_of(Path(record.directory) / RECORD_NAME, record)
    return None


def _read(path: Path) -> ManagerRecord | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _logger.warning("The record of a manager in %s cannot be read: %s", path, error)
        return None
    if not isinstance(values, dict) or not _has_right_types(values):
        _logger.warning("The file %s is not the record of a manager", path)
        return None
    return ManagerRecord(**{name: values[name] for name in (*_TYPES, *_LATER_TEXTS) if name in values})


_TYPES: dict[str, type | tuple[type, ...]] = {
    "experiment_id": str,
    "pid": int,
    "process_start_time": (int, float),
    "port": int,
    "bind": str,
    "url_prefix": str,
    "token": str,
    "directory": str,
}

_LATER_TEXTS = ("ca_file", "tls_name")
"""Fields that a manager of an earlier version leaves out."""


def _has_right_types(values: dict[str, Any]) -> bool:
    return all(isinstance(values.get(name), kind) for name, kind in _TYPES.items()) and all(
        isinstance(values.get(name, ""), str) for name in _LATER_TEXTS
    )


def _remove_if_of(path: Path, record: ManagerRecord) -> None:
    found = _read(path)
    if found is None or (found.pid, found.process_start_time) != (record.pid, record.process_start_time):
        return
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        _logger.warning("The old record of a manager in %s cannot be removed: %s", path, error)
