"""nnictl experiment delete."""

from __future__ import annotations

from typing import Annotated

import typer

from nni_client.commands.groups import ExperimentsDirectory, experiment
from nni_client.commands.identifiers import ended_ids


@experiment.command("delete")
def delete_experiments(
    experiment_ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...", help="Experiments' ids, or their first letters.", autocompletion=ended_ids
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete all that have ended.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Delete those that ended longer ago than this, such as 30d."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    experiments_directory: ExperimentsDirectory = None,
) -> None:
    """Delete experiments that have ended, with everything in their folders."""
    from nni_client.commands.deleting import Choice, delete

    if bool(experiment_ids) == (everything or older_than is not None):
        raise typer.BadParameter("ids, or --all or --older-than are needed")
    choice = Choice(tuple(experiment_ids or ()), older_than, experiments_directory)
    raise typer.Exit(delete(choice, dry_run, ask=not yes))
