"""The files of classes and instances in an experiment's folder.

Those of a resume lie beside those of before: which ones hold is what the record says, so that a resume that
is refused, or a crash on the way, leaves what was there.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from nni_config import ExperimentConfig
from nni_config.algorithm_instances import FOLDER
from nni_config.private_files import write_private_file


def digest_of(content: bytes) -> str:
    """Returns what tells a content from others, fit for a file's name."""
    return hashlib.sha256(content).hexdigest()[:16]


class ClassFiles:
    """Files that a configuration needs and that are not written yet."""

    def __init__(self, files: Mapping[Path, bytes]) -> None:
        """Takes what is to be written where; the path says what the content is.

        Args:
            files: The contents. Equal paths have equal contents.
        """
        self._files = files
        self._written: list[Path] = []

    def write(self) -> None:
        """Writes those that are not there.

        Raises:
            OSError: One cannot be written.
        """
        for path, content in self._files.items():
            if path.is_file():
                continue
            for folder in (path.parent.parent, path.parent):
                folder.mkdir(mode=0o700, exist_ok=True)
            write_private_file(path, content)
            self._written.append(path)

    def take_back(self) -> None:
        """Removes those that were written: the configuration was refused."""
        for path in self._written:
            path.unlink(missing_ok=True)
            if path.parent.name != FOLDER:
                shutil.rmtree(path.parent, ignore_errors=True)


def remove_unused(config: ExperimentConfig, folder: Path) -> None:
    """Removes the files of classes and instances that an experiment's configuration does not name any more.

    Args:
        config: The configuration that the experiment goes on with.
        folder: The experiment's folder.
    """
    chosen = [algorithm for algorithm in (config.tuner, config.assessor) if algorithm is not None]
    used = {algorithm.instance_file for algorithm in chosen}
    used |= {
        Path(algorithm.code_directory).name for algorithm in chosen if algorithm.code_directory is not None
    }
    for path in (folder / FOLDER).glob("*"):
        if path.name in used:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix == ".pickle":
            path.unlink(missing_ok=True)
