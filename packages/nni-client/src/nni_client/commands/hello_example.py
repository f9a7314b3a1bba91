"""nnictl hello."""

from __future__ import annotations

import shutil
import sys
from importlib import resources
from pathlib import Path

FOLDER = "nni_hello_hpo"
"""The folder that the example is copied to."""


def copy_example() -> None:
    """Copies the example to a new folder of the working directory, and says how to run it.

    Raises:
        FileExistsError: There is something of the folder's name.
        OSError: It cannot be written.
    """
    folder = Path(FOLDER)
    try:
        folder.mkdir()
    except FileExistsError:
        raise FileExistsError(
            f"{folder.absolute()} exists already; remove it, or go to another folder"
        ) from None
    try:
        for file in resources.files("nni_client").joinpath("hello").iterdir():
            if file.is_file():
                (folder / file.name).write_bytes(file.read_bytes())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    print(f"An example of an experiment is in {folder.absolute()}.")
    print(f"Run it with: {Path(sys.executable).name} {FOLDER}/main.py")
    print(f"or with:     nnictl create --config {FOLDER}/config.yml --foreground")
