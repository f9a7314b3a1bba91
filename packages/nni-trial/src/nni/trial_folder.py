"""The folder of one attempt of a trial, and the small JSON files in it.

`<experiment>/trials/<trial id>` holds the output of a trial; its `.nni/<attempt>` holds what we need:
parameters.json, reports.jsonl, run.json (who runs it), cancel.json (how to stop it), exit.json (how the
process ended that was started for it) and done.json (how it ended before its process did, which then took
another trial).
"""

from __future__ import annotations

import errno
import json
import os
import re
from typing import Any, Dict, Optional

_TRIAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def checked_trial_id(trial_id: str) -> str:
    """Returns an id that may be part of a path.

    Raises:
        ValueError: It may not.
    """
    if not _TRIAL_ID.match(trial_id):
        raise ValueError(f"{trial_id!r} is not a trial id: letters, digits, _ and - are allowed")
    return trial_id


class TrialFolder:
    """The paths of one attempt of a trial.

    Attributes:
        trial_id: The trial.
        attempt: Which run of it.
        output_directory: Where the trial writes, NNI_OUTPUT_DIR.
        system_directory: What is ours, NNI_SYS_DIR.
    """

    def __init__(self, experiment_directory: str, trial_id: str, attempt: int) -> None:
        """Names the folder; creates nothing.

        Raises:
            ValueError: The id is not one that may be part of a path.
        """
        self.trial_id, self.attempt = checked_trial_id(trial_id), int(attempt)
        self._experiment_directory = experiment_directory
        self.output_directory = os.path.join(experiment_directory, "trials", trial_id)
        self.system_directory = os.path.join(self.output_directory, ".nni", str(self.attempt))
        self.stdout = os.path.join(self.output_directory, "stdout")
        self.stderr = os.path.join(self.output_directory, "stderr")
        self.reports = self._file("reports.jsonl")
        self.parameters_file = self._file("parameters.json")
        self.run_file = self._file("run.json")
        self.cancel_file = self._file("cancel.json")
        self.exit_file = self._file("exit.json")
        self.done_file = self._file("done.json")
        self.asked_file = self._file("asked")

    def create_with(self, files: Dict[str, Dict[str, Any]]) -> bool:
        """Creates the folder with JSON files in it, all at once; returns False when the attempt has one.

        Args:
            files: Their contents, by name.

        Raises:
            OSError: It cannot be created.
        """
        unfinished = f"{self.system_directory}.{os.getpid()}.tmp"
        make_private_folder(unfinished)
        for name, content in files.items():
            _write(os.path.join(unfinished, name), content)
        try:
            os.rename(unfinished, self.system_directory)  # replaces an empty folder, which is not begun
        except OSError:
            for name in files:
                os.remove(os.path.join(unfinished, name))
            os.rmdir(unfinished)
            if self.exists():
                return False
            raise
        return True

    def experiment_folder_id(self) -> str:
        """Returns what tells the experiment's folder from a copy of it, wherever it is moved to.

        Raises:
            OSError: There is no such folder.
        """
        return folder_id(self._experiment_directory)

    def exists(self) -> bool:
        """Returns whether the attempt has its folder."""
        return os.path.isdir(self.system_directory)

    def _file(self, name: str) -> str:
        return os.path.join(self.system_directory, name)


def folder_id(path: str) -> str:
    """Returns what tells a folder from a copy of it, by whatever path it is reached.

    Raises:
        OSError: There is no such folder.
    """
    status = os.stat(path)
    return f"{status.st_dev}-{status.st_ino}"


def make_private_folder(path: str) -> None:
    """Creates a folder unless it is there, and those above it that are missing, each for its owner alone.

    Raises:
        OSError: One cannot be created.
    """
    if os.path.isdir(path):
        return
    make_private_folder(os.path.dirname(path))
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def lacks_room(error: Exception) -> bool:
    """Returns whether something could not be written because the disk, or the user's part of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def write_json(path: str, content: Dict[str, Any]) -> None:
    """Writes a private JSON file so that a reader sees all of it or none.

    Raises:
        OSError: It cannot be written.
    """
    unfinished = f"{path}.{os.getpid()}.tmp"
    _write(unfinished, content)
    os.replace(unfinished, path)


def read_json(path: str) -> Optional[Dict[str, Any]]:
    """Returns the object in a JSON file, or None when there is no such file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds something else.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not a JSON object")
    return content


def _write(path: str, content: Dict[str, Any]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        data = json.dumps(content).encode("ascii")
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError as error:
        error.filename = path  # which os.write does not know
        raise
    finally:
        os.close(descriptor)
