"""Commands about the platforms that trials run on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nni_client.commands.groups import ExperimentsDirectory, platform
from nni_client.commands.identifiers import ended_ids


@platform.command("clean")
def platform_clean(
    experiment_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="The experiment's id, or its first letters if its folder is here.",
            autocompletion=ended_ids,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="A configuration in place of the recorded one, as for a new token.",
        ),
    ] = None,
    same_id: Annotated[
        bool,
        typer.Option(
            "--same-id",
            help="Mean all experiments that have this id, those made elsewhere or deleted among them.",
        ),
    ] = False,
    files: Annotated[
        bool,
        typer.Option("--files", help="Remove its files from the storage too, once its jobs have ended."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be stopped and removed.")
    ] = False,
    experiments_directory: ExperimentsDirectory = None,
) -> None:
    """Stop jobs that an experiment which has ended left on a platform, and show its files in the storage.

    Jobs are found by their names, which have the experiment's id and its mark. Where its folder is gone, all
    jobs and files of experiments with this id are meant. Without an id it says what trials of the
    configuration may leave on other machines, and how to remove that.
    """
    from nni_client.commands.cleaning import clean

    clean(experiment_id, config, experiments_directory, same_id=same_id, files=files, dry_run=dry_run)
