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
    experiment_id: ReadId = None,
    as_json: AsJson = False,
    experiments_directory: ExperimentsDirectory = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            "-o",
            metavar="NAME=DIRECTION",
            help="An entry of the final result that is to be best, as accuracy=maximize; with several, the "
            "trials that none is better than in all of them.",
        ),
    ] = None,
) -> None:
    """Show the trial with the best final result; with --json its parameters alone, for NNI_PARAMETERS.

    With several objectives all trials of the Pareto front are shown; with --json as in `nnictl trial ls`.
    """
    from nni_client.commands.showing import show_best

    if objective:
        from nni_client.commands.trial_listing import list_front

        raise typer.Exit(list_front(experiment_id, objective, as_json, experiments_directory))
    raise typer.Exit(show_best(experiment_id, as_json, experiments_directory))
