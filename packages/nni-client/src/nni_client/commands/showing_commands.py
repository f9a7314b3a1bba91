"""Commands that show experiments."""

from __future__ import annotations

from typing import Annotated

import typer

from nni_client.commands.groups import AsJson, ExperimentsDirectory, ReadId, app, experiment

ListAll = Annotated[bool, typer.Option("--all", help="List those that have ended too.")]


@app.command("list")
@experiment.command("list")
def list_experiments(
    everything: ListAll = False, as_json: AsJson = False, experiments_directory: ExperimentsDirectory = None
) -> None:
    """List the experiments that run, with the disk space that they take."""
    from nni_client.commands.listing import list_experiments

    list_experiments(everything, as_json, experiments_directory)


@app.command()
def status(
    experiment_id: ReadId = None, as_json: AsJson = False, experiments_directory: ExperimentsDirectory = None
) -> None:
    """Show how far an experiment is; without an id, the one that runs."""
    from nni_client.commands.showing import show_status

    show_status(experiment_id, as_json, experiments_directory)


@experiment.command("status")
def experiment_status(
    experiment_id: ReadId = None, as_json: AsJson = False, experiments_directory: ExperimentsDirectory = None
) -> None:
    """Show how far an experiment is; as JSON where a script reads it."""
    from nni_client.commands.output import is_terminal
    from nni_client.commands.showing import show_status

    show_status(experiment_id, as_json or not is_terminal(), experiments_directory)


@experiment.command("show")
def experiment_show(experiment_id: ReadId = None, experiments_directory: ExperimentsDirectory = None) -> None:
    """Print the configuration, times, origin and folder of an experiment as JSON."""
    from nni_client.commands.showing import show_profile

    show_profile(experiment_id, experiments_directory)


@experiment.command("best")
def experiment_best(
    experiment_id: ReadId = None, as_json: AsJson = False, experiments_directory: ExperimentsDirectory = None
) -> None:
    """Show the trial with the best final result; with --json its parameters alone, for NNI_PARAMETERS."""
    from nni_client.commands.showing import show_best

    raise typer.Exit(show_best(experiment_id, as_json, experiments_directory))
