"""Reads the record of an experiment that no manager runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nni_client.connection import Connection
from nni_client.launch import launch
from nni_client.manager_command import ManagerCommand


@contextmanager
def record_reader(
    experiments_directory: Path, experiment_id: str, timeout: float | None
) -> Iterator[Connection]:
    """Runs a manager that only reads, for as long as the block lasts.

    Args:
        experiments_directory: The folder that holds the experiment's folder.
        experiment_id: The experiment.
        timeout: How many seconds a call may take; None for the usual limit.

    Raises:
        StartError: The record cannot be read; the text says why.
    """
    command = ManagerCommand(experiments_directory, experiment_id, view=True)
    manager = launch(command)
    try:
        yield Connection(manager.address, timeout)
    finally:
        manager.end()
