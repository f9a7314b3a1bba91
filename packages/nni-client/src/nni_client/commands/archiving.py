"""nnictl experiment save and load."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

from nni_config import default_experiments_directory
from nni_config.units import parse_memory_size

from nni_client.commands.output import size_text
from nni_client.commands.selection import find
from nni_client.loading import load_experiment
from nni_client.saving import save_experiment

_SHOWN = 10


class Places(NamedTuple):
    """Where a loaded experiment goes.

    Attributes:
        directory: The folder that is to hold its folder; None for ~/nni-experiments.
        code: The folder of the trials' code; None for the recorded one.
        search_space: A file to write its search space to; None for none.
    """

    directory: Path | None
    code: Path | None
    search_space: Path | None


def save(experiment_id: str | None, directory: Path | None, path: Path, with_code: bool, force: bool) -> None:
    """Saves an experiment.

    Args:
        experiment_id: Its id or first letters; None for the only one that runs.
        directory: The folder that holds its folder; None for all that were ever used.
        path: The folder of the archive, made if there is none, or the archive itself.
        with_code: Whether to save the trials' code too.
        force: Whether to replace the archive if there is one.

    Raises:
        RuntimeError: There is no such experiment, it cannot be read, or there is an archive already.
        OSError: The archive cannot be written.
    """
    folder = find(experiment_id, directory)
    is_file = path.suffix.lower() == ".zip" and not path.is_dir()
    file = path if is_file else path / f"nni_experiment_{folder.experiment_id}.zip"
    file.parent.mkdir(parents=True, exist_ok=True)
    left_out = save_experiment(folder, file, with_code, force)
    for line in left_out[:_SHOWN]:
        print(f"Left out: {line}", file=sys.stderr)
    if len(left_out) > _SHOWN:
        print(f"Left out: {len(left_out) - _SHOWN} more", file=sys.stderr)
    if folder.is_running:
        print(
            "The experiment is running: it is saved as it is now; trials that run now are lost in the copy",
            file=sys.stderr,
        )
    print(f"Saved experiment {folder.experiment_id} to {file}, {size_text(file.stat().st_size)}")


def load(file: Path, places: Places, max_size: str | None, new_id: str | None) -> None:
    """Loads an experiment.

    Args:
        file: The archive.
        places: Where it goes.
        max_size: How large its files may be together, such as "50gb"; None for what is usual.
        new_id: The id that it is to have; None for the one it has.

    Raises:
        RuntimeError: The archive cannot be loaded; the text says why.
        ValueError: The size or the id is none.
        OSError: A file cannot be read or written.
    """
    limit = None if max_size is None else int(parse_memory_size(max_size) * 1024**2)
    if places.search_space is not None and places.search_space.exists():
        raise FileExistsError(f"{places.search_space} exists already")
    directory = places.directory or default_experiments_directory()
    loaded = load_experiment(file, directory, places.code, limit, new_id)
    experiment_id = loaded.experiment_id
    if places.search_space is not None:
        text = json.dumps(loaded.config.get("searchSpace"), indent=2, ensure_ascii=False)
        places.search_space.write_text(text + "\n", encoding="utf-8")
    was = loaded.manifest.experiment_id
    before = f", which was {was}; its trials have new ids," if was != experiment_id else ""
    print(f"Loaded experiment {experiment_id}{before} into {loaded.path}")
    if loaded.manifest.has_code and loaded.code is None:
        print("The trials' code in the archive was not unpacked; --codeDir names the folder for it")
    elif loaded.code is not None:
        print(f"The trials' code is in {loaded.code}")
    print(f"See it with: nnictl view {experiment_id}; go on with it: nnictl resume {experiment_id}")
    print("Resuming it runs its commands on this machine: do so only if you trust where it comes from")
