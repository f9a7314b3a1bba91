"""Completes ids in a shell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer


def running_ids(incomplete: str) -> Iterator[tuple[str, str]]:
    """Returns the ids of the experiments that run and that begin so, each with what it is."""
    return _ids(incomplete, running=True)


def all_ids(incomplete: str) -> Iterator[tuple[str, str]]:
    """Returns the ids of all experiments that begin so, each with what it is."""
    return _ids(incomplete, running=None)


def ended_ids(incomplete: str) -> Iterator[tuple[str, str]]:
    """Returns the ids of the experiments that have ended and that begin so, each with what it is."""
    return _ids(incomplete, running=False)


def trial_ids(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Returns the ids of trials that begin so, of the experiment named before or the only one that runs."""
    from nni_client.commands.selection import find

    parameters: dict[str, Any] = context.params
    try:
        folder = find(parameters.get("experiment_id"))
        names = sorted(path.name for path in (folder.path / "trials").iterdir())
    except (RuntimeError, OSError):
        return
    yield from (name for name in names if name.startswith(incomplete))


def _ids(incomplete: str, running: bool | None) -> Iterator[tuple[str, str]]:
    from nni_config.experiment_folders import find_experiments

    for folder in find_experiments():
        if folder.experiment_id.startswith(incomplete) and running in (None, folder.is_running):
            name = folder.summary.name if folder.summary is not None else ""
            yield folder.experiment_id, f"{folder.status or ''} {name}".strip()
