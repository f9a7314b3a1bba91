"""The checkpoint directories of a population: `<folder>/<member>/<generation>`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOAD = "load_checkpoint_dir"
SAVE = "save_checkpoint_dir"

_PRIVATE = 0o700


def checkpoint_of(folder: Path, member: int, generation: int) -> str:
    """Returns where a member keeps what it has learned in a generation."""
    return str(folder / str(member) / str(generation))


def make_checkpoint(path: str) -> None:
    """Makes a checkpoint directory and what is missing above it, for their owner only."""
    missing = [Path(path)]
    while not missing[-1].parent.is_dir() and missing[-1].parent != missing[-1]:
        missing.append(missing[-1].parent)
    for directory in reversed(missing):
        directory.mkdir(mode=_PRIVATE, exist_ok=True)


def place_of(parameters: Any) -> tuple[int, int] | None:
    """Returns the member and the generation that parameters are for, None when they do not say so."""
    path = parameters.get(SAVE) if isinstance(parameters, Mapping) else None
    parts = Path(path).parts[-2:] if isinstance(path, str) else ()
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return int(parts[0]), int(parts[1])


def without_checkpoints(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns parameters without the names of checkpoint directories."""
    return {name: value for name, value in parameters.items() if name not in (LOAD, SAVE)}
