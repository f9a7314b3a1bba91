"""The experiment's folder, as far as the manager's process itself uses it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from nni_config import new_experiment_id
from nni_config.experiment_ids import EXPERIMENT_ID_PATTERN

from nni_manager.server.arguments import Arguments
from nni_manager.server.folder_lock import folder_lock
from nni_manager.server.logs import start_logging
from nni_manager.server.problems import StartProblem
from nni_manager.server.recorded_folder import check_recorded_folder, unusable
from nni_manager.server.tokens import load_or_create_secret


@dataclass(frozen=True, slots=True)
class ManagerHome:
    """The folder of the manager's experiment.

    Attributes:
        experiment_id: The id that was given, or the one chosen.
        path: The folder, absolute.
        secret: The secret that tokens are made from.
    """

    experiment_id: str
    path: Path
    secret: bytes


@contextmanager
def manager_home(arguments: Arguments) -> Iterator[ManagerHome]:
    """Takes the folder for this process, makes it where it is new, and starts the log.

    One manager at a time has a folder. One that only shows an experiment leaves the folder as it is.

    Raises:
        StartProblem: The folder cannot be used; the text says why.
    """
    given = arguments.experiment_id
    if given is not None and not EXPERIMENT_ID_PATTERN.fullmatch(given):
        raise StartProblem(f"--experiment-id: {given!r} is not 1 to 32 letters, digits, '_' or '-'")
    directory = Path(os.path.abspath(arguments.experiments_directory))  # noqa: PTH100  keeps links
    experiment_id = given or new_experiment_id()
    path = directory / experiment_id
    if arguments.view:
        if not (path / "db").is_dir():
            raise StartProblem(f"there is no experiment {experiment_id!r} in {directory}")
        start_logging(None, arguments.log_level)
        yield ManagerHome(experiment_id, path, secrets.token_bytes(32))
        return
    if arguments.resume:
        check_recorded_folder(path)
    with ExitStack() as stack:
        try:
            (path / "log").mkdir(parents=True, exist_ok=True, mode=0o700)
            path.chmod(0o700)
            stack.enter_context(folder_lock(path))
            secret = load_or_create_secret(path / "secret")
            start_logging(path / "log" / "nnimanager.log", arguments.log_level)
        except OSError as error:
            raise unusable(path, error) from error
        try:
            yield ManagerHome(experiment_id, path, secret)
        finally:
            if given is None and not (path / "db").exists():
                shutil.rmtree(path, ignore_errors=True)  # it was made for an experiment that never came
