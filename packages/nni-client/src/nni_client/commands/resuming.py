"""nnictl resume."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import typer
from nni_config import ExperimentConfig
from nni_config.experiment_folders import FolderKind, FolderSummary
from nni_config.secret_fields import SecretField, missing_secrets, take_secrets_from_environment

from nni_client.commands.creating import Options, say_how_to_stop
from nni_client.commands.foreground import run_in_foreground
from nni_client.commands.selection import find
from nni_client.experiment import Experiment
from nni_client.finding import not_running
from nni_client.run_mode import RunMode

_WITHOUT_SECRETS = "local"


class Changes(NamedTuple):
    """What is to be different when an experiment goes on.

    Attributes:
        config_file: A whole configuration; None for the recorded one.
        max_trial_number: Another limit of trials; None for no change.
        max_experiment_duration: Another limit of time; None for no change.
        trial_concurrency: Another concurrency; None for no change.
    """

    config_file: Path | None = None
    max_trial_number: int | None = None
    max_experiment_duration: str | None = None
    trial_concurrency: int | None = None


def resume_experiment(
    experiment_id: str,
    directory: Path | None,
    changes: Changes,
    options: Options,
    url_prefix: str | None,
    foreground: bool,
) -> int:
    """Goes on with an experiment.

    Args:
        experiment_id: Its id or its first letters.
        directory: The folder that holds its folder; None for all that were ever used.
        changes: What is to be different.
        options: How to start it.
        url_prefix: The path that a reverse proxy puts before the page's.
        foreground: Wait for the end; SIGTERM and Ctrl-C stop the experiment.

    Returns:
        The exit code, as that of `create_experiment`.

    Raises:
        ValueError: The configuration is not valid, changes what cannot change, or lacks secrets.
        RuntimeError: There is no such experiment, it runs, or it could not be resumed.
        OSError: A file cannot be read.
    """
    folder = not_running(find(experiment_id, directory))
    experiment = Experiment(None, id=folder.experiment_id)
    experiment.url_prefix = url_prefix
    experiment.config = _config(folder, changes)
    how = {**options._asdict(), "experiments_directory": folder.directory}
    if foreground:
        return run_in_foreground(lambda: experiment.resume(**how))
    if experiment.resume(wait_completion=False, run_mode=RunMode.Detach, **how) is None:
        return 130
    say_how_to_stop(experiment.id)
    return 0


def _config(folder: FolderSummary, changes: Changes) -> ExperimentConfig | None:
    """Returns the configuration to go on with, None for the recorded one as it is."""
    has_changes = changes != Changes()
    platform = folder.summary.platform if folder.summary is not None else None
    asks = _is_terminal() and platform != _WITHOUT_SECRETS
    if folder.kind is FolderKind.OLD or not folder.has_record or not (has_changes or asks):
        return None
    config = _recorded(folder) if changes.config_file is None else ExperimentConfig.load(changes.config_file)
    for name, value in changes._asdict().items():
        if name != "config_file" and value is not None:
            setattr(config, name, value)
    taken = take_secrets_from_environment(config)
    # Without a terminal the refusal names the variables.
    missing = missing_secrets(config) if asks else []
    ask_for_secrets(missing)
    return config if has_changes or taken or missing else None


def _recorded(folder: FolderSummary) -> ExperimentConfig:
    from nni_config.wire import config_from_message

    from nni_client.commands.showing import read_experiment

    return config_from_message(read_experiment(folder).config)


def ask_for_secrets(missing: list[SecretField]) -> None:
    """Asks on the terminal for secrets, without showing them; those that need not be set may be left out."""
    for field in missing:
        note = "" if field.is_required else " (Enter for none)"
        default = None if field.is_required else ""
        try:
            text = typer.prompt(
                f"{field.text}{note}", default=default, hide_input=True, show_default=False, err=True
            )
        except typer.Abort:
            raise KeyboardInterrupt from None
        if text:
            field.set(text)


def _is_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
