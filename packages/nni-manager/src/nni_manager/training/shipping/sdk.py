"""Packs the trial SDK and the courier, for machines that lack them."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from nni_manager.code_folder.code_files import Kind
from nni_manager.code_folder.contents import Entry
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.shipping.archive import Archive, write_archive


def pack_sdk(target_directory: Path) -> Archive:
    """Packs the package `nni` of nni-trial. The folder that it is unpacked to belongs on PYTHONPATH.

    Args:
        target_directory: The folder of the archive, which is made if it is not there.

    Raises:
        TrainingServiceError: It cannot be read or written.
    """
    entries = [Entry("nni", Kind.FOLDER, package := _package())]
    problems: list[OSError] = []
    try:
        for parent, folders, files in os.walk(package, onerror=problems.append):
            folders[:] = sorted(set(folders) - {"__pycache__"})
            for name in files:
                if name.endswith(".py"):
                    entries.append(_entry(package, Path(parent, name), Kind.FILE))
            entries += [_entry(package, Path(parent, name), Kind.FOLDER) for name in folders]
        archive = write_archive(entries, target_directory, "sdk-", problems.append)
    except OSError as error:
        problems.append(error)
    if problems:
        raise TrainingServiceError(f"the trial SDK cannot be packed: {problems[0]}")
    return archive


def _package() -> Path:
    found = importlib.util.find_spec("nni")
    if found is None or found.origin is None:
        raise TrainingServiceError("the trial SDK is not installed beside the manager: pip install nni-trial")
    return Path(found.origin).parent


def _entry(package: Path, source: Path, kind: Kind) -> Entry:
    return Entry(f"nni/{source.relative_to(package).as_posix()}", kind, source)
